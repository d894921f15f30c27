"""Tables on terminals of several widths: what is there stands there whole, nothing else does."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from rich.cells import cell_len

from esclip import Hit
from esclip._cli.output.hits import print_hits
from esclip._cli.output.links import place_link
from esclip._cli.output.reports import print_models, print_rejections
from esclip._core.rejections import LedgerEntry, Stage
from esclip._errors.reasons import Reason
from esclip._search.hits import Hits
from esclip.encoders import models

LINK = re.compile("\x1b]8;[^;]*;([^\x1b]*)\x1b\\\\")
STYLE = re.compile("\x1b\\[[0-9;]*m")
PLACE = "/home/anna/Pictures with a long name/2019-07 Norway/red car in the snow.jpg"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WIDTHS = (36, 80, 200)


def hit(**values: object) -> Hit:
    """A hit of an ordinary picture, but for `values`."""
    ordinary: dict[str, object] = {
        "rank": 1,
        "id": "27e97f64461a87f001c7",
        "score": 0.2345,
        "location": PLACE,
        "page": None,
        "description": "",
        "metadata": {},
    }
    return Hit(**{**ordinary, **values})  # type: ignore[arg-type]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> int:
    """A terminal on stdout; gives its width."""
    width: int = getattr(request, "param", 80)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    return width


def read(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], list[str]]:
    """The lines that a person reads, and the links behind them."""
    out = capsys.readouterr().out
    return STYLE.sub("", LINK.sub("", out)).splitlines(), [link for link in LINK.findall(out) if link]


@pytest.mark.parametrize("terminal", WIDTHS, indirect=True)
def test_a_place_stands_whole_and_last(terminal: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A path ends its line, and no line but that of a path is wider than the terminal."""
    hits = Hits([hit(), hit(rank=2, description="A car in the snow " * 8)])
    print_hits(hits, json=False)
    lines, _ = read(capsys)
    assert sum(line.endswith(PLACE) for line in lines) == 2
    assert all(cell_len(line) <= terminal for line in lines if PLACE not in line)
    assert "27e97f64461a87f001c7" in lines[1]
    shown = " ".join(" ".join(lines).replace(PLACE, "").split())
    assert " ".join(("A car in the snow " * 8)[:120].split()) in shown


def test_columns_without_a_value_are_left_out(terminal: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The header names what is there: no description, no relevance, no reasons of a rank."""
    print_hits(Hits([hit(location="/a.jpg")]), json=False)
    assert read(capsys)[0][0].split() == ["#", "score", "id", "location"]
    print_hits(Hits([hit(location="/a.jpg", relevance=0.5, description="A car")]), json=False)
    assert read(capsys)[0][0].split() == ["#", "score", "relevance", "id", "description", "location"]


def test_a_place_opens_by_a_click(terminal: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A file by its address, a picture on the web by its page, or else by itself."""
    web = "https://images.example/photo-1"
    pages = [
        hit(),
        hit(location=web, page="https://example/p/1"),
        hit(location=web),
        hit(location="elsewhere"),
    ]
    print_hits(Hits(pages), json=False)
    file = (
        "file:///home/anna/Pictures%20with%20a%20long%20name/2019-07%20Norway/red%20car%20in%20the%20snow.jpg"
    )
    assert read(capsys)[1] == [file, "https://example/p/1", web]


@pytest.mark.parametrize(
    "place", ["/a\x1b\\b\x9c.jpg", "https://h/\x9c\u202eb", "/\udcff.jpg", "https://h/é"]
)
def test_a_link_is_printable_ascii(place: str) -> None:
    """Nothing in a place can end its link and command the terminal."""
    link = place_link(place)
    assert link
    assert link.isascii()
    assert link.isprintable()


@pytest.mark.parametrize("place", ["a.jpg", "javascript:alert(1)", "https://u:pw@h/a", "/a\0b", "/a" * 999])
def test_what_has_no_address_has_no_link(place: str) -> None:
    """Neither has a place with a password in it, or one that no terminal takes."""
    assert place_link(place) is None


@pytest.mark.parametrize("terminal", WIDTHS, indirect=True)
def test_hostile_names_stay_escaped(terminal: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a hit, what would command a terminal is escaped, in its cells and in its link."""
    evil = "/a\x1b[31mb\x1b]8;;http://evil\x1b\\\x9dc\u202ed\n.jpg"
    print_hits(Hits([hit(location=evil, description=evil, id=evil)]), json=False)
    lines, links = read(capsys)
    assert all(line.isprintable() for line in lines)
    assert [link[:18] for link in links] == ["file:///a%1B%5B31m"]


@pytest.mark.parametrize("terminal", WIDTHS, indirect=True)
def test_models_can_be_copied(terminal: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The name of each model is a word of its line, at any width."""
    known = models()
    print_models(known, json=False)
    words = " ".join(read(capsys)[0]).replace(";", "").split()
    assert {model.name for model in known} <= set(words)
    assert {model.licence.split()[-1] for model in known} <= set(words)


@pytest.mark.parametrize("terminal", WIDTHS, indirect=True)
def test_rejections_show_place_and_detail(terminal: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Both stand there whole, at any width."""
    detail = "the file holds 12 bytes that are in no format which is supported"
    entry = LedgerEntry(
        "27e97f64461a87f001c7",
        PLACE,
        Stage.DECODE,
        Reason.NOT_AN_IMAGE,
        detail,
        attempts=1,
        last_attempt=NOW,
    )
    print_rejections([entry], json=False)
    lines, links = read(capsys)
    assert any(line.endswith(PLACE) for line in lines)
    assert detail in " ".join(" ".join(lines).split())
    assert links
