"""A name is pointed from one index to another, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

import esclip
from esclip import (
    ConfigError,
    EncoderError,
    EsclipError,
    Hit,
    ImageIndex,
    IndexExists,
    IndexNotFound,
    StoreError,
    TextRecord,
)
from esclip._cli.app import app
from esclip._core.rejections import Rejection, Stage
from esclip._errors.reasons import Reason
from esclip._ingest.ledger import Ledger, ledger_path
from esclip._ingest.review_files import Review, review_path
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.memory import MemoryStore


class OtherPalette(PaletteEncoder):
    """Another model of the same dimension, which takes red for blue."""

    @property
    def space(self) -> Any:
        from dataclasses import replace

        return replace(super().space, model="other", weights="others")

    def encode_texts(self, texts: Any) -> Any:
        return super().encode_texts([text.replace("red", "blue") for text in texts])


def at(store: Any, name: str) -> Any:
    """A store as `open_index` takes it for this name."""
    return store.open_other(name) if isinstance(store, MemoryStore) else store


def fill(store: Any, name: str, *colors: str, encoder: Any = "palette", **options: Any) -> None:
    """An index of plain pictures, named by their colors."""
    pictures = [{"id": color, "image": Image.new("RGB", (40, 30), color)} for color in colors]
    with esclip.open_index(at(store, name), name, encoder) as index:
        assert index.add(pictures, **options).written == len(colors)


def best(store: Any, name: str = "photos", **options: Any) -> Hit:
    """What is found for red."""
    with esclip.open_index(at(store, name), name, **options) as index:
        return index.search_text("red", 1)[0]


def reject(folder: Path, name: str, *ids: str) -> None:
    """Rejections in the ledger of an index."""
    ledger = Ledger(ledger_path(str(folder), name))
    for id in ids:
        ledger.add(Rejection(id, f"/{id}.png", Stage.FETCH, Reason.TIMEOUT, "late"))
    ledger.close()


@pytest.fixture(params=["memory", "lance"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A store with the indexes `photos`, and `photos-2` of another model, in which red is called blue."""
    store = MemoryStore("photos") if request.param == "memory" else tmp_path / "store"
    fill(store, "photos", "red", "blue")
    fill(store, "photos-2", "red", "blue", encoder=OtherPalette())
    return store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An embedded store with the indexes `photos`, which has texts and parts, and `photos-2`."""
    folder = tmp_path / "store"
    fill(folder, "photos", "red", "blue", parts=["crops"])
    with esclip.open_index(folder, "photos") as index:
        index.add([TextRecord(id="t", text="a red door")])
    fill(folder, "photos-2", "red", "blue", "green")
    return folder


def test_a_name_is_switched_to_another_model_and_back(store: Any) -> None:
    """The index that had the name gets one with a number; each switch is undone by another."""
    named = {"store": store, "index": "photos"}
    done = esclip.switch_index("photos-2", **named)
    assert (done.previous, done.renamed, done.changed, done.documents) == ("photos-1", True, True, 2)
    assert best(store, encoder=OtherPalette()).id == "blue"
    done = esclip.switch_index("photos-1", **named)
    assert (done.previous, done.renamed, done.changed) == ("photos-2", False, True)
    assert best(store).id == "red"
    assert {stats.index: stats.aliases for stats in esclip.list_indexes(store)} == {
        "photos-1": ("photos",),
        "photos-2": (),
    }


def test_an_open_index_stays_with_what_it_has(store: Any) -> None:
    """What was opened by an alias, and used, answers by one index wherever the alias points later."""
    fill(store, "photos-1", "red")
    live = at(store, "live")
    esclip.switch_index("photos-1", "live", live)
    with esclip.open_index(live, "live") as index:
        assert [hit.id for hit in index.search_text("red")] == ["red"]
        esclip.switch_index("photos", "live", live, force=True)
        assert [hit.id for hit in index.search_text("red")] == ["red"]
        assert index.stats().index == "photos-1"
        index.add({"id": "green", "image": Image.new("RGB", (40, 30), "green")})
    assert best(store, "live").id == "red"
    assert sorted(stats.documents for stats in esclip.list_indexes(store)) == [2, 2, 2]


def test_an_open_index_follows_when_it_is_told_to(store: Any) -> None:
    """Anew where its name points elsewhere, with another model loaded; None where nothing has changed."""
    with esclip.open_index(at(store, "photos"), "photos") as index:
        assert index.search_text("red", 1)[0].id == "red"
        encoder = index.load_encoder()
        assert index.follow() is None
        esclip.switch_index("photos-2", "photos", at(store, "photos"))
        with pytest.raises(EsclipError):  # its name is an alias now
            index.search_text("red")
        newer = index.follow()
        assert newer is not None
        assert newer.stats().index == "photos-2"
        with newer, pytest.raises(EncoderError, match="other"):  # whose model has no name here
            newer.load_encoder()
        esclip.switch_index("photos-1", "photos", at(store, "photos"))
        newer = index.follow()
        assert newer is not None
        with newer:
            assert newer.load_encoder() is encoder
            assert newer.search_text("red", 1)[0].id == "red"


def test_several_follow(folder: Path) -> None:
    """What was opened by several names follows each alias among them."""
    esclip.switch_index("photos", "live", folder)
    with esclip.open_index(folder, "live,photos-2") as index:
        assert {hit.index for hit in index.search_text("red")} == {"live", "photos-2"}
        assert index.follow() is None
        fill(folder, "one", "red")
        esclip.switch_index("one", "live", folder, force=True)
        newer = index.follow()
        assert newer is not None
        with newer:
            assert {hit.index for hit in newer.search_text("red")} == {"live", "photos-2"}


def test_what_an_index_has_beside_it_goes_with_it(folder: Path) -> None:
    """Texts, parts, ledger and decisions are those of the renamed index."""
    reject(folder, "photos", "gone")
    decided = review_path(str(folder), "photos", Review.LABELS)
    assert decided
    decided.write_text("{}\n", "utf-8")
    done = esclip.switch_index("photos-2", "photos", folder)
    assert done.previous == "photos-1"
    with esclip.open_index(folder, "photos-1") as index:
        assert [entry.id for entry in index.rejections()] == ["gone"]
        assert index.stats().texts == 1
    names = {path.name for path in folder.iterdir()}
    assert not names & {"photos.lance", "photos_texts.lance", "photos_parts.lance", "photos.labels.jsonl"}
    assert {"photos-1_parts.lance", "photos-1.labels.jsonl", "photos-2.labels.jsonl"} <= names
    with esclip.open_index(folder, "photos") as index:
        assert [*index.rejections()] == []


def test_numbers_of_documents_have_to_agree(folder: Path) -> None:
    """A switch to an index that lacks documents is refused, unless its ledger explains it or one insists."""
    fill(folder, "few", "red")
    with pytest.raises(
        ConfigError, match=r"'few' has 2 documents fewer than 'photos', and its ledger has none of them"
    ):
        esclip.switch_index("few", "photos", folder)
    with pytest.raises(ConfigError, match="'few' has 2 documents fewer"):
        esclip.switch_index("photos-2", "few", folder)
    assert esclip.switch_index("few", "live", folder).previous is None  # nothing to compare with
    reject(folder, "few", "blue", "red", "of another time", "")
    with pytest.raises(ConfigError, match="its ledger has 1 of them as rejected; nothing was changed; bring"):
        esclip.switch_index("few", "photos", folder)
    reject(folder, "few", "t")
    assert esclip.switch_index("few", "photos", folder).changed
    fill(folder, "none-of-it", "red")
    assert esclip.switch_index("none-of-it", "photos-2", folder, force=True).previous == "photos-2-1"


def test_to_switch_to_what_is_there_changes_nothing(folder: Path) -> None:
    """Neither for an alias nor for an index of this name."""
    assert not esclip.switch_index("photos", "photos", folder).changed
    esclip.switch_index("photos-2", "live", folder)
    before = sorted(path.name for path in folder.iterdir())
    done = esclip.switch_index("photos-2", "live", folder)
    assert (done.previous, done.changed) == ("photos-2", False)
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    ("to", "kind", "told"),
    [
        ("photos-3", IndexNotFound, "did you mean 'photos-2'"),
        ("live", IndexExists, "'live' in .* is an alias of index 'photos-2'"),
        ("photos_texts", ConfigError, "holds the texts"),
        ("photos_parts", ConfigError, "holds the texts, or parts"),
        ("foreign", IndexExists, "foreign"),
        ("Photos", ConfigError, "can't be used"),
        ("a,b", ConfigError, "can't be used"),
    ],
)
def test_what_can_not_be_switched_to(folder: Path, to: str, kind: type[Exception], told: str) -> None:
    """Only an index of its own, and the error says what a name is instead."""
    (folder / "foreign.lance").mkdir()
    esclip.switch_index("photos-2", "live", folder)
    with pytest.raises(kind, match=told):
        esclip.switch_index(to, "photos", folder)
    assert best(folder).id == "red"


def test_a_taken_name_is_left_alone(folder: Path) -> None:
    """An index is renamed to the first number that nothing has, and not to that of the new one."""
    fill(folder, "photos-1", "green")
    esclip.switch_index("photos-1", "photos-3", folder)
    done = esclip.switch_index("photos-2", "photos", folder, force=True)
    assert done.previous == "photos-4"
    assert best(folder, "photos-1").id == "green"


def test_an_alias_and_what_it_points_to_are_not_dropped(store: Any) -> None:
    """Not by the alias's name, and the index only when it is said that its aliases go with it."""
    esclip.switch_index("photos-2", "photos", store)

    def opened(name: str) -> ImageIndex:
        return esclip.open_index(at(store, name), name)

    with opened("photos") as index, pytest.raises(ConfigError, match="alias of index 'photos-2'"):
        index.drop(aliases=True)
    with opened("photos-2") as index:
        with pytest.raises(ConfigError, match="has 1 alias, 'photos'"):
            index.drop()
        index.drop(aliases=True, confirm=lambda stats: stats.documents != 2)
        assert index.stats().aliases == ("photos",)
        index.drop(aliases=True)
    assert [stats.index for stats in esclip.list_indexes(store)] == ["photos-1"]
    with opened("photos-1") as index:
        index.drop()


