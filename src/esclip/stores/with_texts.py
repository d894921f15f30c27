"""The documents of an index of both kinds, as those of one store: pictures, and the texts beside them.

                  ┌─► pictures   the index
StoreWithTexts ───┤
                  └─► texts      the index of texts, made when the first is written

An id is of one document: what is written replaces the document of the other kind with its id. The new one is
written before the old one is removed; where a run was killed between the two, both count as changed, and the
next ingest writes one of them and removes the other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import chain
from threading import Event, RLock

from esclip._core.facet_counting import NO_SPANS, Spans
from esclip._core.facet_merging import merge_facets
from esclip._core.facets import Facets
from esclip._core.filters import Condition
from esclip._core.index_settings import NO_SETTINGS
from esclip._core.ordering import rank
from esclip._core.rejections import Rejection
from esclip._core.schema import Field, IndexInfo, IndexSchema
from esclip._core.searches import Scan, Search
from esclip._core.texts import MARK, holds_texts
from esclip._core.types import TEXT, Fingerprint, Hit, ImageRecord, StoredDocument
from esclip._errors import Hint, IndexExists
from esclip._protocols import Store
from esclip.stores.wrapper import StoreWrapper

log = logging.getLogger("esclip")

CHANGED = Fingerprint("", "")
"""Of an id that a killed run has left to two documents: no record has it."""


class StoreWithTexts(StoreWrapper):
    """A store of pictures that keeps texts in the index beside it."""

    def __init__(self, pictures: Store, open_texts: Callable[[], Store], *, present: bool = False) -> None:
        """`open_texts` gives the index of texts, always the same, and closes it; `present`: it is there."""
        super().__init__(pictures)
        self._open_texts = open_texts
        self._present = present
        self._is_new = False
        self._lock = RLock()
        self._loading: tuple[ExitStack, Event | None] | None = None

    def ensure_index(self, schema: IndexSchema) -> None:
        """Prepare the index, and that of texts where it has some."""
        before = self.store.schema()
        self._present = before is not None and before.texts
        self._is_new = before is None
        if before is not None and before.texts:
            if self._texts.schema() is None:
                log.warning("index %r has lost %s, which held its texts", self.index, self._texts.index)
            # first: a filter names fields of both
            self._prepare_texts(replace(schema, fields=(*before.fields, *schema.fields)), before)
        self.store.ensure_index(schema)

    def info(self) -> IndexInfo | None:
        """With the documents and bytes of both."""
        info = self.store.info()
        texts = self._texts.info() if self._present else None
        if info is None or texts is None:
            return info
        sizes = [one.bytes for one in (info, texts) if one.bytes is not None]
        return replace(info, documents=info.documents + texts.documents, bytes=sum(sizes) if sizes else None)

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        """Of both kinds; `CHANGED` for an id that two documents have."""
        pictures = self.store.fingerprints(ids)
        if not self._present:
            return pictures
        texts = self._texts.fingerprints(ids)
        return pictures | texts | dict.fromkeys(pictures.keys() & texts.keys(), CHANGED)

    def documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        """Of both kinds."""
        pictures = self.store.documents(ids)
        if not self._present:
            return pictures
        return {id: as_text(document) for id, document in self._texts.documents(ids).items()} | pictures

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        """Write each document among those of its kind."""
        texts = [document for document in documents if document.record.kind == TEXT]
        pictures = [document for document in documents if document.record.kind != TEXT]
        rejections: list[Rejection] = []
        if pictures:
            rejections += self.store.upsert(pictures)
            if self._present:
                _remove_replaced(self._texts, pictures, rejections)
        if texts:
            self._ensure_texts()
            rejections += self._texts.upsert(texts)
            _remove_replaced(self.store, texts, rejections)
        return rejections

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """Update each document among those of its kind."""
        texts = [record for record in records if record.kind == TEXT]
        pictures = [record for record in records if record.kind != TEXT]
        rejections = self.store.update(pictures) if pictures else []
        return rejections + (self._texts.update(texts) if texts else [])

    def delete(self, ids: Sequence[str]) -> None:
        """Of both kinds."""
        if self._present:
            self._texts.delete(ids)
        self.store.delete(ids)

    def search(self, *searches: Search) -> list[list[Hit]]:
        """A `Scan` lists both kinds. Others find pictures: scores of texts are not comparable with theirs."""
        results = self.store.search(*searches)
        scans = [search for search in searches if isinstance(search, Scan)] if self._present else []
        texts = iter(self._texts.search(*scans) if scans else ())
        return [
            _merge(search, [*hits, *map(as_text_hit, next(texts))])
            if scans and isinstance(search, Scan)
            else hits
            for search, hits in zip(searches, results, strict=True)
        ]

    def facets(
        self,
        fields: Sequence[Field],
        where: Sequence[Condition] = (),
        limit: int = 20,
        spans: Spans = NO_SPANS,
    ) -> Facets:
        """Of the documents of both kinds."""
        kinds = [self.store.facets, *([self._texts.facets] if self._present else [])]
        return merge_facets(kinds, fields, where, limit, spans)

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        """Those of pictures, then those of texts."""
        return chain(self.store.scan_locations(), self._texts.scan_locations() if self._present else ())

    @contextmanager
    def bulk_load(self, cancelled: Event | None = None) -> Iterator[None]:
        """For both indexes; for that of texts from when it is made."""
        with ExitStack() as loads:
            loads.enter_context(self.store.bulk_load(cancelled))
            if self._present:
                loads.enter_context(self._texts.bulk_load(cancelled))
            self._loading = loads, cancelled
            try:
                yield
            finally:
                self._loading = None

    def drop(self) -> None:
        """Drop the texts first: what is dropped by halves still says that it has them."""
        if self._present:
            self._texts.drop()
        self.store.drop()

    @property
    def _texts(self) -> Store:
        """The index of texts, opened on first use."""
        return self._open_texts()

    def _ensure_texts(self) -> None:
        """Make the index of texts, where there is none, and have the index remember that it has texts."""
        with self._lock:
            schema = None if self._present else self.store.schema()  # as other processes left it
            if schema is None:
                return
            if self._is_new and not schema.texts and holds_texts(self._texts.schema()):
                self._texts.drop()  # left over from an index of this name that is gone
            self._prepare_texts(schema, schema)
            if not schema.texts:
                self.store.ensure_index(IndexSchema(schema.space, texts=True))
            self._present = True
            if self._loading:
                loads, cancelled = self._loading
                loads.enter_context(self._texts.bulk_load(cancelled))

    def _prepare_texts(self, schema: IndexSchema, pictures: IndexSchema) -> None:
        """Give the index of texts the fields of a schema; a new one is made as that of `pictures` is.

        Raises `IndexExists` when its name is taken.
        """
        present = self._texts.schema()
        if present is not None and not holds_texts(present):
            raise IndexExists(
                f"index {self._texts.index!r} in {self.address} is where the texts of {self.index!r} would "
                "be kept, and holds pictures of its own",
                Hint.OTHER_INDEX,
            )
        fields = tuple(dict.fromkeys((*schema.fields, MARK)))
        made = NO_SETTINGS if present else pictures.settings
        settings = made.extended_by(schema.settings)
        self._texts.ensure_index(IndexSchema(schema.space, fields, schema.runtimes, settings=settings))


def _merge(scan: Scan, hits: Sequence[Hit]) -> list[Hit]:
    """What is listed of both kinds, as of one store."""
    return rank(hits, scan.order)[: scan.k]


def as_text(document: StoredDocument) -> StoredDocument:
    """A document of an index of texts, which a store takes for a picture's, as a text."""
    return replace(document, record=replace(document.record, kind=TEXT))


def as_text_hit(hit: Hit) -> Hit:
    """The same of a hit."""
    return replace(hit, kind=TEXT)


def _remove_replaced(
    others: Store, documents: Sequence[StoredDocument], rejections: Sequence[Rejection]
) -> None:
    """Remove documents of the other kind with the ids of those that were written."""
    refused = {rejection.id for rejection in rejections}
    ids = [document.record.id for document in documents if document.record.id not in refused]
    if replaced := list(others.fingerprints(ids)) if ids else []:
        others.delete(replaced)
