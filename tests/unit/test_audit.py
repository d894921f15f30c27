"""Audits: the estimator against truth, an index that misses neighbours, what is left alone, the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import esclip
from esclip import (
    Audit,
    ConfigError,
    Field,
    FieldType,
    ImageIndex,
    IndexNotFound,
    IndexSchema,
    KnnSearch,
    Search,
)
from esclip._audit.recall import Nearest, count_found
from esclip._audit.sampling import draw
from esclip._audit.sentences import built_in_sentences
from esclip._core.filters import Range
from esclip._core.types import Hit, ImageRecord, StoredDocument, unit_rows
from esclip._evaluation.statistics import Figure, summarize_shares
from esclip._protocols import Store
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.lance.maintenance import IndexThresholds
from esclip.stores.lance.store import LanceStore
from esclip.stores.memory import MemoryStore
from esclip.stores.wrapper import StoreWrapper
from tests.command_line import Esclip

PICTURES = 1_200
SIZE = Field("size", FieldType.INTEGER)


def fill(store: Store, count: int = PICTURES) -> Store:
    """Vectors around centres, of palette's twelve dimensions."""
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((200, 12))
    vectors = unit_rows(centres[rng.integers(0, 200, count)] + 0.4 * rng.standard_normal((count, 12)))
    store.ensure_index(IndexSchema(PaletteEncoder().space, (SIZE,)))
    with store.bulk_load():
        store.upsert(
            [
                StoredDocument(ImageRecord(f"{n:05}", f"/{n}", b"", "", metadata={"size": n}), vector)
                for n, vector in enumerate(vectors)
            ]
        )
    return store


class Dropping(StoreWrapper):
    """Misses a share of the neighbours, at random; an exact search misses none."""

    def __init__(self, store: Store, share: float, *, short: bool = False) -> None:
        super().__init__(store)
        self._rng, self._share, self._short = np.random.default_rng(5), share, short

    def search(self, *searches: Search) -> list[list[Hit]]:
        return [self._drop(search) for search in searches]

    def _drop(self, search: Search) -> list[Hit]:
        if not isinstance(search, KnnSearch) or search.exact:
            return self.store.search(search)[0]
        k = search.k if self._short else 3 * search.k
        (hits,) = self.store.search(KnnSearch(search.vector, k, search.where))
        return [hit for hit in hits if self._rng.random() >= self._share][: search.k]


@pytest.fixture(scope="module")
def memory() -> Store:
    return fill(MemoryStore("image_search"))


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageIndex]:
    """An embedded index of which searches probe one partition of several."""
    thresholds = IndexThresholds(exact=100, partition=300, probed=1)
    store = fill(LanceStore(tmp_path_factory.mktemp("spoiled"), "image_search", thresholds))
    with esclip.open_index(store, encoder="palette") as index:
        yield index


def estimate(
    rng: np.random.Generator, misses: npt.NDArray[np.float64], k: int, share: float
) -> tuple[Figure, float]:
    """The figure by a sample, and the true recall, of queries that miss neighbours at these rates."""
    found, wanted, true = [], [], []
    cosines = np.linspace(0.9, 0.1, 6 * k, dtype=np.float32)
    ids = [f"{n}" for n in range(len(cosines))]
    for rate in misses:
        hit = np.flatnonzero(rng.random(len(ids)) >= rate)[:k]
        sampled = np.flatnonzero(rng.random(len(ids)) < share)
        nearest = Nearest([ids[n] for n in sampled[:k]], cosines[sampled[:k]])
        counted = count_found([(ids[n], float(cosines[n])) for n in hit], nearest, k, share)
        found.append(float(counted.found))
        wanted.append(counted.found + counted.missed)
        true.append(float((hit < k).sum() / k))
    figure = summarize_shares(np.array(found), np.array(wanted), share * float(np.sum(wanted)))
    return figure, float(np.mean(true))


@pytest.mark.parametrize(
    ("miss", "share"), [(0.05, 0.02), (0.3, 0.02), (0.3, 0.002), (0.1, 0.2), (0.0, 0.02)]
)
def test_the_interval_of_a_sample_holds_the_recall(miss: float, share: float) -> None:
    """In at least 93 of 100 seeds, with the rate of misses varying between queries."""
    inside = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        figure, recall = estimate(rng, rng.uniform(0, 2 * miss, 60), 50, share)
        inside += figure.low <= recall <= figure.high
    assert inside >= 93


def test_a_few_hopeless_queries_count_as_what_they_are() -> None:
    """Three queries of a hundred that find nothing near cost three points, also in a small sample."""
    misses = np.array([0.0] * 97 + [0.95] * 3)
    figures = [estimate(np.random.default_rng(seed), misses, 50, 0.1)[0].mean for seed in range(20)]
    assert np.mean(figures) == pytest.approx(0.97, abs=0.015)


