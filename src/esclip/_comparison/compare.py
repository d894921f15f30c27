"""Compares two indexes by their answers to the same queries, without judgements. Reads only.

ids of both ─► in both, only in one ─► pictures drawn ─┐
sentences that both models know, texts given ──────────┴─► searched in each index ─► ComparedQuery ─► rows
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from typing import NamedTuple, TypeAlias, Unpack

import numpy as np

from esclip._audit.sampling import DRAWN, TOLD, hash_of
from esclip._audit.sentences import built_in_sentences
from esclip._audit.text_warnings import texts_not_logged
from esclip._comparison.options import CompareOptions
from esclip._comparison.rank_biased import count_common, rank_biased_overlap
from esclip._comparison.report import ComparedIndex, ComparedQuery, Comparison, ComparisonRow
from esclip._core.arguments import coerce_callback, coerce_texts, wrong_kind
from esclip._core.null_queries import script_of
from esclip._core.options import resolve
from esclip._core.other_names import check_names
from esclip._core.schema import Stats
from esclip._errors import ConfigError
from esclip._errors.counts import pluralize
from esclip._evaluation.statistics import summarize, summarize_shares
from esclip._index import ImageIndex
from esclip._ingest.id_set import IdSet
from esclip._search.query import Query, SimilarTo, Text
from esclip.encoders.catalogue import known_scripts

EXAMPLES = 5
"""Ids that are named of those that only one index has."""
FIRST_TEXT = "a white photo"
"""What is searched before anything is timed: models are loaded and files opened by it."""

_Tell: TypeAlias = Callable[[str, int], None]


class _Asked(NamedTuple):
    """A query to be searched in both indexes."""

    kind: str
    script: str
    text: str
    """The text, or the picture's id."""

    def query(self, k: int) -> Query:
        return Query(SimilarTo(self.text) if self.kind == "picture" else Text(self.text), k=k)


@dataclass(frozen=True, slots=True)
class _Shared:
    """Which pictures two indexes have, by their ids."""

    in_both: int
    drawn: Sequence[str]
    """Ids of some that are in both, at random."""
    only: tuple[int, int]
    """How many are only in one, of both indexes."""
    examples: tuple[tuple[str, ...], tuple[str, ...]]


@check_names()
def compare(
    first: ImageIndex,
    second: ImageIndex,
    texts: Sequence[str] = (),
    *,
    on_progress: Callable[[str, int], None] | None = None,
    **options: Unpack[CompareOptions],
) -> Comparison:
    """Compare two indexes by their answers: of two models, or of one model's vectors kept otherwise.

    Queries are sentences of esclip's own in the scripts that both text encoders know, pictures that both
    indexes have, and `texts`. Each is searched in both indexes, by itself, by the index's own encoder. That
    answers differ doesn't say which are better: `evaluate` compares two indexes by judgements.

    Args:
        first: An open index, not a `Client`.
        second: Another one, of any store.
        texts: Queries of your own. They are in the report, and not logged.
        on_progress: Called with what is done, "ids" or "searches", and how many of them.
        queries: Queries of each kind, at most. Default: 100.
        k: Hits of each search that are compared. Default: 10.
        p: How much later ranks count in rank-biased overlap, above 0 and below 1. Default: 0.9.
        seed: What pictures are drawn by. Default: 0.

    Returns:
        By kind of query the share of hits in both rankings with a 95 % interval, rank-biased overlap,
        milliseconds of a search in each index; pictures that only one has; and each query with both rankings.

    Raises:
        IndexNotFound: An index is not there, or is empty.
        ConfigError: An argument can't be used.
        ValueError: A number is out of its bounds.
        EsclipError: As `ImageIndex.search_many`.

    Example:
        comparison = esclip.compare(index, index, ["a red door"], queries=5)
        assert comparison.rows[0].overlap.mean == 1
        print(comparison.most_different(1), comparison.second.only_here)
    """
    resolved = resolve(CompareOptions, options)
    for index in (first, second):
        if not isinstance(index, ImageIndex):
            raise wrong_kind("an index", index, "an open index; search services can't be compared")
    own = coerce_texts("texts", texts)
    coerce_callback("on_progress", on_progress)
    return _compare((first, second), own, resolved, on_progress or (lambda what, count: None))


def _compare(
    indexes: tuple[ImageIndex, ImageIndex], texts: Sequence[str], options: CompareOptions, tell: _Tell
) -> Comparison:
    began, k, seed = time.monotonic(), options["k"], options["seed"]
    stats = [index.stats() for index in indexes]  # one that isn't there is told before models are loaded
    shared = _find_shared(indexes, options["queries"], seed, tell)
    pictures = [_Asked("picture", "", id) for id in shared.drawn]
    queries = [*_texts(stats, texts, options["queries"]), *pictures]
    compared = tuple(_search(indexes, queries, k, options["p"], tell))
    first, second = (
        ComparedIndex(
            one.index, one.store, one.encoder, one.documents, shared.only[number], shared.examples[number]
        )
        for number, one in enumerate(stats)
    )
    return Comparison(
        first,
        second,
        in_both=shared.in_both,
        k=k,
        p=options["p"],
        seconds=time.monotonic() - began,
        rows=tuple(_rows(compared, seed)),
        queries=compared,
        notes=tuple(_notes(stats, shared)),
    )


