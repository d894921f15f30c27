"""`esclip embed`: what it takes for a text or a picture, its three formats, and what fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import esclip
from esclip._cli.app import app
from tests.servers import PictureServer, body

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command with `palette`, where red.png and blue.png are."""
    for color in ("red", "blue"):
        Image.new("RGB", (8, 8), color).save(tmp_path / f"{color}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def run(*words: str, status: int = 0, stdin: bytes | None = None, encoder: str = "palette") -> Result:
        named = ["--encoder", encoder] if encoder else []
        ran = CliRunner().invoke(app, ["embed", *named, *words], input=stdin)
        assert ran.exit_code == status, ran.output
        return ran

    return run


def lines(ran: Result) -> list[dict[str, object]]:
    """The JSON objects on stdout."""
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_texts_and_pictures_as_json_lines(run: Run) -> None:
    """In the order given, each with its place, what it was and its vector of unit length."""
    encoder = esclip.load_encoder("palette")
    red, blue = encoder.encode_texts(["something red", "something blue"])
    got = lines(run("something red", "blue.png", "something blue", "--text", "red.png", "--image", "red.png"))
    assert [(one["id"], one["input"], one["kind"]) for one in got] == [
        (0, "something red", "text"),
        (1, "blue.png", "image"),
        (2, "something blue", "text"),
        (3, "red.png", "text"),
        (4, "red.png", "image"),
    ]
    vectors = np.array([one["vector"] for one in got], np.float32)
    np.testing.assert_array_equal(vectors, [red, blue, blue, red, red])


def test_a_url_is_fetched(run: Run, tmp_path: Path) -> None:
    """A picture that the user names is fetched from any host."""
    with PictureServer({"/a.png": body((tmp_path / "red.png").read_bytes())}) as server:
        (got,) = lines(run(server.url("/a.png")))
    assert got["vector"] == lines(run("red"))[0]["vector"]


def test_lines_of_standard_input(run: Run) -> None:
    """One input a line, in batches; blank lines are passed over."""
    stdin = "red\n\n  blue.png \r\n" + "blue\n" * 70
    got = lines(run("-", "red.png", "--batch-size", "16", stdin=stdin.encode()))
    assert [one["id"] for one in got] == [*range(73)]
    assert [one["kind"] for one in got] == ["text", "image", *["text"] * 70, "image"]


def test_a_numpy_file_has_a_row_for_each_input(run: Run, tmp_path: Path) -> None:
    """Of NaN where there is no vector; an earlier file is replaced."""
    (tmp_path / "a.npy").write_bytes(b"earlier")
    ran = run("red", "gone.png", "blue.png", "--out", "a.npy", status=1)
    assert ran.stdout == ""
    assert '"gone.png" looks like a path' in ran.stderr
    assert "2 vectors of 12 dimensions by palette in" in ran.stderr
    rows = np.load(tmp_path / "a.npy")
    assert (rows.shape, rows.dtype) == ((3, 12), np.float32)
    assert np.isnan(rows).any(axis=1).tolist() == [False, True, False]
    run("-", "--out", "many.npy", stdin=b"red\n" * 1000)
    np.testing.assert_array_equal(np.load(tmp_path / "many.npy"), np.tile(rows[0], (1000, 1)))
    run("-", "--out", "none.npy", stdin=b"")
    assert np.load(tmp_path / "none.npy").shape == (0, 12)


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "A.JSON"])
def test_a_table_has_rows_with_vectors(run: Run, tmp_path: Path, name: str) -> None:
    """With the inputs and their places, in both formats."""
    run("red", "gone.png", "blue.png", "--out", name, status=1)
    if name == "a.parquet":
        table = pq.read_table(tmp_path / name)
        assert str(table.schema.field("vector").type) == "fixed_size_list<element: float>[12]"
        rows = table.to_pylist()
    else:
        rows = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
    assert [(row["id"], row["input"], row["kind"]) for row in rows] == [
        (0, "red", "text"),
        (2, "blue.png", "image"),
    ]
    assert [sum(x * x for x in row["vector"]) for row in rows] == pytest.approx([1, 1])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["\x1b[31m/b"], "no such file"),
        ([""], "empty"),
        (["--image", "ftp://host/a.jpg"], "bad_url"),
        (["--image", "notes.txt"], "not_an_image"),
        (["--image", "."], "unreadable_file"),
    ],
)
def test_an_input_that_fails_is_told(run: Run, tmp_path: Path, words: list[str], told: str) -> None:
    """In a line each on stderr; the others have their vectors, and the exit status is 1."""
    (tmp_path / "notes.txt").write_text("red")
    ran = run("red", *words, "--text", "blue", status=1)
    assert len(lines(ran)) == 2
    assert told in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.rstrip("\n").isprintable()


def test_wrong_usage(run: Run, tmp_path: Path) -> None:
    """Nothing to encode, another suffix, a folder that isn't there, bytes that are no text."""
    assert "name what to encode" in run(status=2).stderr
    assert ".npy, .parquet, .jsonl" in run("red", "--out", "a.txt", status=2).stderr
    assert "No such file" in run("red", "--out", "no/a.npy", status=1).stderr
    assert "standard input" in run("-", "--out", "a.npy", stdin=b"\xff\xfe\0", status=1).stderr
    assert {path.name for path in tmp_path.iterdir()} - {"data"} == {"blue.png", "red.png"}


def test_the_encoder_is_the_index_s(run: Run, tmp_path: Path) -> None:
    """Where none is named; an index that is named has to be there."""
    with esclip.open_index(tmp_path / "store", "pictures", "palette") as index:
        index.add(tmp_path / "red.png")
        assert index.load_encoder().space.model == "palette"
    named = ["--store", str(tmp_path / "store"), "--index", "pictures"]
    assert len(lines(run("red", *named, encoder=""))) == 1
    assert "does not exist" in run("red", *named[:2], encoder="", status=1).stderr
