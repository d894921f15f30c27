"""Searches in words of what is looked for: each makes a `Query`, and leaves the search to who inherits.

search_text · search_texts · search_image · similar · recommend ─► Query ... ─► search_many
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Unpack, cast

from esclip._core.arguments import AnyId, AnyImage, coerce_ids, coerce_texts
from esclip._core.options import resolve
from esclip._core.other_names import check_names
from esclip._core.settings import DEFAULT_K
from esclip._search.hits import Hits
from esclip._search.options import SearchOptions, TextSearchOptions, Where
from esclip._search.query import AnyQuery, ImageQuery, Keywords, Query, SimilarTo, Text


class SearchMethods(ABC):
    """The searches of an index, by what is looked for."""

    @abstractmethod
    def search_many(self, queries: Iterable[AnyQuery]) -> list[Hits]:
        """Search by several queries at once."""

    @check_names()
    def search_text(
        self,
        text: str,
        k: int = DEFAULT_K,
        where: Where | None = None,
        **options: Unpack[TextSearchOptions],
    ) -> Hits:
        """Find the pictures that show what a text says, and the texts that say the like.

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
            candidates: Number of vectors that are considered: in each shard of a cluster, 10,000 at most; in
                an embedded index in all. Default: None, by the size of the index.
            rank_window_size: Number of hits of each ranking that are fused. Default: 200.
            targets: Where to search: `pictures`, `crops`, `captions`, `texts`. A hit by a crop has its `box`
                and its score. Texts are ranked apart, and fused with pictures by rank: their scores are not
                comparable. Default: pictures, and texts where the index has any.
            explain: Say of each hit what its rank is made of: `Hit.explanation`. Default: False.
            collapse: Fold hits into a better one from this cosine with it on: `Hit.duplicates`. Default:
                None, off.
            min_relevance: Lowest `Hit.relevance`, 0 to 1; for queries of texts alone, which then find no
                text documents. Default: None, off.
            sort: Order by a field: a date, a number or a keyword; "-FIELD" from the highest to the lowest,
                those without a value last. It orders the hits of `min_relevance` or `min_score`, without
                these the best `rank_window_size`. Default: "relevance".

        Returns:
            Hits, best first.

        Raises:
            EsclipError: As `search`.

        Example:
            for hit in index.search_text("a red car in the snow", k=5, hybrid=0.5):
                print(hit.score, hit.location)
        """
        return self._search(_text_query(text, k, where, options))

    @check_names()
    def search_texts(
        self,
        texts: Iterable[str],
        k: int = DEFAULT_K,
        where: Where | None = None,
        **options: Unpack[TextSearchOptions],
    ) -> list[Hits]:
        """Search by several texts at once, each as in `search_text`.

        Args:
            texts: What pictures show.
            k: Number of hits of each text, at most.
            where: Filter, as in `search_text`.
            hybrid: As in `search_text`.
            **options: `offset`, `min_score`, `exact`, `candidates`, `rank_window_size`, `targets`, `explain`,
                `collapse`, `min_relevance`, `sort`: as in `search_text`.

        Returns:
            Hits of each text, in order.

        Raises:
            EsclipError: As `search`.
        """
        texts = coerce_texts("texts", texts, "several texts, such as a list; for one there is search_text")
        return self.search_many([_text_query(text, k, where, options) for text in texts])

    @check_names()
    def search_image(
        self,
        image: AnyImage,
        k: int = DEFAULT_K,
        where: Where | None = None,
        **options: Unpack[SearchOptions],
    ) -> Hits:
        """Find the pictures most like a picture.

        Args:
            image: A path, a URL, an image file's bytes, an open file, a PIL image, or an RGB array of uint8
                with shape (height, width, 3).
            k: Number of hits, at most.
            where: Filter, as in `search_text`.
            **options: `offset`, `min_score`, `exact`, `candidates`, `rank_window_size`, `targets`, `explain`,
                `collapse`, `min_relevance`, `sort`: as in `search_text`.

        Returns:
            Hits, best first.

        Raises:
            EsclipError: As `search`.

        Example:
            index.search_image("photos/red.png", where={"label": "car"})
        """
        return self._search(Query(ImageQuery(image), k=k, where=where, **options))

    @check_names()
    def similar(
        self, id: AnyId, k: int = DEFAULT_K, where: Where | None = None, **options: Unpack[SearchOptions]
    ) -> Hits:
        """Find the pictures most like one of the index, which is left out.

        Args:
            id: Id of a picture of the index, or a hit.
            k: Number of hits, at most.
            where: Filter, as in `search_text`.
            **options: `offset`, `min_score`, `exact`, `candidates`, `rank_window_size`, `targets`, `explain`,
                `collapse`, `min_relevance`, `sort`: as in `search_text`.

        Returns:
            Hits, best first.

        Raises:
            EsclipError: As `search`.
        """
        return self._search(Query(SimilarTo.of(id), k=k, where=where, **options))

    @check_names()
    def recommend(
        self,
        like: AnyId | Iterable[AnyId],
        unlike: AnyId | Iterable[AnyId] = (),
        k: int = DEFAULT_K,
        where: Where | None = None,
        **options: Unpack[SearchOptions],
    ) -> Hits:
        """Find the pictures most like some of the index and least like others, all of which are left out.

        Args:
            like: Id or hit, or several: each weighs 1 / their number.
            unlike: Id or hit, or several: each weighs -0.5 / their number.
            k: Number of hits, at most.
            where: Filter, as in `search_text`.
            **options: `offset`, `min_score`, `exact`, `candidates`, `rank_window_size`, `targets`, `explain`,
                `collapse`, `min_relevance`, `sort`: as in `search_text`.

        Returns:
            Hits, best first.

        Raises:
            EsclipError: As `search`.

        Example:
            hits = index.search_text("something red", k=2)
            index.recommend(like=hits[0], unlike=hits[1])
        """
        positive, negative = coerce_ids("like", like), coerce_ids("unlike", unlike)
        clauses = [
            *(SimilarTo(id, 1 / len(positive)) for id in positive),
            *(SimilarTo(id, -0.5 / len(negative)) for id in negative),
        ]
        return self._search(Query(*clauses, k=k, where=where, **options))

    def _search(self, query: Query) -> Hits:
        (hits,) = self.search_many([query])
        return hits


def _text_query(text: str, k: int, where: Where | None, given: TextSearchOptions) -> Query:
    resolved = resolve(TextSearchOptions, given)
    hybrid = resolved["hybrid"]
    options = cast(SearchOptions, {name: value for name, value in resolved.items() if name != "hybrid"})
    keywords = [Keywords(text, hybrid)] if hybrid else []
    return Query(Text(text), *keywords, k=k, where=where, **options)
