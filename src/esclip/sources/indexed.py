"""The documents of an index as records, to encode them by another model.

Store.scan_tables ─► documents, with fingerprints ─► what their source gave ─► ImageRecord
                                                      └ location ─► the URL or the file of the picture

A document has its source's metadata and what was computed from it, such as the picture's size, as one. Which
was which is found out by its fingerprint, which counts it; where none fits, the document's own is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from threading import Event

from esclip._concurrency.streams import owned
from esclip._core.captions import CAPTION_BY, with_stored_caption
from esclip._core.document_tables import table_documents
from esclip._core.picture_color import COLOR
from esclip._core.picture_facts import PICTURE_FIELDS, SHOWN_FACTS
from esclip._core.schema import Field
from esclip._core.settings import UNSPLASH_PAGE
from esclip._core.types import Fingerprint, ImageRecord, StoredDocument, text_record
from esclip._core.urls import is_web_address
from esclip._files.paths import path_of
from esclip._protocols import Source, Store
from esclip.sources.unsplash.fields import sized_url
from esclip.sources.video import FACTS

_ALL_FACTS = tuple(field.name for field in PICTURE_FIELDS)
_KNOWN_FACTS = (
    _ALL_FACTS,
    *(some for n in range(len(SHOWN_FACTS) + 1) for some in combinations(SHOWN_FACTS, n)),
    tuple(name for name in _ALL_FACTS if name != COLOR),
    FACTS,
    tuple(name for name in FACTS if name != COLOR),
)
"""What sources name as `ImageRecord.picture_fields`: of files, of pictures by URL, of frames."""


@dataclass(frozen=True, slots=True)
class Derived:
    """What an index has computed of its pictures, beside what they say of themselves."""

    derivation: str
    """`ImageRecord.derivation` of its documents."""
    fields: frozenset[str]
    """The names of the fields of labels."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Where the pictures of an index's documents are read."""

    folder: Path | None = None
    """Has those of web addresses as <id>.jpg, of any bytes: the user names it. None: they are fetched."""
    trusted: bool = False
    """Whether a file is read also where the index doesn't know its bytes: an index is untrusted input, and
    may name any file of this machine."""


class IndexedSource(Source):
    """The documents of an index: its pictures, then its texts."""

    def __init__(self, pictures: Store, texts: Store | None, derived: Derived, where: Pictures) -> None:
        """`texts` is the index of texts beside that of `pictures`, if it has one. Both are only read."""
        self._stores = [pictures, *([texts] if texts else [])]
        self._derived, self._where = derived, where
        schema = pictures.schema()
        self._fields = schema.fields if schema else ()
        self._facts: tuple[str, ...] = _ALL_FACTS
        """Those of the last record: the next one hardly has others."""

    @property
    def fields(self) -> Sequence[Field]:
        """Those of the index, computed ones included."""
        return self._fields

    def total(self) -> int:
        """The number of documents; a server makes all of them visible for it."""
        infos = [store.info() for store in self._stores]
        return sum(info.documents for info in infos if info is not None)

    def covers(self, location: str) -> bool:
        """Every location: what the index doesn't have is no document of it."""
        return True

    def records(self, cancelled: Event) -> Iterator[ImageRecord]:
        """Each document, in the order of the store."""
        self.total()  # what was written last is seen
        for store in self._stores:
            schema = store.schema()
            with owned(store.scan_tables()) as tables:
                for table in tables:
                    assert schema
                    for document in table_documents(table, schema):
                        yield self._record(document, is_text=store is not self._stores[0])

    def _record(self, document: StoredDocument, *, is_text: bool) -> ImageRecord:
        stored, fingerprint = document.record, document.record.stored_as
        assert fingerprint
        plain = replace(stored, stored_as=None, captioned=False)
        plain = with_stored_caption(plain, document, fingerprint) if fingerprint.has_caption else plain
        if is_text:
            text = text_record(
                stored.description,
                id=stored.id,
                location=stored.location,
                page=stored.page,
                metadata=stored.metadata,
            )
            return _with_fingerprint(text, fingerprint, text.fingerprint.record == fingerprint.record)
        original = self._without_derived(plain, fingerprint)
        record = _with_fingerprint(original or plain, fingerprint, original is not None)
        return self._with_picture(record, document.content)

    def _without_derived(self, plain: ImageRecord, fingerprint: Fingerprint) -> ImageRecord | None:
        """The record as its source gave it; None where that can't be found out."""
        computed = self._derived.fields | ({CAPTION_BY.name} if plain.caption_by else set())
        metadata = {name: value for name, value in plain.metadata.items() if name not in computed}
        for facts in dict.fromkeys((self._facts, *_KNOWN_FACTS)):
            record = replace(
                plain,
                metadata={name: value for name, value in metadata.items() if name not in facts},
                picture_fields=facts,
                derivation=self._derived.derivation,
            )
            if record.fingerprint.record == fingerprint.record:
                self._facts = facts
                return replace(record, derivation="")
        return None

    def _with_picture(self, record: ImageRecord, content: str) -> ImageRecord:
        """The record with the place where its picture is read: a URL, or an absolute path.

        Any other location stays as it is, and the fetcher refuses it.
        """
        location, checked = record.location, None
        picture: str | Path = location
        if "://" not in location:
            if Path(location).is_absolute():
                picture = path_of(location)
                checked = None if self._where.trusted and not content else content
        elif self._where.folder is not None and _is_file_name(record.id):
            picture = self._where.folder / f"{record.id}.jpg"
        elif is_web_address(location) and (record.page or "").startswith(UNSPLASH_PAGE):
            picture = _sized(location, record)
        return replace(record, picture=picture, image_version=location, content=checked)


def _is_file_name(id: str) -> bool:
    """Whether a file can have this name, in its folder and nowhere else."""
    return id not in (".", "..") and not {*id} & {"/", "\\", "\0"}


def _sized(url: str, record: ImageRecord) -> str:
    """The URL from which an ingest of the dataset fetches a photo."""
    sides = (record.all_metadata.get(name) for name in ("width", "height"))
    width, height = (side if isinstance(side, int) else None for side in sides)
    return sized_url(url, width, height)


def _with_fingerprint(record: ImageRecord, fingerprint: Fingerprint, is_original: bool) -> ImageRecord:
    """The record with the fingerprint that its document has: of an original one, only the picture's."""
    pixels = fingerprint.pixels.partition("+")[0]  # the crops are those of the grid
    fingerprint = fingerprint._replace(pixels=pixels)
    if not fingerprint.pixels:  # of an index that another program has made
        return record
    return replace(record, stored_as=fingerprint._replace(record="") if is_original else fingerprint)
