"""Audits an index: its searches against exact ones, without judgements. Reads only.

texts, stored pictures ─► vectors ─► filters × k ─► each searched by itself ─► hits, milliseconds ─┐
documents, all or drawn by ids ─► ExactSide ───────────────────────────────────────────────────────┴─► Audit
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, Unpack

import numpy as np

from esclip._audit.exact import ExactSide
from esclip._audit.filters import MAX_IDS, SHARES, Filter, choose_filters
from esclip._audit.options import WHOLE, AuditOptions
from esclip._audit.recall import count_found
from esclip._audit.report import Audit, AuditRow, lowest
from esclip._audit.sampling import draw
from esclip._audit.sentences import built_in_sentences
from esclip._audit.text_warnings import texts_not_logged
from esclip._core.arguments import coerce_callback, coerce_texts, wrong_kind
from esclip._core.index_settings import BIT, FLOAT, INT8
from esclip._core.null_queries import script_of
from esclip._core.options import resolve
from esclip._core.other_names import check_names
from esclip._core.schema import IndexInfo
from esclip._core.searches import KnnSearch
from esclip._core.types import Hit, Vectors
from esclip._errors import ConfigError, IndexNotFound
from esclip._evaluation.statistics import summarize_shares
from esclip._index import ImageIndex
from esclip._protocols import Encoder, Store
from esclip.encoders.catalogue import known_scripts
from esclip.stores.paged_reads import iter_documents

DEPTHS = (10, 100)
"""The k of searches."""
GOOD = 0.95
"""A recall from which on there is nothing to advise."""

_Tell: TypeAlias = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class _Queries:
    """Queries, a row each."""

    kinds: Sequence[str]
    scripts: Sequence[str]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class _Searched:
    """The searches of all queries with one filter and one k."""

    filter: int
    k: int
    hits: Sequence[Sequence[Hit]]
    milliseconds: Sequence[float]


@check_names()
def audit(
    index: ImageIndex,
    texts: Sequence[str] = (),
    *,
    on_progress: Callable[[str, int], None] | None = None,
    **options: Unpack[AuditOptions],
) -> Audit:
    """Compare an index's searches with exact ones: how much of the nearest they find. Writes nothing.

    Queries are sentences of esclip's own in the scripts that the text encoder knows, pictures of the index,
    and `texts`. Each is searched for 10 and 100 hits, without a filter and with filters that leave about a
    half, a tenth and a hundredth of the pictures. The exact side reads the vectors once without a filter and
    once by each: of all pictures, or of a sample drawn by a hash of the ids, with which recall is estimated.

    Args:
        index: An open index, not a `Client`.
        texts: Queries of your own. They are neither kept nor logged.
        on_progress: Called with what is done, "searches" or "pictures", and how many of them.
        queries: Queries of each kind, at most. Default: 100.
        sample: Pictures that the hits are compared with, about; 0: all. Default: all up to 200,000, else
            200,000.
        seed: What pictures are drawn by. Default: 0.
        candidates: As in `ImageIndex.search_text`, of all searches that are compared. Default: by the size of
            the index.

    Returns:
        Recall with 95 % intervals by kind of query, k and filter, short results, the largest error of a
        score, milliseconds of a search, and what to do where recall is low.

    Raises:
        IndexNotFound: The index is not there, or has no pictures.
        ConfigError: An argument can't be used.
        ValueError: A number is out of its bounds.
        EsclipError: As `ImageIndex.search_many`.

    Example:
        audit = esclip.audit(index, ["a red door"], queries=20)
        print(audit.lowest, audit.rows[0].recall.mean, audit.notes)
    """
    resolved = resolve(AuditOptions, options)
    if not isinstance(index, ImageIndex):
        raise wrong_kind("the index", index, "an open index; a search service can't be audited from outside")
    own = coerce_texts("texts", texts)
    coerce_callback("on_progress", on_progress)
    return _audit(index, own, resolved, on_progress or (lambda what, count: None))


def _audit(index: ImageIndex, texts: Sequence[str], options: AuditOptions, tell: _Tell) -> Audit:
    began, store, seed = time.monotonic(), index.store, options["seed"]
    info = store.info()
    if info is None or info.documents == 0:
        index.stats()  # raises for an index that isn't there
        raise IndexNotFound(f"index {store.index!r} in {store.address} has no pictures to audit")
    share = _share(options["sample"], info.documents)
    drawn = draw(store, max(MAX_IDS, options["queries"]), share, seed, lambda read: tell("ids", read))
    if not drawn.ids:
        raise IndexNotFound(f"index {store.index!r} in {store.address} has no pictures to audit")
    queries = _read_queries(store, index.load_encoder(), texts, drawn.ids, options["queries"])
    filters = choose_filters(store, info.schema, drawn.ids, drawn.documents)
    searched = list(
        _search(store, queries, filters, options["candidates"], lambda done: tell("searches", done))
    )
    exact = ExactSide(queries.vectors, filters, max(DEPTHS))
    exact.read(store, drawn, lambda read: tell("pictures", read))
    rows = tuple(_rows(queries, filters, searched, exact, share))
    return Audit(
        index=store.index,
        engine=info.engine,
        documents=drawn.documents,
        compared=exact.documents,
        share=share,
        score_error=_score_error(searched, exact),
        seconds=time.monotonic() - began,
        rows=rows,
        notes=tuple(_notes(rows, filters, info, share)),
    )


def _share(sample: int | None, documents: int) -> float:
    """Which part of the documents hits are compared with."""
    wanted = WHOLE if sample is None else sample or documents
    return min(1.0, wanted / documents)


def _read_queries(
    store: Store, encoder: Encoder, own: Sequence[str], drawn: Sequence[str], count: int
) -> _Queries:
    """The vectors of all queries, without those that have no direction."""
    sentences = built_in_sentences(known_scripts(encoder.space.text_model), count)
    pictures = [document.vector for document in iter_documents(store, drawn[:count])]
    texts = [sentence for sentence, _ in sentences] + [*own]
    with texts_not_logged():
        encoded = encoder.encode_texts(texts) if texts else np.empty((0, encoder.space.dim), np.float32)
    kinds = ["text"] * len(sentences) + ["own"] * len(own) + ["picture"] * len(pictures)
    scripts = [script for _, script in sentences] + [script_of(text) for text in own] + [""] * len(pictures)
    vectors = np.vstack([encoded, *(vector[None] for vector in pictures)]).astype(np.float32)
    kept = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    if not len(kept):
        raise ConfigError("none of the queries has a vector with a direction")
    return _Queries([kinds[n] for n in kept], [scripts[n] for n in kept], vectors[kept])


def _search(
    store: Store,
    queries: _Queries,
    filters: Sequence[Filter],
    candidates: int | None,
    tell: Callable[[int], None],
) -> Iterator[_Searched]:
    """Search for each query by itself, as users do; the first one, which opens files, is not timed."""
    done = 0
    for number, one in enumerate(filters):
        store.search(KnnSearch(queries.vectors[0], max(DEPTHS), one.where, candidates=candidates))
        for k in DEPTHS:
            hits, milliseconds = [], []
            for vector in queries.vectors:
                began = time.perf_counter()
                hits += store.search(KnnSearch(vector, k, one.where, candidates=candidates))
                milliseconds.append(1000 * (time.perf_counter() - began))
                done += 1
                tell(done)
            yield _Searched(number, k, hits, milliseconds)


def _rows(
    queries: _Queries,
    filters: Sequence[Filter],
    searched: Sequence[_Searched],
    exact: ExactSide,
    share: float,
) -> Iterator[AuditRow]:
    """A row for each kind of query, k and filter; without a filter also for each script of texts."""
    for one in searched:
        by_kind: dict[tuple[str, str], list[int]] = {}
        for number, (kind, script) in enumerate(zip(queries.kinds, queries.scripts, strict=True)):
            by_kind.setdefault((kind, ""), []).append(number)
            if script and not filters[one.filter].where:
                by_kind.setdefault((kind, script), []).append(number)
        several = {kind for kind, script in by_kind if sum(k == kind for k, _ in by_kind) > 2}
        for (kind, script), numbers in by_kind.items():
            if not script or kind in several:
                yield _row(kind, script, filters[one.filter], one, numbers, exact, share)


def _row(
    kind: str,
    script: str,
    filter: Filter,
    searched: _Searched,
    numbers: Sequence[int],
    exact: ExactSide,
    share: float,
) -> AuditRow:
    matching = exact.matching(searched.filter)
    counts = [
        count_found(
            [(hit.id, hit.score) for hit in searched.hits[number]],
            exact.nearest(searched.filter, number),
            searched.k,
            share,
        )
        for number in numbers
    ]
    found = np.array([float(one.found) for one in counts])
    wanted = found + np.array([one.missed for one in counts])
    p50, p95 = np.percentile([searched.milliseconds[number] for number in numbers], [50, 95]).tolist()
    expected = min(searched.k, filter.documents)
    trials = share * float(wanted.sum())
    if share < 1:  # all queries share the sample: that of a narrow filter is few documents
        trials = min(trials, matching)
    return AuditRow(
        kind=kind,
        script=script,
        filter=filter.name,
        share=filter.share,
        k=searched.k,
        queries=len(numbers),
        recall=summarize_shares(found, wanted, trials),
        short=sum(len(searched.hits[number]) < expected for number in numbers),
        p50=p50,
        p95=p95,
    )


def _score_error(searched: Sequence[_Searched], exact: ExactSide) -> float:
    """The largest difference of a score from the cosine."""
    worst = 0.0
    for one in searched:
        for number, hits in enumerate(one.hits):
            nearest = exact.nearest(one.filter, number)
            true = dict(zip(nearest.ids, nearest.cosines.tolist(), strict=True))
            worst = max([worst, *(abs(hit.score - true[hit.id]) for hit in hits if hit.id in true)])
    return worst


def _notes(
    rows: Sequence[AuditRow], filters: Sequence[Filter], info: IndexInfo, share: float
) -> Iterator[str]:
    """What to know of the figures, and what to do where recall is low."""
    if share < 1:
        yield (
            f"compared with {share:.2%} of the pictures: recall is estimated, as the share that hits have of "
            "what is at least as near"
        )
    if untold := sorted({row.filter or "no filter" for row in rows if row.is_untold}):
        yield f"the sample has no picture that would tell recall under {', '.join(untold)}: draw a larger one"
    for wanted in SHARES:
        if all(one.wanted != wanted for one in filters):
            yield f"no field of the index has values for a filter that leaves about {wanted:.0%}"
    if lowest(rows) >= GOOD:
        return
    settings = info.schema.settings
    clustered = settings.shards is not None or info.shards is not None
    if settings.level == BIT or (settings.level == INT8 and clustered):
        yield f"vectors are compared as {settings.level} first: an index with vectors as {FLOAT} finds more"
    if clustered:
        yield (
            "the graph of the cluster misses some: search with more candidates, up to 10,000 a shard; make "
            "the index anew with more shards, or more edges (m) and candidates for them (ef_construction); "
            "or search exactly"
        )
    else:
        yield (
            "searches probe too few partitions of the index for these queries: search with more candidates, "
            "or exactly where nothing may be missed"
        )
