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
from esclip._errors import ConfigError, DocumentNotFound, Hint, IndexNotFound
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
        """Search by a query of one or several parts.

        Args:
            query: A `Query`, or its single part: a text, a `Path`, a PIL image, an array, a hit, a clause.

        Returns:
            Hits, best first.

        Raises:
            IndexNotFound: The index is not there, or is empty.
            ConfigError: The filter fits no field of the index, or an argument can't be used.
            DocumentNotFound: The query names an id that the index lacks.
            FetchError: A picture of the query can't be fetched.
            DecodeError: A picture of the query can't be read.
            ValueError: A number is out of its bounds, or a text is empty.

        Example:
            query = esclip.Query("a beach", esclip.Text("people", -0.5), k=20, where="label!=red")
            hits = index.search(query)
        """
        (hits,) = self.search_many([query])
        return hits

    def search_many(self, queries: Iterable[AnyQuery]) -> list[Hits]:
        """Search by several queries at once: encoded together, sent in one request.

        Args:
            queries: Queries, each as in `search`.

        Returns:
            Hits of each query, in order.

        Raises:
            EsclipError: As `search`.
        """
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
        """Find the pictures that show what a text says.

        Args:
            text: What pictures show, in any language that the text encoder knows.
            k: Number of hits, at most.
            where: Filter: an expression such as `"width>=4000 & !colors=red"`, several that must all hold, or
                values by field such as `{"country": ["Norway", "Sweden"]}`.
            hybrid: Weight of a keyword search for the same text, fused with the vector search, whose weight
                is 1. Default: 0, no keyword search.
            offset: Number of hits to pass over. Default: 0.
            min_score: Lowest score of a hit, a cosine in [-1, 1]. Default: -1.
            exact: Compare every vector, without the vector index. Default: False.
            rank_window_size: Number of hits of each ranking that are fused. Default: 200.
            targets: Where to search: `pictures`, `crops`, `captions`. A hit by a crop has its `box` and its
                score. Default: `["pictures"]`.
            explain: Say of each hit what its rank is made of: `Hit.explanation`. Default: False.
            collapse: Fold hits into a better one from this cosine with it on: `Hit.duplicates`. Default:
                None, off.
            min_relevance: Lowest `Hit.relevance`, 0 to 1; for queries of texts alone. Default: None, off.

        Returns:
            Hits, best first.

        Raises:
            EsclipError: As `search`.

        Example:
            for hit in index.search_text("a red car in the snow", k=5, hybrid=0.5):
                print(hit.score, hit.location)
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
        """Search by several texts at once, each as in `search_text`.

        Args:
            texts: What pictures show.
            k: Number of hits of each text, at most.
            where: Filter, as in `search_text`.
            hybrid: As in `search_text`.
            **options: `offset`, `min_score`, `exact`, `rank_window_size`, `targets`, `explain`, `collapse`,
                `min_relevance`: as in `search_text`.

        Returns:
            Hits of each text, in order.

        Raises:
            EsclipError: As `search`.
        """
        wanted = given_texts("texts", texts, "several texts, such as a list; for one there is search_text")
        return self.search_many([_text_query(text, hybrid, k, where, options) for text in wanted])

    def search_image(
        self,
        image: AnyImage,
        k: int = 10,
        where: Where | None = None,
        **options: Unpack[SearchOptions],
    ) -> Hits:
        """Find the pictures most like a picture.

        Args:
            image: A path, a URL, an image file's bytes, an open file, a PIL image, or an RGB array of uint8
                with shape (height, width, 3).
            k: Number of hits, at most.
            where: Filter, as in `search_text`.
            **options: `offset`, `min_score`, `exact`, `rank_window_size`, `targets`, `explain`, `collapse`,
                `min_relevance`: as in `search_text`.

        Returns:
            Hits, best first.

        Raises:
            EsclipError: As `search`.

        Example:
            index.search_image("photos/red.png", where={"label": "car"})
        """
        return self.search(Query(ImageQuery(image), k=k, where=where, **options))

    def similar(
        self, id: AnyId, k: int = 10, where: Where | None = None, **options: Unpack[SearchOptions]
    ) -> Hits:
        """Find the pictures most like one of the index, which is left out.

        Args:
            id: Id of a picture of the index, or a hit.
            k: Number of hits, at most.
            where: Filter, as in `search_text`.
            **options: `offset`, `min_score`, `exact`, `rank_window_size`, `targets`, `explain`, `collapse`,
                `min_relevance`: as in `search_text`.

        Returns:
            Hits, best first.

        Raises:
            EsclipError: As `search`.
        """
        return self.search(Query(SimilarTo.of(id), k=k, where=where, **options))

    def recommend(
        self,
        like: AnyId | Iterable[AnyId],
        unlike: AnyId | Iterable[AnyId] = (),
        k: int = 10,
        where: Where | None = None,
        **options: Unpack[SearchOptions],
    ) -> Hits:
        """Find the pictures most like some of the index and least like others, all of which are left out.

        Args:
            like: Id or hit, or several: each weighs 1 / their number.
            unlike: Id or hit, or several: each weighs -0.5 / their number.
            k: Number of hits, at most.
            where: Filter, as in `search_text`.
            **options: `offset`, `min_score`, `exact`, `rank_window_size`, `targets`, `explain`, `collapse`,
                `min_relevance`: as in `search_text`.

        Returns:
            Hits, best first.

        Raises:
            EsclipError: As `search`.

        Example:
            hits = index.search_text("something red", k=2)
            index.recommend(like=hits[0], unlike=hits[1])
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
        """Group the pictures of the whole index that show nearly the same. Removes nothing.

        Args:
            threshold: Cosine, 0 to 1, that each picture of a group has with another of it, at least.
            where: Filter, as in `search_text`: compare only these pictures.
            on_progress: Called with the number of pictures compared so far.

        Returns:
            Groups, largest first.

        Raises:
            EsclipError: As `search`.
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
        return IndexNotFound(f"index {name!r} {what} in {address}", Hint.INGEST)

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
