"""Queries become searches, and what these find hits: all queries' texts encoded and searched for at once.

Query ─┬─► clauses ─► vectors ─► weighted sum ─► KnnSearch ─────┐
       ├─► keywords ───────────────────────────► KeywordSearch ─┼─► Retriever ─► fused ─► page ─► Hits
       └─► filters alone ──────────────────────► Scan ──────────┘
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from esclip._core.analysis import analyze_query, former_words
from esclip._core.calibration import NullScores
from esclip._core.filters import Condition
from esclip._core.schema import IndexSchema
from esclip._core.searches import KeywordSearch, KnnSearch, Scan, Search
from esclip._core.types import Hit
from esclip._protocols import Encoder
from esclip._search.collapse import collapsing
from esclip._search.filter_parser import conditions
from esclip._search.fusion import Ranking, reciprocal_rank_fusion
from esclip._search.hits import Hits
from esclip._search.no_hits import unfulfilled, why_none
from esclip._search.query import Query, SimilarTo
from esclip._search.query_vectors import QueryVector, embed_queries
from esclip._search.relevance import annotate_relevance, is_match, null_scores_for, score_threshold
from esclip._search.retriever import Retriever, Targets

__all__ = ["find"]


def find(
    queries: Sequence[Query], schema: IndexSchema, encoder: Callable[[], Encoder], looker: Retriever
) -> list[Hits]:
    """The hits of each query. `encoder` is asked for only where there is something to encode.

    Raises `ConfigError` for a filter that doesn't fit, parts that the index lacks or a relevance that nothing
    tells, `DocumentNotFound` for an id that isn't held, `FetchError` or `DecodeError` for a picture that
    can't be had, `EncoderError` for a sum without direction.
    """
    looker.check((query.targets for query in queries), schema)
    wheres = [conditions(query.where, schema.fields) for query in queries]  # before anything is encoded
    backgrounds = [null_scores_for(query, schema, encoder) for query in queries]
    towards = embed_queries([query.directed for query in queries], schema.space.dim, encoder, looker.store)
    plans = [QueryPlan(*one, one[0].depth) for one in zip(queries, towards, wheres, backgrounds, strict=True)]

    def found(depths: Mapping[int, int]) -> list[list[Hit]]:
        return _found(looker, [replace(plans[number], depth=depth) for number, depth in depths.items()])

    told = cache(partial(unfulfilled, looker.store))  # many queries have one filter
    return [
        _page(looker, plan, hits, told)
        for plan, hits in zip(plans, collapsing(queries, found, looker.store), strict=True)
    ]


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """What a query asks of the store."""

    query: Query
    direction: QueryVector | None
    where: tuple[Condition, ...]
    background: NullScores | None
    depth: int

    @property
    def searches(self) -> list[Search]:
        """The query's searches: by vector first, then by its words."""
        query, k = self.query, self.query.rank_window_size if self.query.fused else self.depth
        if not query.parts:
            return [Scan(k, self.where)]
        near = [KnnSearch(self.direction.vector, k, self.where, query.exact)] if self.direction else []
        return [
            *near,
            *(
                KeywordSearch(analyze_query(part.text), k, self.where, former_words(part.text))
                for part in query.words
            ),
        ]

    @property
    def asked(self) -> set[str]:
        """Pictures that the query names, and which are no hits of it."""
        return {part.id for part in self.query.parts if isinstance(part, SimilarTo)}


def _found(looker: Retriever, plans: Sequence[QueryPlan]) -> list[list[Hit]]:
    """All that is found for each plan, the best first, with its score."""
    answers = iter(
        _search(looker, [(search, plan.query.targets) for plan in plans for search in plan.searches])
    )
    found = [_ranked(plan, [next(answers) for _ in plan.searches]) for plan in plans]
    return _scored(looker, plans, found)


def _search(looker: Retriever, searches: Sequence[tuple[Search, Targets]]) -> list[list[Hit]]:
    """The hits of each search; what has no words in it finds nothing."""
    sensible = [one for one in searches if not isinstance(one[0], KeywordSearch) or one[0].words]
    found = iter(looker.search(sensible))
    return [
        [] if isinstance(search, KeywordSearch) and not search.words else next(found)
        for search, _ in searches
    ]


def _ranked(plan: QueryPlan, answers: Sequence[Sequence[Hit]]) -> list[Hit]:
    """All that was found for one query, the best first."""
    kept = [[hit for hit in hits if hit.id not in plan.asked] for hits in answers]
    if len(kept) == 1:
        return kept[0]
    near = Ranking(plan.direction.name, 1.0, kept.pop(0)) if plan.direction else None
    named = zip(plan.query.words, kept, strict=True)
    return reciprocal_rank_fusion(near, [Ranking(str(part), part.weight, hits) for part, hits in named])


def _scored(looker: Retriever, plans: Sequence[QueryPlan], found: Sequence[list[Hit]]) -> list[list[Hit]]:
    """With true cosines where a query has a direction, for those hits that its page may need."""
    needed = [
        hits if plan.query.min_score > -1 or plan.query.collapse else hits[: plan.query.depth]
        for plan, hits in zip(plans, found, strict=True)
    ]
    vectors = [plan.direction.vector if plan.direction else None for plan in plans]
    scored = looker.scored(zip(vectors, (plan.query.targets for plan in plans), needed, strict=True))
    return [[*some, *hits[len(some) :]] for some, hits in zip(scored, found, strict=True)]


def _page(
    looker: Retriever,
    plan: QueryPlan,
    hits: Sequence[Hit],
    unfulfilled: Callable[[tuple[Condition, ...]], str | None],
) -> Hits:
    """The hits that were asked for, ranked among all that there are; or why there are none."""
    query, least = plan.query, score_threshold(plan.query, plan.background)
    good = [hit for hit in hits if least == -1 or hit.score >= least]
    ranks = range(query.offset + 1, query.offset + query.k + 1)
    page = good[query.offset : query.offset + query.k]
    numbered = [replace(hit, rank=rank) for rank, hit in zip(ranks, page, strict=False)]
    explained = _explained(looker, plan, annotate_relevance(numbered, plan.background))
    note = None
    if not page:
        note = (None if hits else unfulfilled(plan.where)) or why_none(query, hits, good, plan.background)
    return Hits(explained, is_match(hits, plan.background), note)


def _explained(looker: Retriever, plan: QueryPlan, hits: Sequence[Hit]) -> list[Hit]:
    """With `why` where the query asks for it, without where it doesn't."""
    if not plan.query.explain:
        return [replace(hit, explanation=()) for hit in hits]
    direction = plan.direction
    if direction is None or (plan.query.fused and len(direction.parts) == 1):
        return list(hits)
    held = looker.vectors(hits, plan.query.targets)
    return [
        replace(
            hit, explanation=(*hit.explanation[:1], *direction.explain(held[hit.id]), *hit.explanation[1:])
        )
        for hit in hits
        if hit.id in held  # else it was removed just now
    ]
