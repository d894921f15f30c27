"""What other tools call an option is answered with its name here, from Python and on the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

import esclip
from esclip._cli.app import app
from esclip._core.options import declared
from esclip._core.other_names import OTHER_NAMES

COMMANDS: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
ELSEWHERE = {"text:-1": "text"}
UNTYPED: Any = esclip
"""For calls that a type checker refuses."""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> esclip.ImageIndex:
    return esclip.open_index(tmp_path_factory.mktemp("names") / "store", encoder="palette")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda index: index.search_text("red", top_k=3), "search_text() has no argument top_k=; it is k="),
        (lambda index: index.search_text("red", n_results=3), "k="),
        (lambda index: index.search_texts(["red"], limit=3), "k="),
        (lambda index: index.search_text(query="red"), "text="),
        (lambda index: index.search_image(image_path="a.jpg"), "image="),
        (lambda index: index.similar("a", filter={"a": 1}), "where="),
        (lambda index: index.recommend("a", negative=["b"]), "unlike="),
        (lambda index: index.search_text("red", score_threshold=0.2), "min_score="),
        (lambda index: index.search_text("red", min_scores=0.2), "did you mean min_score=?"),
        (lambda index: index.peek(limit=3), "n="),
        (lambda index: index.get(id="a"), "ids="),
        (lambda index: index.duplicates(min_score=0.9), "threshold="),
        (lambda index: index.ingest("photos", num_workers=3), "workers="),
        (lambda index: index.ingest(folder="photos"), "paths are given without a name"),
        (lambda index: index.search("red", k=3), 'Query("a dog", k=5)'),
        (lambda index: UNTYPED.Query("red", query_filter="a=b"), "Query() has no argument query_filter="),
        (lambda index: UNTYPED.open_index(uri="photos.lance"), "store="),
        (lambda index: UNTYPED.open_index(collection_name="photos"), "index="),
        (lambda index: UNTYPED.open_index(model="palette"), "encoder="),
        (lambda index: UNTYPED.load_encoder(model_name="palette"), "name="),
        (lambda index: index.ingest("photos", caption_model="blip"), "captioner="),
        (lambda index: UNTYPED.classify("a.jpg", candidate_labels=["red"]), "labels="),
        (lambda index: index.similar("a", nothing_like_it=1), "it has candidates, collapse, exact"),
    ],
)
def test_an_argument_of_others_is_answered_with_ours(
    index: esclip.ImageIndex, call: Callable[[Any], object], told: str
) -> None:
    """The error of an unknown argument says what to write."""
    with pytest.raises(TypeError) as error:
        call(index)
    assert told in str(error.value)


def test_signatures_are_as_written() -> None:
    """`help` and editors see the arguments of the function itself."""
    assert list(inspect.signature(esclip.open_index).parameters)[:3] == ["store", "index", "encoder"]
    assert "n_results" not in str(inspect.signature(esclip.ImageIndex.search_text))
    assert esclip.ImageIndex.search_text.__doc__


def test_every_answer_is_a_name_of_ours() -> None:
    """The table leads to arguments and options that there are."""
    options = {param.name for command in COMMANDS.values() for param in command.params}
    methods = inspect.getmembers(esclip.ImageIndex, inspect.isfunction)
    named = (esclip.open_index, esclip.load_encoder, esclip.classify, esclip.Client)
    functions: list[Any] = [*named, *(method for _, method in methods)]
    arguments = {name for one in functions for name in inspect.signature(one).parameters}
    arguments |= {*declared(esclip.IngestOptions), *declared(esclip.QueryOptions)}
    answers = {ELSEWHERE.get(ours, ours) for several in OTHER_NAMES.values() for ours in several}
    assert answers <= options | arguments


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("search-text red --limit 3", "Here it is --top."),
        ("search-text red --top_k=3", "Here it is --top."),
        ("search-text red -t 3", "Here it is --top."),
        ("search-texts queries --n-results 3", "Here it is --top."),
        ("similar a --limit=3", "Here it is --top."),
        ("search --text red --subtract blue", "Here it is --text:-1."),
        ("search-image a.jpg --filter a=b", "Here it is --where."),
        ("ingest photos --max-records 3", "Here it is --limit."),
        ("stats --collection photos", "Here it is --index."),
        ("stats --jso", "Did you mean --json?"),
    ],
)
def test_an_option_of_others_is_answered_with_ours(line: str, told: str) -> None:
    """It is wrong usage, and the error says how the command calls it."""
    ran = CliRunner().invoke(app, line.split())
    assert ran.exit_code == 2
    assert told in " ".join(ran.stderr.split())


def test_the_number_of_hits_has_a_long_name(tmp_path: Path) -> None:
    """`--top` is `-k`, with the same bounds, for each command that has it."""
    with_k = [name for name, command in COMMANDS.items() if any("-k" in p.opts for p in command.params)]
    for name in with_k:
        assert "--top" in CliRunner().invoke(app, [name, "--help"]).stdout
    ran = CliRunner().invoke(app, ["search-text", "red", "--top", "0", "--store", str(tmp_path / "none")])
    assert ran.exit_code == 2
    assert "--top" in ran.stderr
