"""A search service while the name that it serves is switched: no request fails, none mixes two indexes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from PIL import Image

import esclip
from esclip._core.searches import Search
from esclip._core.types import Hit
from esclip._errors import IndexNotFound
from esclip.stores import open_store
from esclip.stores.wrapper import StoreWrapper
from tests.search_servers import ask, searching

COLORS = ("red", "green", "blue", "white", "black")


def fill(folder: Path, name: str) -> None:
    """An index whose pictures say which index they are of."""
    with esclip.open_index(folder, name, "palette") as index:
        index.add(
            {"id": f"{name} {color}", "image": Image.new("RGB", (40, 30), color), "of": name}
            for color in COLORS
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with the index `photos`, and two more."""
    folder = tmp_path / "store"
    for name in ("photos", "a", "b"):
        fill(folder, name)
    return folder


@pytest.fixture
def server(folder: Path, tmp_path: Path) -> Iterator[Any]:
    """A service of `photos`, which follows it."""
    with searching(esclip.open_index(folder, "photos"), tmp_path / "cache") as server:
        server.app.follower.start(0.2)
        yield server


def answer(server: Any, path: str = "/v1/search/batch") -> tuple[int, set[str]]:
    """The status of several searches at once, and of which indexes their hits are."""
    told = ask(server, "POST", path, {"queries": [{"parts": [{"text": color}]} for color in COLORS]})
    found = told.json.get("results", [])
    return told.status, {hit["metadata"]["of"] for one in found for hit in one["hits"]}


def wait_for(server: Any, of: str) -> None:
    """Until the hits are of this index."""
    until = time.monotonic() + 20
    while (told := answer(server)) != (200, {of}):
        assert time.monotonic() < until, told
        time.sleep(0.05)


def test_no_request_fails_while_a_name_is_switched(folder: Path, server: Any) -> None:
    """The first switch takes the index's own name away, one after it drops the index that is served."""
    done = Event()
    answers: list[list[tuple[int, set[str]]]] = [[], [], []]

    def search(number: int) -> None:
        while not done.is_set():
            answers[number].append(answer(server))

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(search, number) for number in range(3)]
        try:
            for to in ("a", "b", "photos-1", "a"):
                time.sleep(0.3)
                assert esclip.switch_index(to, "photos", folder).changed
                wait_for(server, to.removesuffix("-1"))
            esclip.switch_index("b", "photos", folder)
            with esclip.open_index(folder, "a") as index:
                index.drop()  # at once: before the service has looked
            wait_for(server, "b")
        finally:
            done.set()
        for one in running:
            one.result()
    told = [one for of_thread in answers for one in of_thread]
    assert {status for status, _ in told} == {200}
    assert all(len(of) == 1 for _, of in told)
    assert {name for _, of in told for name in of} == {"photos", "a", "b"}


def test_a_switch_after_the_last_look(folder: Path, tmp_path: Path) -> None:
    """A search that finds its index gone looks again, though the follower has looked since it began."""
    began, switched = Event(), Event()

    class Gone(StoreWrapper):
        def search(self, *searches: Search) -> list[list[Hit]]:
            began.set()
            assert switched.wait(20)
            raise IndexNotFound("photos is not there any more")

    opened = esclip.open_index(Gone(open_store(folder, "photos")))
    with searching(opened, tmp_path / "cache") as server, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(answer, server)
        assert began.wait(20)
        assert not server.app.follower.look()
        esclip.switch_index("a", "photos", folder)
        switched.set()
        assert asked.result() == (200, {"a"})


def test_what_a_service_knows_of_an_index_is_of_the_new_one(folder: Path, server: Any) -> None:
    """The page, the pages of duplicates and labels, and the lists are of the index that is served now."""
    for path in ("/", "/duplicates", "/labels", "/v1/index"):
        assert ask(server, "GET", path).status == 200
    job = ask(server, "POST", "/v1/jobs", {"kind": "duplicates"}).json["id"]
    esclip.switch_index("a", "photos", folder)
    assert server.app.follower.look() or server.app.service.index.store.index == "a"
    assert ask(server, "GET", "/v1/index").json["index"] == "a"
    assert b"<span>a</span>" in ask(server, "GET", "/").body
    assert ask(server, "GET", f"/v1/jobs/{job}").status == 200
    assert ask(server, "GET", "/v1/documents?ids=a%20red").json["documents"]
    assert ask(server, "GET", "/v1/documents?ids=photos%20red").json["documents"] == []


def test_an_index_that_can_not_be_served_is_not_switched_to(
    folder: Path, tmp_path: Path, caplog: Any
) -> None:
    """Of another model than the service was started with: it goes on with the index that it has."""
    from tests.unit.test_switch import OtherPalette

    with esclip.open_index(folder, "other", OtherPalette()) as index:
        index.add({"id": color, "image": Image.new("RGB", (40, 30), color)} for color in COLORS)
    esclip.switch_index("a", "live", folder)
    opened = esclip.open_index(folder, "live", "palette")
    with searching(opened, tmp_path / "cache") as server:
        assert answer(server) == (200, {"a"})
        esclip.switch_index("other", "live", folder)
        assert not server.app.follower.look()
        assert not server.app.follower.look()
        assert answer(server) == (200, {"a"})
    assert [record.message for record in caplog.records if "was made with" in record.message] != []
