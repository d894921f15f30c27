"""The searcher: queries in, hits out, step by step.

parse ─► embed ─┬─► retrieve ─► fuse ─► rescore ─► collapse ─┬─► paginate ─► explain
                │      └──── deeper, where too few are left ─┘ │
                └─► the same among texts, where there are any ─┘ fused by rank
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice
from time import monotonic

from esclip._concurrency.streams import batches, owned, prefetch
from esclip._core.analysis import analyze_query, former_words
from esclip._core.calibration import NullScores
from esclip._core.filters import Condition
from esclip._core.ordering import order_hits, rank
from esclip._core.schema import IndexSchema
from esclip._core.searches import KeywordSearch, KnnSearch, Order, Scan, Search
from esclip._core.targets import PICTURES, TEXTS
from esclip._core.types import TEXT, Hit, Vector, number_hits
from esclip._errors import ConfigError, FieldNotFound
from esclip._protocols import Encoder, Store
from esclip._search.collapse import collapse
from esclip._search.filter_parser import parse_filter
from esclip._search.fusion import Ranking, fuse_kinds, reciprocal_rank_fusion
from esclip._search.hits import Hits
from esclip._search.no_hits import explain_empty_page, explain_filter
from esclip._search.order import parse_order
from esclip._search.query import Query, Text
from esclip._search.query_vectors import QueryVector, embed_queries
from esclip._search.relevance import annotate_relevance, is_match, null_scores_for, score_threshold
from esclip._search.retriever import Retriever
from esclip.stores.paged_reads import iter_documents
from esclip.stores.with_texts import as_text_hit

log = logging.getLogger("esclip")

TEXTS_OF_A_PART = 64
"""Texts that are encoded at once while a store searches for those before."""

WORTH_A_PART_S = 0.1
"""Seconds that a part takes at least, or it is not worth a request of its own."""

MAX_ORDERED = 10_000
"""The most hits above a threshold that are ordered by a field: those with the best scores."""


@dataclass(frozen=True, slots=True)
class Searcher:
    """Searches one index."""

    retriever: Retriever
    """From pictures and their parts."""
    texts: Callable[[], Retriever]
    """From text documents, opened on first use."""
    documents: Store
    """All documents, of both kinds, to read and to list."""
    schema: IndexSchema
    encoder: Callable[[], Encoder]
    """Called only where there is something to encode, or a relevance to compute."""

    def search_many(self, queries: Sequence[Query]) -> list[Hits]:
        """The hits of each query.

        Raises `ConfigError` for a filter that doesn't fit, targets that the index lacks or a relevance that
        is not known, `DocumentNotFound` for an id that the index lacks, `FetchError` or `DecodeError` for an
        image that can't be read, `EncoderError` for a sum of vectors without direction.
        """
        began, encoding = monotonic(), 0.0
        found: dict[int, tuple[QueryPlan, list[Hit]]] = {}
        with owned(self._embed_by_parts(self._parse(queries))) as parts:
            for part in parts:
                plans, encoding = list(part.plans.values()), encoding + part.seconds
                candidates = self._rank_all_that_fit(plans)  # retrieve, fuse, rescore
                candidates = self._collapse(plans, candidates)
                candidates = self._add_texts(plans, candidates)
                found |= zip(part.plans, zip(plans, candidates, strict=True), strict=True)
        took = {"encode": encoding, "store": monotonic() - began - encoding}
        log.debug("query vectors took %.0f ms, the search %.0f ms", *(1000 * took[name] for name in took))
        diagnose = cache(partial(explain_filter, self.documents))  # many queries share their filter
        return [
            self._page(*found[number], diagnose, took)  # paginate, explain
            for number in range(len(found))
        ]

    def _parse(self, queries: Sequence[Query]) -> list[QueryPlan]:
        self.retriever.require_targets((query.targets for query in queries), self.schema)
        if not self.schema.texts and any(query.wants_texts(False) for query in queries):
            raise ConfigError(f"index {self.retriever.store.index!r} has no texts to look in; add some")
        plans = []
        for number, query in enumerate(queries):
            try:
                filters = parse_filter(query.options["where"], self.schema.fields)
                order = parse_order(query.options["sort"], self.schema.fields)
            except FieldNotFound as error:
                error.query = number
                raise
            plans.append(QueryPlan(query, filters, depth=_depth(query), order=order))
        return plans

    def _embed_by_parts(self, plans: Sequence[QueryPlan]) -> Iterator[EmbeddedPart]:
        """The plans with their vectors; of many texts by parts, of which the next is encoded ahead.

        Texts of like lengths are encoded together, as all of a part are padded to its longest. Where the
        first part takes no time, as texts do that were asked for before, all others are one part.
        """

        def embed(numbers: Sequence[int]) -> EmbeddedPart:
            began = monotonic()
            embedded = self._embed([plans[number] for number in numbers])
            return EmbeddedPart(dict(zip(numbers, embedded, strict=True)), monotonic() - began)

        clauses = [clause for plan in plans for clause in plan.query.vector_clauses]
        is_long = len(plans) > TEXTS_OF_A_PART and all(isinstance(clause, Text) for clause in clauses)
        if not (is_long and self.retriever.store.searches_remotely):
            return iter([embed(range(len(plans)))])
        by_length = sorted(range(len(plans)), key=lambda number: len(str(plans[number].query)))
        scope = copy_context()  # that of this thread, for another one

        def embed_ahead() -> Iterator[EmbeddedPart]:
            first = scope.run(embed, by_length[:TEXTS_OF_A_PART])
            yield first
            others = by_length[TEXTS_OF_A_PART:]
            size = TEXTS_OF_A_PART if first.seconds > WORTH_A_PART_S else len(others)
            yield from (scope.run(embed, part) for part in batches(others, size))

        return prefetch(embed_ahead(), 1)

    def _embed(self, plans: Sequence[QueryPlan]) -> list[QueryPlan]:
        """The plans with the vectors of their clauses and the null scores of their language."""
        null_scores = [null_scores_for(plan.query, self.schema, self.encoder) for plan in plans]
        clauses = [plan.query.vector_clauses for plan in plans]
        vectors = embed_queries(clauses, self.schema.space.dim, self.encoder, self.documents)
        return [
            replace(plan, vector=vector, null_scores=scores)
            for plan, vector, scores in zip(plans, vectors, null_scores, strict=True)
        ]

    def _rank_all_that_fit(self, plans: Sequence[QueryPlan]) -> list[list[Hit]]:
        """The candidates of each plan; of one that orders hits above a threshold, all above it."""
        results = dict(enumerate(self._rank(plans)))
        pending = dict(enumerate(plans))
        while pending:
            pending = {
                number: replace(plan, depth=min(4 * plan.depth, plan.max_ordered))
                for number, plan in pending.items()
                if plan.may_fit_more(results[number])
            }
            results |= zip(pending, self._rank(list(pending.values())) if pending else (), strict=True)
        return list(results.values())

    def _rank(self, plans: Sequence[QueryPlan]) -> list[list[Hit]]:
        """All candidates of each plan, best first: retrieved, fused, rescored."""
        retrieved = self._retrieve(plans)
        fused = [
            fuse(plan, rankings) if rankings else [] for plan, rankings in zip(plans, retrieved, strict=True)
        ]
        return self._rescore(plans, fused)

    def _retrieve(self, plans: Sequence[QueryPlan]) -> list[list[list[Hit]]]:
        """The hits of each store search of each plan; all are sent at once. None for texts alone."""
        targets = [plan.query.targets for plan in plans]
        searches = [(t, plan.store_searches() if t else []) for t, plan in zip(targets, plans, strict=True)]
        requests = [(search, targets) for targets, group in searches for search in group]
        rankings = iter(self.retriever.retrieve(requests))
        return [list(islice(rankings, len(group))) for _, group in searches]

    def _rescore(self, plans: Sequence[QueryPlan], fused: Sequence[list[Hit]]) -> list[list[Hit]]:
        """With cosines also for hits by keyword or caption, as far as a page may need them."""
        needed = [
            hits
            if plan.query.options["min_score"] > -1 or plan.query.options["collapse"] or plan.query.is_ordered
            else hits[: plan.query.depth]
            for plan, hits in zip(plans, fused, strict=True)
        ]
        rescored = self.retriever.rescore(
            [
                (plan.vector.vector if plan.vector else None, plan.query.targets, hits)
                for plan, hits in zip(plans, needed, strict=True)
            ]
        )
        return [[*first, *hits[len(first) :]] for first, hits in zip(rescored, fused, strict=True)]

    def _collapse(self, plans: Sequence[QueryPlan], candidates: Sequence[list[Hit]]) -> list[list[Hit]]:
        """With near-duplicates folded where a query asks for it; searches deeper while too few are left."""
        results = dict(enumerate(candidates))
        vectors: dict[str, Vector] = {}
        pending = {number: plan for number, plan in enumerate(plans) if plan.query.options["collapse"]}
        while pending:
            unread = {hit.id for number in pending for hit in results[number]} - vectors.keys()
            documents = iter_documents(self.retriever.store, sorted(unread))
            vectors |= {document.record.id: document.vector for document in documents}
            deeper = {}
            for number, plan in pending.items():
                hits, min_cosine = results[number], plan.query.options["collapse"]
                assert min_cosine is not None
                results[number] = collapse(hits, vectors, min_cosine)
                if plan.needs_more(hits, results[number]):
                    deeper[number] = replace(plan, depth=2 * plan.depth)
            results |= zip(deeper, self._rank(list(deeper.values())), strict=True)
            pending = deeper
        return list(results.values())

    def _add_texts(self, plans: Sequence[QueryPlan], pictures: Sequence[list[Hit]]) -> list[list[Hit]]:
        """With the texts that fit, ranked apart and fused by rank; a listing is by id."""
        wanted = [n for n, plan in enumerate(plans) if plan.query.wants_texts(self.schema.texts)]
        results = list(pictures)
        if not wanted:
            return results
        of_texts = [replace(plans[n], query=plans[n].query.for_texts()) for n in wanted]
        rankings = replace(self, retriever=self.texts())._rank_all_that_fit(of_texts)
        for number, hits in zip(wanted, rankings, strict=True):
            texts = list(map(as_text_hit, hits))
            if not plans[number].query.clauses:
                results[number] = rank([*pictures[number], *texts], plans[number].order)
            elif not plans[number].query.targets:
                results[number] = texts
            else:
                kinds = (Ranking(PICTURES, 1.0, pictures[number]), Ranking(TEXTS, 1.0, texts))
                results[number] = fuse_kinds(*kinds)
        return results

    def _page(
        self,
        plan: QueryPlan,
        candidates: Sequence[Hit],
        diagnose: Callable[[tuple[Condition, ...]], str | None],
        took: Mapping[str, float],
    ) -> Hits:
        """The query's page, explained; or without hits, and with a note why."""
        query, options = plan.query, plan.query.options
        threshold = plan.threshold
        accepted = [hit for hit in candidates if threshold == -1 or hit.score >= threshold]
        if plan.order and query.clauses:
            accepted = order_hits(accepted[: plan.max_ordered], plan.order)
        page = annotate_relevance(paginate(accepted, options["offset"], options["k"]), plan.null_scores)
        note = None
        if not page:
            note = None if candidates else diagnose(plan.filters)
            note = note or explain_empty_page(query, candidates, accepted, plan.null_scores)
        return Hits(self._explain(plan, page), is_match(candidates, plan.null_scores), note, took)

    def _explain(self, plan: QueryPlan, page: Sequence[Hit]) -> list[Hit]:
        """With an explanation where the query asks for one, else without."""
        if not plan.query.options["explain"]:
            return [replace(hit, explanation=()) if hit.explanation else hit for hit in page]
        if plan.vector is None or (plan.query.is_fused and len(plan.vector.clauses) == 1):
            return list(page)
        texts = [hit for hit in page if hit.kind == TEXT]
        vectors = self.retriever.vectors_of([hit for hit in page if hit.kind != TEXT], plan.query.targets)
        vectors |= self.texts().vectors_of(texts, (PICTURES,)) if texts else {}
        return [
            replace(
                hit,
                explanation=(
                    *hit.explanation[:1],
                    *plan.vector.explain(vectors[hit.id]),
                    *hit.explanation[1:],
                ),
            )
            for hit in page
            if hit.id in vectors  # else it was deleted meanwhile
        ]


