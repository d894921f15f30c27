"""The embedded store's vector index: made when it pays, and as good as comparing every vector."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from esclip._core.index_settings import IndexSettings
from esclip._core.searches import Scan
from esclip._core.types import StoredDocument, Vectors, unit_rows
from esclip._errors import ConfigError
from esclip.stores.lance.maintenance import IndexThresholds
from esclip.stores.lance.store import LanceStore
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import SCHEMA, axis, nearest, random_documents, random_vectors, record, where
from tests.lance_folders import make_store, open_table


def _indexes(folder: Path) -> list[str]:
    """The vector indexes."""
    names = [index.name for index in open_table(folder).describe_indices()]
    return [name for name in names if name.startswith("esclip_vector")]


def _kinds(folder: Path) -> list[str]:
    """Lance's kind of each vector index."""
    dataset = open_table(folder)
    return [index.index_type for index in dataset.describe_indices() if index.name in _indexes(folder)]


def _partitions(folder: Path) -> list[int]:
    """The number of partitions that Lance says each vector index has, which is the one in its name."""
    dataset = open_table(folder)
    found = []
    for name in _indexes(folder):
        (index,) = dataset.stats.index_stats(name)["indices"]
        assert name == f"esclip_vector_{index['num_partitions']}"
        found.append(index["num_partitions"])
    return found


def _indexed(folder: Path) -> int:
    dataset = open_table(folder)
    return sum(dataset.stats.index_stats(name)["num_indexed_rows"] for name in _indexes(folder))


def _fill(store: LanceStore, vectors: Vectors, start: int = 0) -> None:
    with store.bulk_load():
        rows = range(start, len(vectors))
        assert store.upsert([StoredDocument(record(f"{i:05}"), vectors[i]) for i in rows]) == []


def test_vector_index_grows_with_the_rows(tmp_path: Path) -> None:
    """A vector index is made above the threshold, extended while its partitions fit, then made anew."""
    store = make_store(tmp_path, IndexThresholds(exact=100, partition=100))
    vectors = random_vectors(900, 1)
    seen = []
    for start, end in ((0, 100), (100, 420), (420, 500), (500, 560), (560, 900)):
        _fill(store, vectors[:end], start)
        seen.append((_partitions(tmp_path), _indexed(tmp_path)))
        assert len(nearest(store, vectors[0], 1000)) == end
    assert seen == [([], 0), ([4], 420), ([4], 420), ([4], 560), ([9], 900)]


def test_extended_index_finds_as_much_as_one_made_anew(tmp_path: Path) -> None:
    """Vectors that are added to the partitions there are found as well as the others."""
    store = make_store(tmp_path, IndexThresholds(exact=50, partition=100, probed=600))
    vectors = _clustered(1400, 16)
    for start, end in ((0, 1000), (1000, 1200), (1200, 1400)):
        _fill(store, vectors[:end], start)
    assert (_partitions(tmp_path), _indexed(tmp_path)) == ([10], 1400)
    found = 0
    for query in unit_rows(vectors[::20] + 0.05 * random_vectors(70, 5)):
        best = {f"{row:05}" for row in np.argsort(-(vectors @ query))[:10]}
        found += len(best & {hit.id for hit in nearest(store, query, 10)})
    assert found >= 0.99 * 700


def test_index_of_an_older_version_is_made_anew(tmp_path: Path) -> None:
    """One with far too few partitions answers as it is, and is replaced when enough is added."""
    older = make_store(tmp_path, IndexThresholds(exact=50, partition=1000))
    vectors = _clustered(700, 16)
    _fill(older, vectors[:600])
    assert _partitions(tmp_path) == [1]
    store = LanceStore(tmp_path, "pictures", IndexThresholds(exact=50, partition=100, probed=300))
    assert nearest(store, vectors[7], 1)[0].id == "00007"
    _fill(store, vectors[:640], 600)
    assert _partitions(tmp_path) == [1]
    _fill(store, vectors, 640)
    assert (_partitions(tmp_path), _indexed(tmp_path)) == ([7], 700)
    assert nearest(store, vectors[650], 1)[0].id == "00650"


def test_rows_outside_of_the_vector_index_are_found(tmp_path: Path) -> None:
    """Rows that were written or moved after the vector index was made are found where they are now."""
    store = make_store(tmp_path, IndexThresholds(exact=100, partition=150))
    vectors = random_vectors(303, 2)
    _fill(store, vectors[:300])
    store.upsert([StoredDocument(record("new"), vectors[300]), StoredDocument(record("00007"), vectors[301])])
    assert _indexes(tmp_path) == ["esclip_vector_2"]
    assert nearest(store, vectors[300], 1)[0].id == "new"
    assert nearest(store, vectors[301], 1)[0].id == "00007"
    assert nearest(store, vectors[7], 300)[0].id != "00007"
    assert [hit.id for hit in nearest(store, axis(0), 999)].count("00007") == 1


def test_ids_are_indexed(tmp_path: Path) -> None:
    """An index of ids is made above the threshold and extended; rows outside of it are found."""
    store = make_store(tmp_path, IndexThresholds(scanned=100))
    vectors, seen = random_vectors(320, 2), []
    for start, end in ((0, 90), (90, 180), (180, 200), (200, 320)):
        _fill(store, vectors[:end], start)
        indexes = open_table(tmp_path).describe_indices()
        seen.append([index.num_rows_indexed for index in indexes if index.name == "esclip_id"])
    assert seen == [[], [180], [180], [320]]
    store.upsert([StoredDocument(record("new"), axis(0)), StoredDocument(record("00007"), axis(1))])
    store.delete(["00009"])
    asked = ["00007", "00009", "00319", "new", "none"]
    assert store.fingerprints(asked).keys() == {"00007", "00319", "new"}
    assert [float(store.documents(["00007"])["00007"].vector @ axis(1)), _count(store)] == [1.0, 320]
    assert [hit.id for hit in store.search(Scan(3, after="00318"))[0]] == ["00319", "new"]


