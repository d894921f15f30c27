"""Evaluates searches by judgements, those of one system or of two on the same queries.

judgements ─► those with an indexed document, if asked for ─► drawn ─┬─► first system ─► metrics by query
                                                                     └─► second system ─► the same, paired
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack, cast

import numpy as np

from esclip._concurrency.streams import batches
from esclip._core.arguments import coerce_callback, coerce_text, wrong_kind
from esclip._core.options import resolve
from esclip._core.other_names import check_names
from esclip._errors import ConfigError
from esclip._errors.counts import pluralize
from esclip._evaluation.evaluation import ALL, EvaluatedSystem, Evaluation
from esclip._evaluation.judgements import JudgedQuery, Judgements
from esclip._evaluation.metrics import DEPTH, METRICS, score_ranking
from esclip._evaluation.options import FIXED, EvaluateOptions
from esclip._evaluation.searchable import Searchable, read_documents
from esclip._evaluation.statistics import Values, compare_systems, summarize
from esclip._search.options import TextQueryOptions
from esclip._search.query import Keywords, Query, Text

SEARCHED_AT_ONCE = 64
"""Queries of one call: their hits, a hundred each, are in memory together."""

JUDGED = (
    "what nobody judged counts as wrong: a system with a lower judged@10 is rated lower than it is, and one "
    "that the judgements were collected with is rated higher"
)

log = logging.getLogger("esclip")


@dataclass(frozen=True, slots=True)
class _System:
    name: str
    index: Searchable
    options: TextQueryOptions

    def query(self, text: str) -> Query:
        options: dict[str, Any] = {**self.options, "k": DEPTH}
        hybrid = options.pop("hybrid")
        words = [Keywords(text, hybrid)] if hybrid else []
        return Query(Text(text), *words, **options)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a system found: its metrics, a row a query."""

    values: Values
    seconds: float


@check_names()
def evaluate(
    index: Searchable,
    judgements: Judgements,
    *,
    search: Mapping[str, Any] | None = None,
    against: Searchable | None = None,
    against_search: Mapping[str, Any] | None = None,
    names: Sequence[str] = (),
    on_progress: Callable[[int], None] | None = None,
    **options: Unpack[EvaluateOptions],
) -> Evaluation:
    """Rate an index's searches by judgements of what is relevant; two indexes or searches by the same.

    Each query is searched for its first hundred hits. Figures are means over queries, with an interval by the
    bootstrap; the difference of two systems has that of a paired randomisation test. They are the same
    whenever index, judgements and seed are.

    Args:
        index: An open index, or a `Client`.
        judgements: Which documents are relevant to which queries.
        search: Options of the searches, as those of `ImageIndex.search_text`; not `k`, `offset` or `explain`.
        against: A second index to compare with, such as one of another model.
        against_search: Options of the second system's searches. Default: `search`. Without `against`, the
            same index is searched with them.
        names: What reports call the systems. Default: "first", "second".
        on_progress: Called with the number of queries searched so far, those of both systems counted.
        queries: Number of queries, at most, drawn from those with judgements; 0: all. Default: 1000.
        seed: What they are drawn and the intervals are computed by. Default: 0.
        indexed_only: Leave out judgements of documents that no index compared holds, and queries to which no
            other is relevant. Default: False, they count as not found.

    Returns:
        The figures of one system or two, their difference, what was left out, and what to know about it.

    Raises:
        ConfigError: There are no queries with judgements, none of their relevant documents is in an index, or
            an argument can't be used.
        ValueError: A number is out of its bounds.
        EsclipError: As `ImageIndex.search_many`.

    Example:
        judgements = esclip.Judgements.from_index(index, "label")
        evaluation = esclip.evaluate(index, judgements, against_search={"hybrid": 1.0})
        print(evaluation["ndcg@10"].mean, evaluation.differences[""]["ndcg@10"].p)
    """
    resolved = resolve(EvaluateOptions, options)
    if not isinstance(judgements, Judgements):
        raise wrong_kind("judgements", judgements, "Judgements")
    coerce_callback("on_progress", on_progress)
    systems = _systems(index, search, against, against_search, names)
    chosen = _choose(judgements, systems, resolved)
    indexed_ids = {id(index): _held(index, _all_ids(chosen.queries)) for index in _indexes(systems)}
    _check_relevant(judgements.source, chosen.queries, set().union(*indexed_ids.values()))
    count = _counter(on_progress)
    answers = [_search(system, chosen.queries, count) for system in systems]
    return _report(judgements, chosen, systems, answers, indexed_ids, resolved["seed"])


def _systems(
    index: Searchable,
    search: Mapping[str, Any] | None,
    against: Searchable | None,
    against_search: Mapping[str, Any] | None,
    names: Sequence[str],
) -> list[_System]:
    first = _search_options("search", search)
    called = [coerce_text("a system's name", name) for name in names] or ["first", "second"]
    is_compared = against is not None or against_search is not None
    if len(called) < 1 + is_compared:
        raise ConfigError(f"names has {pluralize(len(called), 'name')} for two systems")
    systems = [_System(called[0], _searchable("the index", index), first)]
    if is_compared:
        second = first if against_search is None else _search_options("against_search", against_search)
        other = index if against is None else _searchable("against", against)
        systems.append(_System(called[1], other, second))
    return systems


def _searchable(what: str, index: object) -> Searchable:
    if not all(hasattr(index, name) for name in ("search_many", "get", "ids")):
        raise wrong_kind(what, index, "an open index, or a Client")
    return cast(Searchable, index)