def test_of_all_documents_it_is_recall() -> None:
    """Equal to the share of the k nearest; ties in any order, short results and wrong scores included."""
    cosines = np.array([0.9, 0.8, 0.8, 0.7], dtype=np.float32)
    nearest = Nearest(["a", "b", "c", "d"], cosines)
    assert count_found([("a", 0.9), ("c", 0.8)], nearest, 2, 1.0) == (2, 0)
    assert count_found([("a", 0.9), ("d", 0.7)], nearest, 2, 1.0) == (1, 1)
    assert count_found([("a", 0.9)], nearest, 3, 1.0) == (1, 2)
    assert count_found([], nearest, 3, 1.0) == (0, 3)
    assert count_found([("a", 0.9), ("z", 0.99)], nearest, 2, 1.0) == (1, 1)
    assert count_found([("a", 0.9)], Nearest(["a"], cosines[:1]), 10, 1.0) == (1, 0)


def test_a_spoiled_index_is_found_out(spoiled: ImageIndex) -> None:
    """Recall within .03 of brute force, with its own interval around it, and what to do about it."""
    store, found = spoiled.store, []
    drawn = draw(store, 20, 1, 0, lambda read: None).ids
    for document in store.documents(drawn).values():
        (hits,), (true,) = (store.search(KnnSearch(document.vector, 100, exact=way)) for way in (False, True))
        found.append(len({hit.id for hit in hits} & {hit.id for hit in true}) / 100)
    audit = esclip.audit(spoiled, queries=20)
    (row,) = (row for row in audit.rows if row.kind == "picture" and row.k == 100 and not row.filter)
    assert np.mean(found) < 0.9
    assert row.recall.mean == pytest.approx(np.mean(found), abs=0.03)
    assert row.recall.low < np.mean(found) < row.recall.high
    assert any("partitions" in note for note in audit.notes)
    assert audit.score_error < 1e-5
    assert esclip.audit(spoiled, queries=5, candidates=10**6).lowest == 1


def test_dropped_hits_are_found_out(memory: Store) -> None:
    """Hits that a store drops, under filters that are of the index's own fields."""
    with esclip.open_index(Dropping(memory, 0.2), encoder="palette") as index:
        audit = esclip.audit(index, queries=20)
    rows = [row for row in audit.rows if not row.script and row.k == 100 and row.share > 0.3]
    assert {row.kind for row in rows} == {"text", "picture"}
    assert all(row.recall.mean == pytest.approx(0.8, abs=0.03) for row in rows)
    assert next(row.filter for row in rows if row.kind == "picture") == ""
    assert all("size" in row.filter for row in rows if row.filter)
    assert audit.lowest < 0.9


def test_a_sample_says_the_same(memory: Store) -> None:
    """The intervals of samples hold the recall of the very same hits, under filters by field and by ids."""
    inside, rows = 0, 0
    by_filter: dict[str, list[tuple[float, float]]] = {}
    for seed in range(2):
        whole, sampled = (_audit_dropping(memory, sample, seed) for sample in (0, 400))
        assert whole.share == 1
        assert sampled.share == pytest.approx(400 / PICTURES)
        for exact, estimated in zip(whole.rows, sampled.rows, strict=True):
            by_filter.setdefault(exact.filter, []).append((exact.recall.mean, estimated.recall.mean))
            inside += estimated.recall.low <= exact.recall.mean <= estimated.recall.high
            rows += 1
    assert inside >= 0.93 * rows
    assert any(name.endswith(" ids") for name in by_filter)
    for name, pairs in by_filter.items():
        exact_mean, estimated_mean = np.mean(pairs, axis=0)
        assert estimated_mean == pytest.approx(exact_mean, abs=0.15 if name.endswith(" ids") else 0.04), name


def test_a_small_sample_is_read_by_its_ids(memory: Store) -> None:
    """It is the part of all that hashes choose, as a larger one is, also under a filter."""
    where = (Range(SIZE, below=900),)
    drawn = draw(memory, 20, 0.015, 1, lambda read: None)
    read = {
        id: vector
        for ids, vectors in drawn.read(memory, where)
        for id, vector in zip(ids, vectors, strict=True)
    }
    chosen = {id for ids, _ in replace(drawn, sampled=None).read(memory, where) for id in ids}
    assert drawn.documents == PICTURES
    assert read.keys() == chosen
    assert 0 < len(chosen) < len(drawn.sampled or ()) < 60
    assert all((document.vector == read[id]).all() for id, document in memory.documents([*read]).items())


def _audit_dropping(store: Store, sample: int, seed: int) -> Audit:
    with esclip.open_index(Dropping(store, 0.2), encoder="palette") as index:
        return esclip.audit(index, queries=10, sample=sample, seed=seed)


