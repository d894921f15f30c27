"""How the command line reads ids that begin with dashes, and weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import esclip
from esclip._cli.app import app
from esclip._core.types import StoredDocument, unit_rows
from esclip.testing.documents import record
from tests.servers import PictureServer

Run = Callable[..., Result]
IDS = ("-abcdefghij", "--uO_qVwJU0", "--store=http://127.0.0.1:9", "-k5", "-h", "--json", "plain")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of an index by colours whose ids look like options."""
    folder = tmp_path_factory.mktemp("dashes")
    photos = folder / "photos"
    photos.mkdir()
    for name in ("red", "blue", "3:4"):
        Image.new("RGB", (8, 8), "green" if ":" in name else name).save(photos / f"{name}.png")
    with esclip.open_index(folder / "store", encoder="palette") as index:
        index.ingest(photos)
        dim = esclip.load_encoder("palette").space.dim
        vectors = unit_rows(np.random.default_rng(0).normal(size=(len(IDS), dim)))
        documents = [StoredDocument(record(id), vector, id) for id, vector in zip(IDS, vectors, strict=True)]
        index.store.upsert(documents)
    return folder


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on that index."""
    monkeypatch.setenv("ESCLIP_STORE", str(place / "store"))

    def run(*words: str | Path, status: int = 0) -> Result:
        ran = CliRunner().invoke(app, [str(word) for word in words])
        assert ran.exit_code == status, ran.output
        return ran

    return run


def parts_of(ran: Result) -> list[tuple[str, float]]:
    """The parts of the query and their weights, as the first hit names them."""
    why: list[dict[str, Any]] = json.loads(ran.stdout.splitlines()[0])["why"]
    return [(one["part"], one["weight"]) for one in why]


@pytest.mark.parametrize(
    ("words", "part", "weight"),
    [
        (["--text", "16:9 red wallpaper"], "text: 16:9 red wallpaper", 1),
        (["--text", "0.5:red"], "text: 0.5:red", 1),
        (["--text:0.5", "16:9 red"], "text: 16:9 red", 0.5),
        (["--text:2=-1:red"], "text: -1:red", 2),
        (["--text", "--text:2 red"], "text: --text:2 red", 1),
        (["--id:.5", "plain"], "id: plain", 0.5),
        (["--words:3", "red"], "words: red", 3),
    ],
)
def test_a_weight_stands_with_its_option(run: Run, words: list[str], part: str, weight: float) -> None:
    """Whatever a value looks like, it is looked for as it stands; its weight is behind the option's name."""
    found = parts_of(run("search", *words, "--text", "red", "--explain", "--json"))
    assert dict(found)[part] == pytest.approx(weight)


def test_a_file_may_be_called_like_a_weight(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture `3:4.png` is found by its name."""
    monkeypatch.chdir(place / "photos")
    ran = run("search", "--image", "3:4.png", "-k", "1")
    assert ran.stdout.endswith("3:4.png\n")


def test_a_weight_below_zero_leads_away(run: Run) -> None:
    """What is to be led away from counts against a hit."""
    found = parts_of(run("search", "--text", "red", "--text:-0.5", "blue", "--explain", "--json"))
    assert found == [("text: red", 1.0), ("text: blue", -0.5)]


@pytest.mark.parametrize("weight", ["", "x", "nan", "inf", "1e400", "1001", "-1001", "9" * 400, "1:2"])
def test_a_weight_is_a_number_within_bounds(run: Run, weight: str) -> None:
    """Anything else is wrong usage that shows how one is written."""
    assert "--text:0.5" in run("search", f"--text:{weight}", "red", status=2).stderr


@pytest.mark.parametrize(
    ("value", "told"), [("2:red", "--text:2"), ("-0.5:red", "--text:-0.5"), ("16:9 red", ""), ("a: red", "")]
)
def test_the_former_spelling_of_a_weight_is_told(
    run: Run, caplog: pytest.LogCaptureFixture, value: str, told: str
) -> None:
    """Who writes a weight into the value is told where it belongs; ratios and times are left alone."""
    run("search", "--text", value)
    assert told in caplog.text
    assert bool(told) == ("weight" in caplog.text)


@pytest.mark.parametrize("id", IDS)
def test_any_id_may_stand_behind_two_dashes(run: Run, id: str) -> None:
    """Nothing behind `--` is an option; nor is the value of one."""
    assert len(run("similar", "-k", "3", "--", id).stdout.splitlines()) == 3
    assert len(run("recommend", "-k", "3", "--", id, "plain").stdout.splitlines()) == 3
    assert len(run("search", "--id", id, "-k", "3").stdout.splitlines()) == 3
    unlike = "plain" if id != "plain" else "-h"
    assert len(run("recommend", "--unlike", id, "-k", "3", "--", unlike).stdout.splitlines()) == 3


def test_an_id_with_one_dash_needs_none(run: Run) -> None:
    """Such ids are taken as they are, and beside them options with values that begin with a dash."""
    words = ("-abcdefghij", "--min-score", "-0.5", "-k", "2")
    assert len(run("similar", *words).stdout.splitlines()) == 2


def test_no_id_begins_with_two_dashes(run: Run) -> None:
    """It is wrong usage, which says where such an id stands, or which option was meant."""
    assert "similar -- --uO_qVwJU0" in run("similar", "--uO_qVwJU0", status=2).stderr
    assert "--json" in run("recommend", "plain", "--jsn", status=2).stderr


@pytest.mark.parametrize("words", [["plain", "STORE"], ["STORE", "plain"], ["plain", "STORE", "-abcdefghij"]])
def test_an_id_sends_no_key_anywhere(run: Run, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that reads `--store=http://...` doesn't get the key that a variable holds."""
    monkeypatch.setenv("ESCLIP_API_KEY", "s3cret")
    with PictureServer({}) as server:
        store = f"--store={server.url('')}"
        run("recommend", *(store if word == "STORE" else word for word in words), status=2)
        run("recommend", "--", *(store if word == "STORE" else word for word in words), status=1)
        assert not server.headers_seen


@pytest.mark.parametrize("words", [["plain", "WHERE"], ["WHERE", "plain"]])
def test_an_id_removes_no_more_than_its_document(run: Run, words: list[str]) -> None:
    """An id that reads `--where=...` doesn't remove what fulfils it."""
    words = ["--where=exists(country)" if word == "WHERE" else word for word in words]
    assert "-- ID" in run("forget", "--yes", *words, status=2).stderr
    assert len(run("similar", "-k", "3", "--", "plain").stdout.splitlines()) == 3