@dataclass(frozen=True, slots=True)
class EmbeddedPart:
    """Some plans of many, with their vectors."""

    plans: Mapping[int, QueryPlan]
    """By their numbers among all."""
    seconds: float
    """What their vectors took."""


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A query that is ready for the store."""

    query: Query
    filters: tuple[Condition, ...]
    depth: int
    """How many hits are retrieved; of rankings that are fused, each has its window instead."""
    vector: QueryVector | None = None
    """Of its clauses; None where none has a vector."""
    null_scores: NullScores | None = None
    """What its scores are compared with; None where that is not known."""
    order: Order | None = None
    """The order by a field; None: by score."""

    @property
    def threshold(self) -> float:
        """The lowest score of a hit; -1: any."""
        return score_threshold(self.query, self.null_scores)

    @property
    def max_ordered(self) -> int:
        """How many hits are ordered by a field, at most."""
        window = self.query.options["rank_window_size"]
        return window if self.threshold == -1 else max(window, MAX_ORDERED)

    def store_searches(self) -> list[Search]:
        """One by vector, then one for each `Keywords`; a scan where there is neither."""
        query, options = self.query, self.query.options
        k = options["rank_window_size"] if query.is_fused else self.depth
        if not query.clauses:
            return [Scan(k, self.filters, order=self.order)]
        knn = [self._nearest(self.vector, k)] if self.vector else []
        texts = [keywords.text for keywords in query.keywords]
        by_keyword = [KeywordSearch(analyze_query(t), k, self.filters, former_words(t)) for t in texts]
        return [*knn, *by_keyword]

    def _nearest(self, vector: QueryVector, k: int) -> KnnSearch:
        options = self.query.options
        return KnnSearch(vector.vector, k, self.filters, options["exact"], candidates=options["candidates"])

    def needs_more(self, hits: Sequence[Hit], collapsed: Sequence[Hit]) -> bool:
        """Whether a deeper search may fill the page. Fused rankings go no deeper than their window.

        Of hits that are ordered by a field, the page may begin with any.
        """
        query = self.query
        if (
            query.is_fused
            or query.is_ordered
            or len(collapsed) >= query.options["offset"] + query.options["k"]
        ):
            return False
        exhausted = len(hits) + len(query.excluded_ids) < self.depth
        return not exhausted and hits[-1].score >= query.options["min_score"]

    def may_fit_more(self, hits: Sequence[Hit]) -> bool:
        """Whether a deeper search may find more hits above the threshold, all of which are to be ordered."""
        if not self.query.is_ordered or self.query.is_fused or self.threshold == -1:
            return False
        exhausted = len(hits) + len(self.query.excluded_ids) < self.depth or self.depth >= self.max_ordered
        return not exhausted and hits[-1].score >= self.threshold


def _depth(query: Query) -> int:
    """How many hits are retrieved at first."""
    if query.is_ordered:
        return max(query.depth, query.options["rank_window_size"] + len(query.excluded_ids))
    return query.depth * (2 if query.options["collapse"] else 1)


def fuse(plan: QueryPlan, rankings: Sequence[Sequence[Hit]]) -> list[Hit]:
    """The rankings of a plan's store searches as one, without the excluded ids."""
    excluded = plan.query.excluded_ids
    kept = [[hit for hit in hits if hit.id not in excluded] for hits in rankings]
    if len(kept) == 1:
        return kept[0]
    by_vector = Ranking(plan.vector.name, 1.0, kept.pop(0)) if plan.vector else None
    by_keyword = [Ranking(str(k), k.weight, hits) for k, hits in zip(plan.query.keywords, kept, strict=True)]
    return reciprocal_rank_fusion(by_vector, by_keyword)


def paginate(hits: Sequence[Hit], offset: int, k: int) -> list[Hit]:
    """The hits from `offset` on, `k` at most, with their ranks among all."""
    return number_hits(hits[offset : offset + k], offset + 1)