def test_short_results_are_counted(memory: Store) -> None:
    """What is missing from a short list is missed."""
    with esclip.open_index(Dropping(memory, 0.2, short=True), encoder="palette") as index:
        audit = esclip.audit(index, queries=20)
    (row,) = (row for row in audit.rows if row.kind == "picture" and row.k == 100 and not row.filter)
    assert row.short == row.queries == 20
    assert row.recall.mean == pytest.approx(0.8, abs=0.03)


def test_a_sample_does_not_guess_how_many_there_are() -> None:
    """Of ten documents, some hundredths of a sample more or less would be a short result or a wrong share."""
    store = fill(MemoryStore("image_search"), 10)
    with esclip.open_index(store, encoder="palette") as index:
        for seed in range(8):
            audit = esclip.audit(index, queries=2, sample=4, seed=seed)
            assert {row.short for row in audit.rows} == {0}
            assert {row.filter: row.share for row in audit.rows} == {
                "": 1.0,
                "size<5": 0.5,
                "size<1": 0.1,
                "1 id": 0.1,
            }


def test_a_sample_without_a_picture_that_a_filter_leaves_tells_nothing() -> None:
    """Recall is said to be unknown there, and only there."""
    store, told = fill(MemoryStore("image_search"), 10), set()
    with esclip.open_index(store, encoder="palette") as index:
        for seed in range(8):
            audit = esclip.audit(index, queries=2, sample=4, seed=seed)
            unknown = [row.filter for row in audit.rows if (row.recall.low, row.recall.high) == (0, 1)]
            (note,) = [note for note in audit.notes if "would tell recall" in note] or [""]
            assert all(name in note for name in unknown)
            told.add(bool(unknown))
            assert bool(note) == bool(unknown)
    assert told == {False, True}


def test_an_exact_store_finds_all(memory: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Everything under every filter, and no text is logged."""
    with esclip.open_index(memory, encoder="palette") as index:
        audit = esclip.audit(index, ["xyzzy"], queries=10)
    assert audit.lowest == 1
    assert sorted({row.filter != "" for row in audit.rows}) == [False, True]
    shares = {row.filter: row.share for row in audit.rows}
    assert sorted(shares.values()) == pytest.approx([0.01, 0.1, 0.5, 1], rel=0.6)
    assert {row.kind for row in audit.rows} == {"text", "own", "picture"}
    assert "xyzzy" not in caplog.text + json.dumps(audit.to_json())
    assert all(row.recall.low < row.recall.mean <= row.recall.high for row in audit.rows)


def test_sentences() -> None:
    """A hundred different ones of each language, only in scripts that a tower knows."""
    every = built_in_sentences(None, 10_000)
    assert len({sentence for sentence, _ in every}) == len(every) == 1000
    assert {script for _, script in built_in_sentences(frozenset({"LATIN"}), 50)} == {"latin"}
    assert {"han", "kana"} <= {script for _, script in built_in_sentences(frozenset({"CJK", "HIRAGANA"}), 9)}


def test_what_cannot_be_audited(tmp_path: Path) -> None:
    """No index, and what is none."""
    with (
        esclip.open_index(tmp_path, encoder="palette") as index,
        pytest.raises(IndexNotFound, match="does not exist"),
    ):
        esclip.audit(index)
    with pytest.raises(ConfigError, match="the index is"):
        esclip.audit("photos")  # type: ignore[arg-type]


def test_the_command(quick_esclip: Esclip, tmp_path: Path) -> None:
    """Figures as lines and JSON, notes on stderr, its status by the target."""
    with esclip.open_index(tmp_path, encoder="palette") as index:
        index.add({"id": f"{n}", "image": Image.new("RGB", (8, 8), (n, 0, 99))} for n in range(12))
    (tmp_path / "mine.txt").write_text("red\n\nblue\n", "utf-8")
    options = ("--store", tmp_path, "--queries", "3")
    ran = quick_esclip("audit", *options, "--texts", tmp_path / "mine.txt", "--target", "0.95")
    header, *lines = [line.split("\t") for line in ran.out.splitlines()]
    assert header[:3] == ["queries", "k", "recall"]
    assert ["own", "10", "1.000"] in [line[:3] for line in lines]
    assert "12 compared" in ran.err
    assert quick_esclip("audit", *options, "--json").json["lowest"] == 1
    assert "less than or equal to 1" in quick_esclip("audit", *options, "--target", "2", status=2).err


@pytest.mark.parametrize("command", [("audit",), ("compare", "photos-1", "photos-2")], ids=lambda c: c[0])
def test_a_file_without_queries(quick_esclip: Esclip, tmp_path: Path, command: tuple[str, ...]) -> None:
    """Who names a file means its queries: made-up ones don't stand in for them."""
    (tmp_path / "mine.txt").write_text("\n \n", "utf-8")
    ran = quick_esclip(*command, "--store", tmp_path, "--texts", tmp_path / "mine.txt", status=1)
    assert ran.err.endswith("mine.txt: there are none; give one a line\n")
