"""The deadline, tries and pauses of fetches, and how soon they stop."""

from __future__ import annotations

import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path

import pytest

from esclip._errors.reasons import Reason
from tests.fetching import PICTURE, fetcher, refusal, took
from tests.servers import (
    PictureServer,
    Route,
    body,
    cut_off,
    drip,
    drip_headers,
    hang_up,
    in_turn,
    stall,
    status,
)


class TestTime:
    @pytest.mark.parametrize(
        "route",
        [stall, drip(PICTURE, every=0.02), drip_headers(every=0.02)],
        ids=["stall", "drip", "drip-headers"],
    )
    def test_the_deadline_holds(self, server: PictureServer, route: Route) -> None:
        """A server that says nothing, or drips its body or headers, gets as long as any other."""
        server.routes["/b.jpg"] = route
        before = time.monotonic()
        assert refusal(server.url("/b.jpg"), timeout=0.4).reason is Reason.TIMEOUT
        assert time.monotonic() - before < 1.5

    @pytest.mark.parametrize("bad", [status(500), status(429), cut_off(b"a", 9), hang_up])
    def test_tries_again(self, server: PictureServer, bad: Route) -> None:
        """What fails twice and then works is had."""
        server.routes["/b.jpg"] = in_turn(bad, bad, body(PICTURE))
        with fetcher() as fetching:
            assert fetching.fetch(server.url("/b.jpg")) == PICTURE
        assert server.requests["/b.jpg"] == 3

    @pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
    def test_waits_as_asked(self, server: PictureServer, as_date: bool) -> None:
        """A server that asks for a pause gets it, given in seconds or as a date."""
        # a date has whole seconds, so this one is more than one away and at most two
        asked = formatdate(time.time() + 2, usegmt=True) if as_date else "1"
        server.routes["/b.jpg"] = in_turn(status(429, Retry_After=asked), body(PICTURE))
        with fetcher() as fetching:
            assert took(lambda: fetching.fetch(server.url("/b.jpg"))) > 0.9

    def test_gives_up_when_asked_to_wait_too_long(self, server: PictureServer) -> None:
        """A pause beyond the deadline is not begun."""
        server.routes["/b.jpg"] = status(429, Retry_After=3600)
        errors = []
        assert took(lambda: errors.append(refusal(server.url("/b.jpg")))) < 1
        assert errors[0].reason is Reason.HTTP_429
        assert server.requests["/b.jpg"] == 1

    @pytest.mark.parametrize("asked", ["soon", "-1", "9" * 5000, "Fri, 99 Foo 2099"])
    def test_ignores_a_senseless_pause(self, server: PictureServer, asked: str) -> None:
        """A Retry-After that says nothing is as good as none."""
        server.routes["/b.jpg"] = in_turn(status(503, Retry_After=asked), body(PICTURE))
        with fetcher() as fetching:
            assert fetching.fetch(server.url("/b.jpg")) == PICTURE

    @pytest.mark.parametrize("route", [stall, drip(PICTURE, every=0.02), status(429, Retry_After=20)])
    def test_stop_ends_what_is_under_way(self, server: PictureServer, route: Route) -> None:
        """A wait for an answer, for a body or for the next try ends soon after a stop."""
        server.routes["/b.jpg"] = route
        with fetcher(timeout=60) as fetching, ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(fetching.fetch, server.url("/b.jpg"))
            while not server.requests["/b.jpg"]:
                time.sleep(0.01)
            fetching.stop()
            assert took(lambda: under_way.exception(10)) < 1.5
            assert isinstance(under_way.exception(), CancelledError)

    def test_nothing_begins_after_a_stop(self, server: PictureServer, tmp_path: Path) -> None:
        """Once stopped, neither a URL nor a file is read."""
        (tmp_path / "a.jpg").write_bytes(PICTURE)
        with fetcher() as fetching:
            fetching.stop()
            assert fetching.stopped.is_set()
            for picture in (server.url("/a.jpg"), tmp_path / "a.jpg"):
                with pytest.raises(CancelledError):
                    fetching.fetch(picture)
        assert not server.requests
