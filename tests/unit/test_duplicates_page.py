"""The page of near-duplicates without a browser: its forms, who may send them, the list of decisions."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from PIL import Image

import esclip
from esclip._server.decisions import Decision, Keep
from esclip._server.duplicate_jobs import GroupRow
from esclip._server.http_server import HttpServer
from esclip._server.page.pairs import iter_pairs, kept_side
from esclip._server.search_app import SearchApp
from tests.search_servers import Answer, ask, searching

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of two red pictures, one with a tab in its name, and a blue one."""
    folder = tmp_path_factory.mktemp("duplicates")
    for name, color, width in (("a\t<b>", "red", 80), ("b", "red", 40), ("c", "blue", 40)):
        Image.new("RGB", (width, 30), color).save(folder / f"{name}.png")
    with esclip.open_index(folder / "store", encoder="palette") as index:
        index.ingest(folder)
    return folder


@pytest.fixture(scope="module")
def server(pictures: Path) -> Iterator[HttpServer[SearchApp]]:
    """A service that shows paths."""
    with searching(esclip.open_index(pictures / "store"), pictures / "cache", show_paths=True) as server:
        yield server


def send(server: HttpServer[SearchApp], fields: dict[str, Any], **headers: str) -> Answer:
    """The answer to a form."""
    return ask(server, "POST", "/duplicates", urlencode(fields).encode(), FORM | headers)


@pytest.fixture(scope="module")
def ids(server: HttpServer[SearchApp]) -> list[str]:
    """Of both red pictures, as a pair of a job has them."""
    started = send(server, {"action": "compare", "threshold": "0.99"})
    assert started.status == 303
    page, until = "", time.monotonic() + 60
    while "Pair 1" not in page and time.monotonic() < until:
        page = ask(server, "GET", f"/{started.headers['Location']}").body.decode()
    assert "a\\t&lt;b&gt;.png" in page
    return [page.partition(f'name="{side}" value="')[2].partition('"')[0] for side in ("left", "right")]


def test_a_decision_becomes_a_list(server: HttpServer[SearchApp], ids: list[str], pictures: Path) -> None:
    """What is saved is in both lists, with paths, of which a tab makes no further column."""
    left, right = ids
    place = {"action": "decide", "left": left, "right": right, "job": "j", "offset": 10, "number": 11}
    saved = send(server, place | {"keep": "right"})
    assert (saved.status, saved.headers["Location"]) == (303, "duplicates?job=j&offset=10#pair-11")
    table = ask(server, "GET", "/duplicates/decisions?format=tsv")
    assert "attachment" in table.headers["Content-Disposition"]
    heading, row = (line.split("\t") for line in table.body.decode().splitlines())
    assert heading == ["drop_path", "keep_path", "drop", "keep", "decided"]
    assert row[:4] == [f"{pictures}/a\\t<b>.png", f"{pictures}/b.png", left, right]
    (decision,) = ask(server, "GET", "/duplicates/decisions").json["decisions"]
    assert decision["left_path"] == f"{pictures}/a\t<b>.png"
    assert (decision["left"], decision["right"], decision["keep"]) == (left, right, "right")
    send(server, place | {"keep": "undecided"})
    assert ask(server, "GET", "/duplicates/decisions").json == {"decisions": []}


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"action": "decide", "left": "x", "right": "y", "keep": "left"}, 404, "no such document"),
        ({"action": "decide", "keep": "left"}, 404, "no such document"),
        ({"action": "delete"}, 422, "/action"),
        ({"action": "compare", "threshold": "2"}, 422, "/threshold"),
        ({"action": "compare", "threshold": "nan"}, 422, "/threshold"),
        ({"action": "cancel", "job": "gone"}, 404, "no such job"),
        ({"action": "compare", "file": "/etc"}, 422, "/file"),
        ({f"field{number}": "" for number in range(30)}, 400, "the form"),
    ],
)
def test_forms_that_are_none(
    server: HttpServer[SearchApp], fields: dict[str, Any], status: int, said: str
) -> None:
    """A form that can't be used is said on the page, with its status."""
    answer = send(server, fields)
    assert answer.status == status
    assert said in answer.body.decode()
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_picture_is_no_duplicate_of_itself(server: HttpServer[SearchApp], ids: list[str]) -> None:
    """A decision is about two pictures."""
    answer = send(server, {"action": "decide", "left": ids[0], "right": ids[0], "keep": "left"})
    assert answer.status == 404


@pytest.mark.parametrize("origin", [{"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
def test_other_pages_decide_nothing(server: HttpServer[SearchApp], origin: dict[str, str]) -> None:
    """A form on a page of another origin is refused."""
    assert send(server, {"action": "compare"}, **origin).problem == "forbidden-origin"


def test_forms_have_their_type(server: HttpServer[SearchApp]) -> None:
    """What is sent as another type is no form."""
    answer = ask(
        server, "POST", "/duplicates", json.dumps({"action": "compare"}).encode(), {"Content-Type": "a/b"}
    )
    assert answer.status == 415


def test_pairs_of_groups() -> None:
    """The first picture of a group is paired with each of the others; a decision counts from either side."""
    rows = [
        GroupRow(True, 1, 1, 3, (("a", 1), ("b", 0.9), ("c", 0.8))),
        GroupRow(False, 1, 1, 2, (("d", 1), ("e", 0.9))),
    ]
    pairs = list(iter_pairs(rows))
    assert [(pair.number, pair.left, pair.right) for pair in pairs] == [
        (1, "a", "b"),
        (2, "a", "c"),
        (3, "d", "e"),
    ]
    decisions = [Decision("b", "a", Keep.LEFT, ""), Decision("b", "a", Keep.BOTH, ""), None]
    kept = [kept_side(pairs[0], decision) for decision in decisions]
    assert kept == [Keep.RIGHT, Keep.BOTH, Keep.UNDECIDED]
    assert kept_side(pairs[0], Decision("a", "b", Keep.LEFT, "")) is Keep.LEFT
