"""The docstrings of public callables list every argument, and their examples run."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import esclip
from esclip import sources, stores
from esclip._core.options import Declaration, declared
from scripts.render_api import API, render
from tests.search_servers import searching

OPTIONS = re.compile(r"Unpack\[(\w+)\]")


def _callables() -> Iterator[tuple[str, Callable[..., Any]]]:
    """What a user calls: the functions, the methods of an index and of a client, and a query."""
    yield from (
        (name, getattr(esclip, name)) for name in esclip.__all__ if inspect.isfunction(getattr(esclip, name))
    )
    yield from (
        (f"{owner.__name__}.{name}", method)
        for owner in (esclip.ImageIndex, esclip.Client)
        for name, method in inspect.getmembers(owner, inspect.isfunction)
        if not name.startswith("_") and name != "renew"
    )
    yield "Query.__init__", esclip.Query.__init__
    yield "LabelSet.__init__", esclip.LabelSet.__init__
    yield "LabelSet.read", esclip.LabelSet.read
    yield "open_source", sources.open_source
    yield "open_store", stores.open_store


CALLABLES = dict(_callables())


def section(value: object, title: str) -> str:
    """The text of a section of a docstring; empty where it has none."""
    match = re.search(rf"^{title}:\n((?:    .*\n|\n)+)", f"{inspect.getdoc(value)}\n", re.MULTILINE)
    return textwrap.dedent(match[1]) if match else ""


def options_of(function: Callable[..., Any]) -> Mapping[str, Declaration]:
    """The options that a function takes by a TypedDict."""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            (name,) = OPTIONS.findall(str(parameter.annotation))
            return declared(getattr(esclip, name))
    return {}


def entries_of(function: Callable[..., Any]) -> dict[str, str]:
    """The entries under Args, by name."""
    entries = re.findall(r"^(\*{0,2}\w+): ((?:.*\n(?:    .*\n)*))", section(function, "Args"), re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def written(default: Any) -> str:
    """A default as docstrings write it."""
    match default:
        case bool():
            return str(default)
        case tuple():
            return f"`{json.dumps(default)}`"
        case str():
            return json.dumps(default)
        case _:
            return f"{default:g}"


@pytest.mark.parametrize("name", CALLABLES)
def test_every_argument_is_described(name: str) -> None:
    """Each parameter, each option has its entry under Args, and nothing else has."""
    function = CALLABLES[name]
    entries = entries_of(function)
    listed = set(re.findall(r"`(\w+)`", entries.pop("**options", "").partition(": as in")[0]))
    parameters = inspect.signature(function).parameters.values()
    named = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD and p.name != "self"}
    assert {*entries} | listed == named | {*options_of(function)}


@pytest.mark.parametrize("name", ["ImageIndex.ingest", "ImageIndex.search_text"])
def test_defaults_are_those_of_the_declaration(name: str) -> None:
    """An option's entry has the default that the option is declared with."""
    entries = entries_of(CALLABLES[name])
    for option, (_, opt) in options_of(CALLABLES[name]).items():
        if opt and opt.default not in (None, ()):
            assert f"Default: {written(opt.default)}" in entries[option]


def test_a_retry_may_reject_all() -> None:
    """The one default of a retry that isn't an ingest's stands in its docstring."""
    retry = CALLABLES["ImageIndex.retry"]
    _, opt = options_of(retry)["max_rejection_rate"]
    assert opt
    assert f"`max_rejection_rate` (default: {opt.default:g})" in entries_of(retry)["**options"]


CLASSES = {name: value for name in esclip.__all__ if inspect.isclass(value := getattr(esclip, name))}
EXAMPLES = {
    name: text for name, value in (CLASSES | CALLABLES).items() if (text := section(value, "Example"))
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with what the examples name."""
    (tmp_path / "photos").mkdir()
    for color in ("red", "green", "blue"):
        Image.new("RGB", (64, 48), color).save(tmp_path / "photos" / f"{color}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(name: str, place: Path) -> None:
    """An example of a docstring runs to its end, on an index of pictures, or on a service of it."""
    names: dict[str, Any] = {"esclip": esclip, "Path": Path}
    with esclip.open_index(place / "store", encoder="palette") as index, ExitStack() as stack:
        index.ingest(place / "photos", parts=["crops"], labels="red,green,blue")
        if name.startswith("Client."):
            server = stack.enter_context(searching(index, place / "cache", writable=True))
            names["client"] = stack.enter_context(esclip.Client(server.address))
        exec(compile(EXAMPLES[name], name, "exec"), names | {"index": index})


def test_the_page_of_the_api_is_current() -> None:
    """docs/reference/api.md is as `scripts/render_api.py` writes it."""
    assert API.read_text(encoding="utf-8") == render()
