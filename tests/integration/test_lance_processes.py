"""Processes that share an embedded index: each sees what others write; nothing is lost, or there twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from esclip._core.filters import OneOf
from esclip.stores.lance.store import LanceStore
from esclip.testing.documents import axis, document, nearest
from tests.lance_folders import make_store, open_table

REPOSITORY = Path(__file__).parents[2]
WRITER = """
import sys
from esclip.testing.documents import SCHEMA, document, random_vectors
from esclip.stores.lance.maintenance import IndexThresholds
from esclip.stores.lance.store import LanceStore

folder, process = sys.argv[1], int(sys.argv[2])
store = LanceStore(folder, "pictures", IndexThresholds(exact=20))
store.ensure_index(SCHEMA)
vectors = random_vectors(100, process)
with store.bulk_load():
    for turn in range(8):
        ids = range(turn * 10, turn * 10 + 30)
        assert store.upsert([document(f"{i}", vectors[i]) for i in ids]) == []
        assert len(store.fingerprints([f"{i}" for i in ids])) == 30
"""


@pytest.fixture
def store(tmp_path: Path) -> LanceStore:
    return make_store(tmp_path)


def test_a_search_sees_what_another_process_has_written(store: LanceStore, tmp_path: Path) -> None:
    """A store that has searched before finds another process's documents, by its new fields and its index."""
    store.upsert([document("0", axis(1))])
    assert [hit.id for hit in nearest(store, axis(0), 3)] == ["0"]
    code = f"""
from dataclasses import replace
from esclip._core.schema import Field, FieldType
from esclip.stores.lance.maintenance import IndexThresholds
from esclip.stores.lance.store import LanceStore
from esclip.testing.documents import FIELDS, SCHEMA, axis, document

store = LanceStore({str(tmp_path)!r}, "pictures", IndexThresholds(exact=1))
store.ensure_index(replace(SCHEMA, fields=(*FIELDS, Field("added", FieldType.KEYWORD))))
with store.bulk_load():
    store.upsert([document("0", axis(2)), document("1", axis(0), {{"added": "there"}})])
"""
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
    assert open_table(tmp_path).describe_indices()
    hits = nearest(store, axis(0), 3)
    assert [(hit.id, hit.score, dict(hit.metadata)) for hit in hits] == [
        ("1", 1.0, {"added": "there"}),
        ("0", 0.0, {}),
    ]
    assert [hit.id for hit in nearest(store, axis(2), 1)] == ["0"]
    schema = store.schema()
    assert schema is not None
    assert [hit.id for hit in nearest(store, axis(0), 3, [OneOf(schema.fields[-1], ("there",))])] == ["1"]


def test_processes_lose_and_duplicate_nothing(tmp_path: Path) -> None:
    """Processes that make one index and write the same new ids at once leave each document once."""
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    processes = [subprocess.Popen([*command, f"{i}"], cwd=REPOSITORY) for i in range(3)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    ids = sorted(f"{i}" for i in range(100))
    assert sorted(open_table(tmp_path).to_table(columns=["id"])["id"].to_pylist()) == ids
    store = LanceStore(tmp_path, "pictures")
    assert sorted(hit.id for hit in nearest(store, axis(0), 300)) == ids


ALIKE = """
import os, sys
import numpy as np
from esclip.stores import open_store
from esclip.testing.documents import SCHEMA, axis, document

folder, names = sys.argv[1], set(os.environ)
store = open_store(folder, "pictures")
assert set(os.environ) == names, "the environment is as it was"
from esclip.stores.lance.maintenance import IndexThresholds
from esclip.stores.lance.store import LanceStore

store = LanceStore(folder, "pictures", IndexThresholds(exact=20, partition=100))
store.ensure_index(SCHEMA)
with store.bulk_load():
    store.upsert([document(f"p{n}", axis(0)) for n in range(600)])
"""
"""Indexes pictures that are all alike, in partitions most of which stay empty."""


@pytest.mark.parametrize(("level", "told"), [(None, False), ("warn", True)])
def test_lance_does_not_warn_of_what_nobody_can_change(tmp_path: Path, level: str | None, told: bool) -> None:
    """A program hears nothing of empty partitions, unless it asks Lance for its warnings."""
    environ = {name: value for name, value in os.environ.items() if name != "LANCE_LOG"}
    environ |= {"LANCE_LOG": level} if level else {}
    ran = subprocess.run(
        [sys.executable, "-c", ALIKE, tmp_path], env=environ, capture_output=True, text=True, check=True
    )
    assert ("is empty" in ran.stderr) == told
    assert bool(ran.stderr) == told
