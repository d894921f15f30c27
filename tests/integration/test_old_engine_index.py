"""Engines' indexes of an older version are used as that version used them; see `tests/old_index.py`."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.engines import engine_address, http
from tests.old_index import (
    FIXTURES,
    HOME,
    INDEX,
    SEARCH,
    WRITE,
    differences,
    engine_ledger,
    make_dataset,
    read_answers,
    run_steps,
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
    """The name of the index, written raw with its parts beside it and its ledger."""
    address, kind = engine
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    kept = json.loads(lzma.decompress((FIXTURES / f"old_{kind}.json.xz").read_bytes()))
    name = f"esclip-test-{uuid4().hex}"
    try:
        write_engine_index(address, name, kept[INDEX])
        write_engine_index(address, f"{name}_parts", kept[f"{INDEX}_parts"])
        ledger = [line.replace(f"{HOME}/", f"{tmp_path / 'old'}/") for line in kept["ledger"]]
        write_ledger(engine_ledger(address, name), ledger)
        yield name
    finally:
        for each in (name, f"{name}_parts"):
            http("DELETE", f"{address}/{each}", ok=(200, 404))


def test_an_old_index_is_used(engine: tuple[str, str], index: str, tmp_path: Path) -> None:
    """It is searched with the same scores, ingested into, its rejections are tried again, and it forgets."""
    folder = tmp_path / "old"
    make_dataset(folder)
    assert differences(read_answers()["search"], run_steps(SEARCH, folder, engine[0], index)) == []
    for name, (change, steps) in WRITE.items():
        change(folder)
        assert differences(read_answers()[name], run_steps(steps, folder, engine[0], index)) == []
