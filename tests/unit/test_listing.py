"""The indexes of a store are listed, and a wrong name or folder is answered with the near one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import esclip
from esclip._cli.app import app
from esclip._core.schema import IndexInfo
from esclip.stores.lance.store import LanceStore
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import SCHEMA
from tests.contracts.listing import ListingContract
from tests.unit.engine_double import EngineDouble, as_json


class TestListingOfLance(ListingContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[LanceStore]:
        with LanceStore(tmp_path, "photos") as store:
            yield store


class TestListingOfMemory(ListingContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore("photos")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folder of a store with one index, photos, and things that are none of esclip's."""
    folder = tmp_path / "pictures.lance"
    with LanceStore(folder, "photos") as opened:
        opened.ensure_index(SCHEMA)
    for name in ("Other.lance/_versions", "broken.lance/_versions", "empty.lance"):
        (folder / name).mkdir(parents=True)
    (folder / "file.lance").write_text("no index")
    return folder


def run(*arguments: object, exit_code: int = 0) -> tuple[str, str]:
    """stdout and stderr of a command."""
    ran = CliRunner().invoke(app, [*map(str, arguments)], env={"ESCLIP_STORE": None, "ESCLIP_INDEX": None})
    assert ran.exit_code == exit_code, ran.output
    return ran.stdout, ran.stderr


def test_the_command(store: Path) -> None:
    """With tabs between the columns where it is piped; with --json what `esclip stats --json` prints."""
    stdout, stderr = run("indexes", "--store", store)
    index, documents, engine, encoder = stdout.strip().split("\t")
    assert (index, documents, encoder) == ("photos", "0", SCHEMA.space.model)
    assert engine.startswith("Lance ")
    assert "broken.lance" in stderr
    (line,) = run("indexes", "--store", store, "--json")[0].splitlines()
    (stats,) = run("stats", "--store", store, "--index", "photos", "--json")[0].splitlines()
    assert json.loads(line) == json.loads(stats)


def test_no_index(tmp_path: Path) -> None:
    """A folder without an index has none to list; one that isn't there is an error."""
    stdout, stderr = run("indexes", "--store", tmp_path)
    assert stdout == ""
    assert "esclip ingest PATH" in stderr
    _, stderr = run("indexes", "--store", tmp_path / "nowhere", exit_code=1)
    assert "there is no such folder" in stderr


def test_a_mistyped_folder_is_answered_with_the_near_one(store: Path) -> None:
    """For the list as for a search, where a folder of a similar name holds indexes."""
    mistyped = store.with_name("picture.lance")
    for command in (("indexes",), ("search-text", "red", "--index", "photos")):
        _, stderr = run(*command, "--store", mistyped, exit_code=1)
        assert f"did you mean {store}?" in stderr
    assert not mistyped.exists()


def test_the_folder_of_an_index_is_no_store(store: Path) -> None:
    """Who names an index's own folder as the store is told store and name."""
    _, stderr = run("stats", "--store", store / "photos.lance", exit_code=1)
    assert f"its store is {store}, its name 'photos'" in stderr


def test_another_name_is_told_where_none_is_near(store: Path) -> None:
    """Who forgets the name of the index is told which there are."""
    _, stderr = run("stats", "--store", store, exit_code=1)
    assert "there is 'photos'" in stderr


def test_an_address_without_a_scheme(tmp_path: Path) -> None:
    """A server's address without http:// is no folder, and is answered with the whole one."""
    _, stderr = run("indexes", "--store", "localhost:9200", exit_code=1)
    assert "write http://localhost:9200" in stderr


class Unlistable(MemoryStore):
    """A store that can tell of its own index alone."""

    def list_indexes(self) -> dict[str, IndexInfo]:
        return dict(esclip.Store.list_indexes(self))


def test_a_store_that_cannot_list_tells_of_its_own_index() -> None:
    """The default of the seam: the index that it was opened for, if it is there."""
    store = Unlistable("photos")
    assert esclip.list_indexes(store) == []
    store.ensure_index(SCHEMA)
    assert [stats.index for stats in esclip.list_indexes(store)] == ["photos"]


def test_a_cluster_that_does_not_allow_it(double: EngineDouble) -> None:
    """Who may not list is told which right that needs, and that an index may be open all the same."""
    denied = {"error": {"type": "security_exception", "reason": "no permissions"}, "status": 403}
    double.lock = lambda asked: as_json(403, denied) if asked.path.startswith("/_mapping") else None
    _, stderr = run("indexes", "--store", double.address, exit_code=1)
    assert "does not let you list its indexes" in stderr
    _, stderr = run("indexes", "--store", double.address, "--user", "eve", "--password", "x", exit_code=1)
    assert "does not let user eve list" in stderr


@pytest.mark.parametrize(
    "mappings",
    [[], {"x": 5}, {"x": {"mappings": {"_meta": {"esclip": {"version": 9}}}}}, {"../x": {"mappings": None}}],
)
def test_foreign_mappings_are_no_indexes(double: EngineDouble, mappings: object) -> None:
    """What esclip did not make isn't listed, whatever stands in it; what is no answer at all is an error."""
    double.lock = lambda asked: as_json(200, mappings) if asked.path.startswith("/_mapping") else None
    stdout, _ = run("indexes", "--store", double.address, exit_code=int(isinstance(mappings, list)))
    assert stdout == ""
