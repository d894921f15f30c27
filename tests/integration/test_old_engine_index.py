"""Engines' indexes of an older version are used as that version used them; see `tests/old_index.py`."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from esclip._core.picture_color import COLOR, is_color
from tests.engines import engine_address, http
from tests.old_index import (
    FIXTURES,
    HOME,
    INDEX,
    MAKE,
    SEARCH,
    WRITE,
    differences,
    engine_ledger,
    extract_old_index,
    read_answers,
    read_engine_index,
    run_steps,
    without_colors,
    write_engine_index,
    write_ledger,
)

pytestmark = pytest.mark.engine


@pytest.fixture(
    params=[("opensearch2", "opensearch"), ("elasticsearch", "elasticsearch")], ids=lambda one: one[1]
)
def engine(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The address of an engine, and its kind."""
    name, kind = request.param
    return engine_address(name), kind


@pytest.fixture
def index(engine: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an index, which is removed after with the one beside it."""
    address, _ = engine
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    name = f"esclip-test-{uuid4().hex}"
    try:
        yield name
    finally:
        for each in (name, f"{name}_parts"):
            http("DELETE", f"{address}/{each}", ok=(200, 404))


def read_kept(kind: str) -> dict[str, Any]:
    """The raw index that an older version made."""
    kept: dict[str, Any] = json.loads(lzma.decompress((FIXTURES / f"old_{kind}.json.xz").read_bytes()))
    return kept


def test_an_old_index_is_used(engine: tuple[str, str], index: str, tmp_path: Path) -> None:
    """It is searched with the same scores, ingested into, its rejections are tried again, and it forgets."""
    folder = tmp_path / "old"
    extract_old_index(folder)
    kept = read_kept(engine[1])
    write_engine_index(engine[0], index, kept[INDEX])
    write_engine_index(engine[0], f"{index}_parts", kept[f"{INDEX}_parts"])
    ledger = [line.replace(f"{HOME}/", f"{folder}/") for line in kept["ledger"]]
    write_ledger(engine_ledger(engine[0], index), ledger)
    assert differences(read_answers()["search"], run_steps(SEARCH, folder, engine[0], index)) == []
    for name, (change, steps) in WRITE.items():
        change(folder)
        found = run_steps(steps, folder, engine[0], index)
        assert differences(read_answers()[name], without_colors(found)) == []
    assert all(is_color(hit["metadata"][COLOR]) for hit in found["text"]["lines"])


def test_a_new_index_is_stored_like_an_old_one(engine: tuple[str, str], index: str, tmp_path: Path) -> None:
    """Settings, mappings, the schema in them and documents are those of an older version, but for colours."""
    extract_old_index(tmp_path / "old")
    assert run_steps(MAKE, tmp_path / "old", engine[0], index) == read_answers()["make"]
    kept = read_kept(engine[1])
    for name in ("", "_parts"):
        wanted, found = kept[f"{INDEX}{name}"], read_engine_index(engine[0], f"{index}{name}")
        assert found["mappings"]["properties"][COLOR]["type"] == "keyword"
        for document in (*wanted["documents"].values(), *found["documents"].values()):
            del document["record_fingerprint"]  # it counts that the colour is wanted
        assert differences(wanted, without_colors(found)) == []
