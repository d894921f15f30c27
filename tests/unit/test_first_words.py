"""What users of rclip, clip-retrieval, LanceDB, Chroma, txtai and llm type first works, or gets our word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import esclip
from esclip._cli.app import app
from esclip._cli.demo import draw_pictures

RED = "red sunset.png"

COMMANDS: list[tuple[str, list[str], str]] = [
    # rclip
    ("rclip QUERY", ["something red"], "esclip search 'something red'"),
    ("rclip ./FILE", ["./cat.jpg"], "esclip search ./cat.jpg"),
    ("rclip QUERY", ["search", "something red"], RED),
    ("rclip ./FILE", ["search", f"./pictures/{RED}"], RED),
    ("rclip --top", ["search", "something red", "--top", "3"], RED),
    ("rclip -t", ["search", "something red", "-t", "3"], "--top"),
    ("rclip --filepath-only", ["search", "something red", "--filepath-only"], "--paths"),
    ("rclip -f", ["search", "something red", "-f"], "--paths"),
    ("rclip -f | xargs -0", ["search", "something red", "--paths", "-0"], f"{RED}\0"),
    ("rclip A + B", ["search", "red", "+", "blue"], "--text"),
    ("rclip A - B", ["search", "red", "-", "blue"], "--text:-1"),
    ("rclip --add", ["search", "red", "--add", "blue"], "--text"),
    ("rclip --subtract", ["search", "red", "--subtract", "blue"], "--text:-1"),
    ("rclip, where one stands", ["search", "something red", "--here"], RED),
    # clip-retrieval
    ("clip-retrieval inference", ["inference", "--input_dataset", "pictures"], "ingest"),
    ("clip-retrieval index", ["index", "pictures"], "ingest"),
    ("clip-retrieval filter", ["filter", "--query", "red", "--output_folder", "best"], "search"),
    ("--num_results", ["search", "red", "--num_results", "3"], "--top"),
    ("--num_images", ["search", "red", "--num_images", "3"], "--top"),
    ("copies of the best", ["search", "red", "-k", "2", "--copy-to", "best"], ""),
    ("clip-retrieval back", ["serve", "--help"], "over HTTP"),
    # LanceDB, Chroma
    ("create", ["add", "pictures"], "ingest"),
    ("collections", ["indexes"], "image_search"),
    ("collections", ["collections"], "indexes"),
    ("list", ["list"], "indexes"),
    ("count", ["count"], "stats"),
    ("delete", ["delete", "some-id"], "forget"),
    ("query", ["query", "something red"], "search"),
    ("--limit", ["search", "something red", "--limit", "3"], "--top"),
    ("--n-results", ["search", "red", "--n-results", "3"], "--top"),
    ("--filter", ["search", "red", "--filter", "file_size>1"], "--where"),
    ("--collection", ["search", "red", "--collection", "image_search"], "--index"),
    ("--threshold", ["search", "red", "--threshold", "0.3"], "--min-score"),
    # llm
    ("llm models", ["models"], "clip-ViT-B-32"),
    ("llm embed", ["embed", "something red"], '"vector":['),
    ("llm embed FILE", ["embed", f"pictures/{RED}"], '"vector":['),
    ("llm -m", ["search", "something red", "-m", "palette"], "--encoder"),
    ("llm --model", ["search", "something red", "--model", "palette"], RED),
    ("llm similar -n", ["similar", "some-id", "-n", "3"], "--top"),
    ("find", ["find", "something red"], "search"),
    ("dedupe", ["dedupe"], "duplicates"),
    ("help", ["help"], "--help"),
]
"""Who types it, the words, and what stands in the answer: a result, or the word to type instead."""

Call = Callable[[esclip.ImageIndex], Any]

CALLS: list[tuple[str, Call, str]] = [
    ("LanceDB connect", lambda _: esclip.connect("store"), "open_index"),  # type: ignore[attr-defined]
    ("Chroma Client", lambda _: esclip.Client(), "open_index"),
    ("Chroma PersistentClient", lambda _: esclip.PersistentClient("store"), "open_index"),  # type: ignore[attr-defined]
    ("txtai Embeddings", lambda _: esclip.Embeddings(), "open_index"),  # type: ignore[attr-defined]
    ("txtai search", lambda index: index.search("something red")[0].location, "sunset"),
    ("txtai limit=", lambda index: index.search_text("red", limit=3), "k="),  # type: ignore[call-arg]
    ("Chroma n_results=", lambda index: index.search_text("red", n_results=3), "k="),  # type: ignore[call-arg]
    ("top_k=", lambda index: index.search_text("red", top_k=3), "k="),  # type: ignore[call-arg]
    ("Chroma query", lambda index: index.query(query_texts=["red"]), "search()"),  # type: ignore[attr-defined]
    ("Chroma count", lambda index: index.count(), "len(index)"),  # type: ignore[attr-defined]
    ("Chroma peek", lambda index: index.peek()[0].record.location, "pictures"),
    ("Chroma get", lambda index: index.get([index.search_text("red")[0].id])[0].record.location, "sunset"),
    ("LanceDB to_list", lambda index: index.search_text("red").to_list(), "to_dicts"),  # type: ignore[attr-defined]
    ("LanceDB to_pandas", lambda index: list(index.search_text("red").to_pandas()["file_name"]), "sunset"),
    ("LanceDB to_arrow", lambda index: index.search_text("red").to_arrow(), "sunset"),
    ("LanceDB add", lambda index: index.add([Path("photo.png")]), "1 written"),
    ("LanceDB delete", lambda index: index.delete(where='file_name="grey cat.png"'), "1"),
    ("len", lambda index: 20 < len(index) < 30, "True"),
]
"""Who calls it, the call, and what stands in what comes back or in the error."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of the demo's pictures."""
    folder = tmp_path_factory.mktemp("habits")
    draw_pictures(folder / "pictures")
    (folder / "photo.png").write_bytes((folder / "pictures" / RED).read_bytes())
    with esclip.open_index(folder / "store", encoder="palette") as index:
        index.ingest(folder / "pictures")
    return folder


@pytest.fixture
def place(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder, as the working directory, with its index in the default store."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("ESCLIP_STORE", str(home / "store"))
    monkeypatch.setenv("COLUMNS", "200")
    return home


def run(words: list[str]) -> Result:
    return CliRunner().invoke(app, words)


@pytest.mark.parametrize(("habit", "words", "answer"), COMMANDS)
def test_commands(place: Path, habit: str, words: list[str], answer: str) -> None:
    """A command by habit gives its result, or an error of usage that names the right word."""
    ran = run(words)
    assert ran.exit_code in (0, 1, 2), ran.output
    assert ran.exception is None or isinstance(ran.exception, SystemExit), habit
    assert answer in ran.output, ran.output
    if answer in (RED, ""):
        assert ran.exit_code == 0, ran.output


@pytest.mark.parametrize(("habit", "call", "answer"), CALLS)
def test_calls(place: Path, habit: str, call: Call, answer: str) -> None:
    """A call by habit gives its result, or an error that names the right word."""
    with esclip.open_index("store", encoder="palette") as index:
        try:
            shown = str(call(index))
        except (AttributeError, TypeError, esclip.ConfigError) as error:
            shown = str(error)
    assert answer in shown, shown