def test_documents_are_written_and_deleted_by_the_alias(folder: Path) -> None:
    """What is written by the name of an alias is in the index, as are its rejections."""
    esclip.switch_index("photos-2", "photos", folder, force=True)
    with esclip.open_index(folder, "photos") as index:
        index.add(
            [{"id": "white", "image": Image.new("RGB", (9, 9), "white")}, {"id": "x", "image": b"none"}]
        )
        index.delete(["red"])
        assert index.rejection_counts() == {Reason.NOT_AN_IMAGE: 1}
    with esclip.open_index(folder, "photos-2") as index:
        assert [*index] == ["blue", "green", "white"]
        assert [entry.id for entry in index.rejections()] == ["x"]


def test_several_are_searched_by_aliases(folder: Path) -> None:
    """Hits name the index as it was asked for, and its texts and parts are found."""
    esclip.switch_index("photos-2", "live", folder)
    esclip.switch_index("photos", "old", folder)
    with esclip.open_index(folder, "live,old") as index:
        hits = index.search_text("red")
        assert {hit.index for hit in hits} == {"live", "old"}
        assert "t" in {hit.id for hit in hits}
        with pytest.raises(ConfigError, match="several"):
            index.drop()


@pytest.mark.parametrize("at", ["begun", "renamed"])
def test_a_rename_that_was_killed_is_completed(folder: Path, at: str) -> None:
    """Killed before its folder got the new name it is an index still; after that the next switch goes on."""
    reject(folder, "photos", "gone")
    beside = {"photos_texts": "photos-1_texts", "photos_parts": "photos-1_parts"}
    (folder / "photos.alias").write_text(json.dumps({"index": "photos-1", "renamed": beside}), "utf-8")
    if at == "renamed":
        (folder / "photos.lance").rename(folder / "photos-1.lance")
    assert best(folder).id == "red"
    done = esclip.switch_index("photos-2", "photos", folder)
    assert (done.previous, done.index) == ("photos-1", "photos-2")
    with esclip.open_index(folder, "photos-1") as index:
        assert index.stats().texts == 1
        assert [entry.id for entry in index.rejections()] == ["gone"]
    assert json.loads((folder / "photos.alias").read_bytes()) == {"index": "photos-2"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b'"photos-2"',
        b'{"index": "../photos"}',
        b'{"index": 5}',
        b'{"index": "photos-2", "renamed": {"../x": "y"}}',
        b'{"index": "photos-2", "renamed": 1}',
        b"[" * 100_000,
    ],
    ids=range(8),
)
def test_an_alias_that_can_not_be_read(folder: Path, content: bytes) -> None:
    """A file that somebody else has written is one clear error, and leads nowhere else."""
    (folder / "live.alias").write_bytes(content)
    with esclip.open_index(folder, "live") as index, pytest.raises(StoreError, match=r"live\.alias"):
        index.search_text("red")
    assert len(esclip.list_indexes(folder)) == 2


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line on that store."""
    monkeypatch.setenv("ESCLIP_STORE", str(folder))

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, words)

    return run


def test_the_command_says_what_it_did_and_how_to_go_back(run: Any) -> None:
    """On stderr; as JSON on stdout."""
    done = run("switch", "photos-2", "--index", "photos", "--force")
    assert done.exit_code == 0
    assert "called 'photos' is called 'photos-1' now" in done.stderr
    assert "back with: esclip switch photos-1 --index photos" in done.stderr
    assert done.stdout == ""
    again = run("switch", "photos-2", "--index", "photos", "--json")
    assert (again.exit_code, json.loads(again.stdout)["changed"]) == (0, False)
    assert "nothing was changed" in again.stderr
    assert run("indexes").stdout.splitlines()[1].endswith("\tphotos")
    assert "aliases       photos\n" in run("stats", "--index", "photos").stdout
    refused = run("switch", "photos-1", "--index", "photos")
    assert refused.exit_code == 0 or "--force" in refused.stderr
    gone = run("drop", "--index", "photos", "--yes")
    assert gone.exit_code == 1
    assert "alias" in gone.stderr