def _search_options(what: str, given: Mapping[str, Any] | None) -> TextQueryOptions:
    if given is not None and not isinstance(given, Mapping):
        raise wrong_kind(what, given, "options of a search by name, as a dictionary")
    given = given or {}
    for name in FIXED:
        if name in given:
            raise ConfigError(f"{what}: an evaluation sets {name} itself; leave it out")
    try:
        return resolve(TextQueryOptions, given)
    except TypeError as error:
        raise ConfigError(f"{what}: {error}") from error


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The queries to search, and how many others there are."""

    queries: Sequence[JudgedQuery]
    left_out: int
    unjudged: int
    unindexed: int


def _choose(judgements: Judgements, systems: Sequence[_System], options: EvaluateOptions) -> _Chosen:
    judged = [query for query in judgements if query.gains]
    usable = _keep_indexed(judged, systems) if options["indexed_only"] else judged
    if not usable:
        raise ConfigError(
            f"judgements by {judgements.source}: "
            + ("no index holds a relevant document" if judged else "there is no query with a judgement")
        )
    limit = options["queries"] or len(usable)
    drawn = judgements.replace(usable).sample(limit, options["seed"])
    return _Chosen(
        list(drawn), len(usable) - len(drawn), len(judgements) - len(judged), len(judged) - len(usable)
    )


def _keep_indexed(queries: Sequence[JudgedQuery], systems: Sequence[_System]) -> list[JudgedQuery]:
    """The queries with the gains of documents that one of the indexes holds, where one of them is above 0."""
    ids = {id for query in queries for id in query.gains}
    indexed: set[str] = set()
    for index in _indexes(systems):
        indexed |= _held(index, ids)
    kept = (
        JudgedQuery(
            query.text, {id: gain for id, gain in query.gains.items() if id in indexed}, query.language
        )
        for query in queries
    )
    return [query for query in kept if any(gain > 0 for gain in query.gains.values())]


def _check_relevant(source: str, queries: Sequence[JudgedQuery], indexed: set[str]) -> None:
    """Raise `ConfigError` where no search could find anything, and all figures would be 0."""
    relevant = set().union(*map(_relevant, queries))
    if relevant and not relevant & indexed:
        raise ConfigError(
            f"judgements by {source}: no index holds a document that is relevant to "
            f"{pluralize(len(queries), 'query')}; judge documents by the ids that the index has for them"
        )


def _indexes(systems: Sequence[_System]) -> list[Searchable]:
    """Each index once."""
    return list({id(system.index): system.index for system in systems}.values())


def _held(index: Searchable, ids: Iterable[str]) -> set[str]:
    return {document.record.id for document in read_documents(index, sorted(ids))}


def _counter(on_progress: Callable[[int], None] | None) -> Callable[[int], None]:
    """What takes a number of queries that have been searched, and tells their sum."""
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        if on_progress:
            on_progress(done)

    return count


def _search(system: _System, queries: Sequence[JudgedQuery], count: Callable[[int], None]) -> _Answers:
    values = np.empty((len(queries), len(METRICS)))
    began, row = time.monotonic(), 0
    for batch in batches(queries, SEARCHED_AT_ONCE):
        results = system.index.search_many([system.query(query.text) for query in batch])
        for query, hits in zip(batch, results, strict=True):
            values[row] = score_ranking((hit.id for hit in hits), query.gains)
            row += 1
        count(len(batch))
    return _Answers(values, time.monotonic() - began)


def _report(
    judgements: Judgements,
    chosen: _Chosen,
    systems: Sequence[_System],
    answers: Sequence[_Answers],
    indexed_ids: Mapping[int, set[str]],
    seed: int,
) -> Evaluation:
    groups = _rows_by_language(chosen.queries)
    differences = {
        language: compare_systems(answers[0].values[rows], answers[1].values[rows], seed)
        for language, rows in groups.items()
        if len(answers) > 1
    }
    return Evaluation(
        source=judgements.source,
        queries={language: len(rows) for language, rows in groups.items()},
        left_out=chosen.left_out,
        unjudged=chosen.unjudged,
        without_relevant=sum(not _relevant(query) for query in chosen.queries),
        unindexed=chosen.unindexed,
        seed=seed,
        systems=tuple(
            _rate(system.name, answer, chosen.queries, indexed_ids[id(system.index)], groups, seed)
            for system, answer in zip(systems, answers, strict=True)
        ),
        differences={
            language: dict(zip(METRICS, values, strict=True)) for language, values in differences.items()
        },
        caveats=(*judgements.caveats, JUDGED),
    )


def _rate(
    name: str,
    answers: _Answers,
    queries: Sequence[JudgedQuery],
    indexed_ids: set[str],
    groups: Mapping[str, list[int]],
    seed: int,
) -> EvaluatedSystem:
    """A system's figures; `indexed_ids` are those of judged documents that its index has."""
    relevant = map(_relevant, queries)
    return EvaluatedSystem(
        name,
        missing=len(_all_ids(queries) - indexed_ids),
        unanswerable=sum(bool(ids) and not ids & indexed_ids for ids in relevant),
        seconds=answers.seconds,
        figures={
            language: dict(zip(METRICS, summarize(answers.values[rows], seed), strict=True))
            for language, rows in groups.items()
        },
    )


def _relevant(query: JudgedQuery) -> set[str]:
    return {id for id, gain in query.gains.items() if gain > 0}


def _all_ids(queries: Iterable[JudgedQuery]) -> set[str]:
    return {id for query in queries for id in query.gains}


def _rows_by_language(queries: Sequence[JudgedQuery]) -> dict[str, list[int]]:
    """The numbers of all queries, then of those of each language, by name."""
    rows: dict[str, list[int]] = {ALL: list(range(len(queries)))}
    for language in sorted({query.language for query in queries} - {""}):
        rows[language] = [number for number, query in enumerate(queries) if query.language == language]
    return rows