def _count(store: LanceStore) -> int:
    info = store.info()
    assert info is not None
    return info.documents


def _clustered(n: int, dim: int) -> Vectors:
    rng = np.random.default_rng(4)
    centers = rng.standard_normal((40, dim))
    return unit_rows(centers[rng.integers(0, 40, n)] + 0.3 * rng.standard_normal((n, dim)))


@pytest.mark.parametrize(
    ("vectors", "probed"),
    [(random_vectors(3000, 3), 200_000), (_clustered(3000, 16), 200_000), (_clustered(3000, 16), 80)],
    ids=["random", "clustered", "clustered, some probed"],
)
def test_vector_index_finds_what_exact_search_finds(tmp_path: Path, vectors: Vectors, probed: int) -> None:
    """Of the ten nearest, at least 99 in 100 are found by way of the vector index."""
    store, exact = (
        LanceStore(tmp_path, "pictures", IndexThresholds(exact=500, partition=500, probed=probed)),
        MemoryStore("exact"),
    )
    store.ensure_index(SCHEMA)
    _fill(store, vectors)
    assert _indexes(tmp_path) == ["esclip_vector_6"]
    exact.ensure_index(SCHEMA)
    exact.upsert([StoredDocument(record(f"{i:05}"), vector) for i, vector in enumerate(vectors)])
    found = 0
    for query in unit_rows(vectors[::100] + 0.05 * random_vectors(30, 5)):
        best = {hit.id for hit in nearest(exact, query, 10)}
        found += len(best & {hit.id for hit in nearest(store, query, 10)})
    assert found >= 0.99 * 300


def test_near_neighbours_come_in_their_true_order(tmp_path: Path) -> None:
    """Vectors that differ by less than the index keeps are told apart, and equal ones come by id."""
    store = make_store(tmp_path, IndexThresholds(exact=100))
    crowd = unit_rows(axis(0) + 0.01 * random_vectors(10, 7))
    _fill(store, np.concatenate([random_vectors(300, 8), crowd, crowd[:3]]))
    scores = crowd.astype(np.float64) @ axis(0)
    order = [300 + i for i in np.argsort(-scores)]
    twins = {300: 310, 301: 311, 302: 312}
    expected = [f"{id:05}" for i in order for id in ([i, twins[i]] if i in twins else [i])]
    for k in (5, 10, 13):
        hits = nearest(store, axis(0), k)
        assert [hit.id for hit in hits] == expected[:k]
        np.testing.assert_allclose([hit.score for hit in hits[:1]], scores.max(), atol=1e-7)


def test_another_level_makes_the_index_anew(tmp_path: Path) -> None:
    """The next write compares vectors as asked for, all of them; until then the index answers as it was."""
    store = LanceStore(tmp_path, "pictures", IndexThresholds(exact=100, partition=100))
    space = replace(SCHEMA.space, dim=64)
    vectors = random_vectors(402, 9, 64)
    expected = {f"{row:05}" for row in np.argsort(-(vectors[:400] @ vectors[401]))[:10]}
    kinds, start = [], 0
    for level, end in ((None, 399), ("bit", 400), (None, 400), ("int8", 400), ("float", 400)):
        store.ensure_index(replace(SCHEMA, space=space, settings=IndexSettings(level)))
        if start == 399:
            assert _kinds(tmp_path) == ["IVF_SQ"]
        _fill(store, vectors[:end], start)
        start = end
        kinds += _kinds(tmp_path)
        assert _partitions(tmp_path) == [end // 100]
        assert end < 400 or {hit.id for hit in nearest(store, vectors[401], 10)} == expected
    assert kinds == ["IVF_SQ", "IVF_RQ", "IVF_RQ", "IVF_SQ", "IVF_SQ"]


def test_a_second_index_of_vectors_is_removed(tmp_path: Path) -> None:
    """A process that was killed between making an index anew and removing the former one left both."""
    store = make_store(tmp_path, IndexThresholds(exact=100, partition=100))
    _fill(store, random_vectors(300, 2))
    open_table(tmp_path).create_index(
        "vector", "IVF_SQ", name="esclip_vector_2", metric="cosine", num_partitions=2
    )
    assert sorted(_partitions(tmp_path)) == [2, 3]
    with store.bulk_load():
        pass
    assert _partitions(tmp_path) == [3]


def test_bits_of_a_dimension_that_lance_cannot_index(tmp_path: Path) -> None:
    """It is refused before an index is made, with the level that can be had."""
    store = LanceStore(tmp_path, "pictures")
    wanted = replace(SCHEMA, space=replace(SCHEMA.space, dim=100), settings=IndexSettings("bit"))
    with pytest.raises(ConfigError, match=r"100 dimensions as bit.* multiple of 8; take int8"):
        store.ensure_index(wanted)
    assert store.info() is None


def test_few_probes_still_find_all_that_match(tmp_path: Path) -> None:
    """Where the nearest partitions hold fewer than k matches, the others are searched too."""
    store = make_store(tmp_path, IndexThresholds(exact=100, partition=100, probed=1))
    documents = random_documents(600, seed=6)
    with store.bulk_load():
        store.upsert(documents)
    condition = where("country", "O'Land")
    matching = {d.record.id for d in documents if d.record.metadata.get("country") == "O'Land"}
    assert {hit.id for hit in nearest(store, axis(0), 600, [condition])} == matching
    assert len(nearest(store, axis(0), 600)) == 600