def _find_shared(indexes: tuple[ImageIndex, ImageIndex], count: int, seed: int, tell: _Tell) -> _Shared:
    """Compare the ids of the pictures of both indexes, and draw some that are in both."""
    read, in_both = 0, 0
    ids = IdSet(), IdSet()
    only_second: list[str] = []

    def scan(number: int) -> Iterator[str]:
        nonlocal read
        for id, _ in indexes[number].store.scan_locations():
            read += 1
            if read % TOLD == 0:
                tell("ids", read)
            ids[number].add(id)
            yield id

    def common() -> Iterator[tuple[float, str]]:
        nonlocal in_both
        for id in scan(1):
            if id in ids[0]:
                in_both += 1
                yield hash_of(id, seed, DRAWN), id
            elif len(only_second) < EXAMPLES:
                only_second.append(id)

    first = sum(1 for _ in scan(0))
    drawn = [id for _, id in nsmallest(count, common())]
    only = first - in_both, read - first - in_both
    locations = indexes[0].store.scan_locations() if only[0] else iter(())
    only_first = islice((id for id, _ in locations if id not in ids[1]), EXAMPLES)
    return _Shared(in_both, drawn, only, (tuple(only_first), tuple(only_second)))


def _texts(stats: Sequence[Stats], own: Sequence[str], count: int) -> Iterator[_Asked]:
    """The sentences in scripts that both text encoders know, and the caller's texts."""
    known = [scripts for one in stats if (scripts := known_scripts(one.text_encoder)) is not None]
    scripts = frozenset.intersection(*known) if known else None
    for sentence, script in built_in_sentences(scripts, count):
        yield _Asked("text", script, sentence)
    for text in own:
        if not text.strip():
            raise ConfigError("texts: one of them is empty")
        yield _Asked("own", script_of(text), text)


def _search(
    indexes: Sequence[ImageIndex], queries: Sequence[_Asked], k: int, p: float, tell: _Tell
) -> Iterator[ComparedQuery]:
    """Search for each query by itself, as users do, in one index after the other."""
    for index in indexes:
        index.search_many([Query(Text(FIRST_TEXT), k=k)])
    for done, one in enumerate(queries, 1):
        rankings: list[tuple[str, ...]] = []
        milliseconds: list[float] = []
        for index in indexes:
            began = time.perf_counter()
            with texts_not_logged() if one.kind == "text" else nullcontext():
                (hits,) = index.search_many([one.query(k)])
            milliseconds.append(1000 * (time.perf_counter() - began))
            rankings.append(tuple(hit.id for hit in hits))
        common, wanted = count_common(rankings[0], rankings[1])
        yield ComparedQuery(
            one.kind,
            one.script,
            one.text,
            common / wanted if wanted else 1.0,
            rank_biased_overlap(rankings[0], rankings[1], p),
            rankings[0],
            rankings[1],
            milliseconds[0],
            milliseconds[1],
        )
        tell("searches", done * len(indexes))


def _rows(queries: Sequence[ComparedQuery], seed: int) -> Iterator[ComparisonRow]:
    """A row for each kind of query; of texts in several scripts one for each script, too."""
    groups: dict[str, dict[str, list[ComparedQuery]]] = {}
    for query in queries:
        by_script = groups.setdefault(query.kind, {})
        for script in dict.fromkeys(("", query.script)):
            by_script.setdefault(script, []).append(query)
    for kind, by_script in groups.items():
        for script, members in by_script.items():
            if not script or len(by_script) > 2:
                yield _row(kind, script, members, seed)


def _row(kind: str, script: str, queries: Sequence[ComparedQuery], seed: int) -> ComparisonRow:
    counts = np.array([count_common(query.first, query.second) for query in queries], dtype=np.float64)
    (rbo,) = summarize(np.array([[query.rbo] for query in queries]), seed)
    first, second = (
        np.percentile([getattr(query, name) for query in queries], [50, 95]).tolist()
        for name in ("first_ms", "second_ms")
    )
    return ComparisonRow(
        kind,
        script,
        len(queries),
        summarize_shares(counts[:, 0], counts[:, 1], float(counts[:, 1].sum())),
        rbo,
        first[0],
        first[1],
        second[0],
        second[1],
    )


def _notes(stats: Sequence[Stats], shared: _Shared) -> Iterator[str]:
    """What to know of the figures."""
    for one, other, only in zip(stats, stats[::-1], shared.only, strict=True):
        if only:
            yield (
                f"{pluralize(only, 'picture')} of {one.index!r} {'is' if only == 1 else 'are'} not in "
                f"{other.index!r}: as hits, they count as differences"
            )
    if not shared.in_both:
        yield "no picture is in both indexes, by its id: pictures are not searched for"
    yield "that answers differ doesn't say which are better: an evaluation by judgements does"
