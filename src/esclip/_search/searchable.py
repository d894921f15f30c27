"""What an index can be asked for: the part of the facade that searches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import cache
from threading import Lock
from typing import Unpack

from esclip._concurrency.forks import renew_in_children
from esclip._core.arguments import AnyId, AnyImage, given_callback, given_ids, given_several, given_texts
from esclip._core.bounds import HYBRID_WEIGHTS, THRESHOLDS
from esclip._core.parts import holds_parts, parts_index
from esclip._core.schema import IndexInfo, IndexSchema
from esclip._core.settings import DUPLICATE
from esclip._errors import ConfigError, DocumentNotFound, IndexNotFound
from esclip._protocols import Encoder, Store
from esclip._search.duplicates import DuplicateGroup, duplicate_groups
from esclip._search.filter_parser import Where, conditions
from esclip._search.hits import Hits
from esclip._search.no_hits import unfulfilled
from esclip._search.query import AnyQuery, ImageQuery, Keywords, Query, SearchOptions, SimilarTo, Text
from esclip._search.retriever import Retriever
from esclip._search.searcher import find
from esclip.encoders.resolver import EncoderResolver

__all__ = ["SearchableIndex"]

logger = logging.getLogger("esclip")


class SearchableIndex:
    """An index by its store and its encoder, searched. Safe from several threads."""

    def __init__(self, store: Store, encoders: EncoderResolver) -> None:
        self._open_store = store
        self._closed = False
        self._encoders = encoders
        self._schema: IndexSchema | None = None
        self._parts_store: Store | None = None
        self._lock = Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """A lock of a forked child's own."""
        self._lock = Lock()

    @property
    def _store(self) -> Store:
        """The store. Raises `ConfigError` when the index is closed: whatever it is asked for begins here."""
        if self._closed:
            raise ConfigError("the index is closed; open it again with open_index")
        return self._open_store

    def search(self, query: AnyQuery) -> Hits:
        """The pictures that fit best to a query of any parts; a plain text stands for what pictures show.

        Raises `IndexNotFound` when the index is not there or is empty, `ConfigError` for a filter that fits
        none of its fields, `DocumentNotFound` for an id that isn't held, and `FetchError` or `DecodeError`
        for a picture that can't be had.
        """
        (hits,) = self.search_many([query])
        return hits

    def search_many(self, queries: Iterable[AnyQuery]) -> list[Hits]:
        """The hits of each query: encoded together and searched at once, which is faster than one by one."""
        takes = "several queries, such as a list"
        asked = [Query.of(query) for query in given_several("queries", queries, takes)]
        schema = self._searchable()
        try:
            parts = cache(self._held_parts)  # checked once a call, however often a search goes there
            found = find(asked, schema, lambda: self._encoder(schema), Retriever(self._store, parts))
        except DocumentNotFound:
            self._require_documents()
            raise
        if not any(found):
            self._require_documents()  # to find nothing in an index that is gone or empty is no success
        return found

    def search_text(
        self,
        text: str,
        k: int = 10,
        where: Where | None = None,
        *,
        hybrid: float = 0.0,
        **options: Unpack[SearchOptions],
    ) -> Hits:
        """The `k` pictures that show best what `text` says, in any language that the text tower knows.

        `where` filters inside the search: `{"country": ["Norway", "Sweden"]}`, or an expression as in
        `filter_parser`: `"width>=4000 & !colors=red"`. With `hybrid` above 0, pictures are found by the
        words that stand in what is written about them as well, which count so much beside the vector.
        `options` are those of `Query`. Raises what `search` raises.
        """
        return self.search(_text_query(text, hybrid, k, where, options))

    def search_texts(
        self,
        texts: Iterable[str],
        k: int = 10,
        where: Where | None = None,
        *,
        hybrid: float = 0.0,
        **options: Unpack[SearchOptions],
    ) -> list[Hits]:
        """`search_text` for many, at once."""
        wanted = given_texts("texts", texts, "several texts, such as a list; for one there is search_text")
        return self.search_many([_text_query(text, hybrid, k, where, options) for text in wanted])

    def search_image(
        self,
        image: AnyImage,
        k: int = 10,
        where: Where | None = None,
        **options: Unpack[SearchOptions],
    ) -> Hits:
        """The `k` pictures most like `image`.

        It is a path, a URL, an image file's bytes, an open file, a PIL image, or an array of uint8 in RGB.
        """
        return self.search(Query(ImageQuery(image), k=k, where=where, **options))

    def similar(
        self, id: AnyId, k: int = 10, where: Where | None = None, **options: Unpack[SearchOptions]
    ) -> Hits:
        """The `k` pictures most like a stored one, given by its id or as a hit; itself left out."""
        return self.search(Query(SimilarTo.of(id), k=k, where=where, **options))

    def recommend(
        self,
        like: AnyId | Iterable[AnyId],
        unlike: AnyId | Iterable[AnyId] = (),
        k: int = 10,
        where: Where | None = None,
        **options: Unpack[SearchOptions],
    ) -> Hits:
        """The `k` pictures most like some stored ones and least like others, all of them left out.

        They are given by their ids or as hits. What they are unlike counts half as much as what they are
        like.
        """
        good, bad = given_ids("like", like), given_ids("unlike", unlike)
        parts = [SimilarTo(id, 1 / len(good)) for id in good] + [SimilarTo(id, -0.5 / len(bad)) for id in bad]
        return self.search(Query(*parts, k=k, where=where, **options))

    def duplicates(
        self,
        threshold: float = DUPLICATE,
        where: Where | None = None,
        *,
        on_progress: Callable[[int], None] | None = None,
    ) -> list[DuplicateGroup]:
        """Groups of pictures that show nearly the same: each has a cosine of `threshold` with another.

        The largest group first. With `where`, only pictures that fulfil it are compared. `on_progress` is
        told how many were looked at. Nothing is removed. A filter that no document fulfils is logged as a
        warning. Raises what `search` raises.
        """
        THRESHOLDS.check("threshold", threshold)
        given_callback("on_progress", on_progress)
        filters = conditions(where, self._searchable().fields)
        groups = duplicate_groups(self._store, filters, threshold, on_progress or (lambda _: None))
        if not groups:
            self._require_documents()
            if note := unfulfilled(self._store, filters):
                logger.warning("%s", note)
        return groups

    def _searchable(self) -> IndexSchema:
        """The index's schema, asked for once. Raises `IndexNotFound` when there is none."""
        schema = self._schema
        if schema is None:
            self._schema = schema = self._store.schema()
        if schema is None:
            raise self._not_found("does not exist")
        return schema

    def _require_documents(self) -> None:
        """Raise `IndexNotFound` when the index holds nothing: asked only when nothing was found."""
        self._schema = None
        if self._existing().documents == 0:
            raise self._not_found("is empty")

    def _existing(self) -> IndexInfo:
        info = self._store.info()
        if info is None:
            raise self._not_found("does not exist")
        return info

    def _not_found(self, what: str) -> IndexNotFound:
        name, address = self._store.index, self._store.address
        return IndexNotFound(f"index {name!r} {what} in {address}; fill it with: esclip ingest PATH")

    def _parts(self) -> Store:
        """The index of the pictures' parts, opened once."""
        with self._lock:
            if self._parts_store is None:
                self._parts_store = self._store.open_other(parts_index(self._store.index))
            return self._parts_store

    def _held_parts(self) -> Store:
        """The index of the pictures' parts, to be searched. Raises `IndexNotFound` when it isn't there."""
        parts = self._parts()
        if not holds_parts(parts.schema()):
            raise IndexNotFound(
                f"index {self._store.index!r} in {self._store.address} has lost its parts: {parts.index!r} "
                "is not there, or holds pictures of its own; search without them, or drop the index and "
                "ingest anew"
            )
        return parts

    def _encoder(self, held: IndexSchema | None) -> Encoder:
        return self._encoders.for_index(self._store.index, held)


def _text_query(text: str, hybrid: float, k: int, where: Where | None, options: SearchOptions) -> Query:
    HYBRID_WEIGHTS.check("hybrid", hybrid)
    words = [Keywords(text, hybrid)] if hybrid else []
    return Query(Text(text), *words, k=k, where=where, **options)
