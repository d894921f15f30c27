"""The maintenance of an embedded index is killed: joining fragments, making and extending indexes."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from esclip._core.types import Vectors, unit_rows
from esclip.stores.lance.maintenance import IndexThresholds
from esclip.stores.lance.store import LanceStore
from esclip.testing.documents import nearest, random_vectors
from tests.lance_folders import open_table

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

KILLS = 6
ROWS, DIM = 250, 64
"""Rows that each process writes: enough for each to extend an index, or to make it anew."""
THRESHOLDS = IndexThresholds(exact=100, scanned=100, partition=100, probed=400)

WRITE = """
import sys
from dataclasses import replace
from pathlib import Path
from esclip._core.index_settings import IndexSettings
from esclip._core.types import StoredDocument
from esclip.stores.lance.store import LanceStore
from esclip.testing.documents import SCHEMA, record
from tests.faults.test_killed_maintenance import DIM, THRESHOLDS, made

folder, start, end, level = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
store = LanceStore(folder, "pictures", THRESHOLDS)
store.ensure_index(
    replace(SCHEMA, space=replace(SCHEMA.space, dim=DIM), settings=IndexSettings(level or None))
)
vectors = made(end)
with store.bulk_load():
    for first in range(start, end, 50):
        rows = range(first, first + 50)
        assert store.upsert([StoredDocument(record(f"{row:05}"), vectors[row]) for row in rows]) == []
    print("written", flush=True)
"""


def made(rows: int) -> Vectors:
    """Vectors around centres, the first ones the same for each count."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((40, DIM))
    blocks = []
    for number in range(-(-rows // ROWS)):
        rng = np.random.default_rng([2, number])
        blocks.append(centres[rng.integers(0, 40, ROWS)] + 0.5 * rng.standard_normal((ROWS, DIM)))
    return unit_rows(np.concatenate(blocks)[:rows])


def test_killed_maintenance_loses_nothing(tmp_path: Path, seed: int) -> None:
    """After `kill -9` in the middle of it all rows are there once and are found, and the next ingest goes on.

    The level changes on the way, so that indexes are made anew as well. In the end there is one of each kind.
    """
    chance = random.Random(seed)
    _write(tmp_path, 0, ROWS, "")
    seconds = _write(tmp_path, ROWS, 2 * ROWS, "bit")
    for number in range(2, 2 + KILLS):
        level = ("", "int8", "", "bit")[number % 4]
        _write(tmp_path, number * ROWS, (number + 1) * ROWS, level, chance.uniform(0, seconds))
        assert _recall(tmp_path, (number + 1) * ROWS) >= 0.95
    rows = (3 + KILLS) * ROWS
    _write(tmp_path, rows - ROWS, rows, "int8")
    assert _recall(tmp_path, rows) >= 0.97
    indexes = open_table(tmp_path).describe_indices()
    (vectors,) = (index for index in indexes if index.name.startswith("esclip_vector_"))
    assert (vectors.index_type, vectors.num_rows_indexed) == ("IVF_SQ", rows)
    assert sorted(index.name for index in indexes) == sorted({index.name for index in indexes})


def _write(folder: Path, start: int, end: int, level: str, kill_after: float | None = None) -> float:
    """A process that writes rows; killed so many seconds into its maintenance. Seconds of the maintenance."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITE, str(folder), str(start), str(end), level],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n", process.communicate()[1]
        began = time.monotonic()
        if kill_after is not None:
            time.sleep(kill_after)
            process.kill()
        process.communicate()
    assert kill_after is not None or process.returncode == 0
    return time.monotonic() - began


def _recall(folder: Path, rows: int) -> float:
    """The share of the ten nearest that searches find; every row is there once, with its own vector."""
    store = LanceStore(folder, "pictures", THRESHOLDS)
    vectors, ids = made(rows), [f"{row:05}" for row in range(rows)]
    held = [
        (id, vector) for page, found in store.scan_vectors() for id, vector in zip(page, found, strict=True)
    ]
    assert sorted(id for id, _ in held) == ids
    assert all(np.allclose(vector, vectors[int(id)], atol=1e-6) for id, vector in held)
    assert store.fingerprints(ids).keys() == set(ids)
    found = 0
    queries = unit_rows(vectors[:: rows // 40] + 0.05 * random_vectors(len(vectors[:: rows // 40]), 5, DIM))
    for query in queries:
        best = {ids[row] for row in np.argsort(-(vectors @ query))[:10]}
        found += len(best & {hit.id for hit in nearest(store, query, 10)})
    return found / (10 * len(queries))
