"""A host that asks for a pause gets it from all threads, and none of its pictures is lost by that."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from esclip._errors import FetchError
from esclip._errors.reasons import Reason
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import Endpoint
from esclip._fetch.politeness import HostBackoff
from tests.fetching import PICTURE, fetcher, took
from tests.servers import Exchange, PictureServer, body, in_turn, redirect, status


@pytest.fixture
def times(server: PictureServer) -> list[float]:
    """When pictures were asked for; `/limited` asks for a pause of a second, then is there."""
    asked: list[float] = []

    def note(exchange: Exchange) -> None:
        asked.append(time.monotonic())
        body(PICTURE)(exchange)

    def refuse(exchange: Exchange) -> None:
        asked.append(time.monotonic())
        status(429, Retry_After=1)(exchange)

    server.routes.update({f"/{n}": note for n in range(16)})
    server.routes["/limited"] = in_turn(refuse, note)
    return asked


def refuse_once(fetching: Fetcher, url: str) -> Reason:
    with pytest.raises(FetchError) as caught:
        fetching.fetch(url)
    return caught.value.reason


def test_all_threads_wait(server: PictureServer, times: list[float]) -> None:
    """After a 429 with Retry-After nobody asks this host before the time has come; then all are served."""
    with fetcher() as fetching, ThreadPoolExecutor(17) as pool:
        limited = pool.submit(fetching.fetch, server.url("/limited"))
        while not times:
            time.sleep(0.01)
        time.sleep(0.3)  # for the answer to arrive
        others = [pool.submit(fetching.fetch, server.url(f"/{n}")) for n in range(16)]
        assert {each.result(30) for each in [limited, *others]} == {PICTURE}
    first, *later = times
    assert len(later) == 17
    assert min(later) - first > 0.9


def test_other_hosts_are_asked(server: PictureServer) -> None:
    """A pause concerns the host that asked for it, its port included."""
    server.routes["/b.jpg"] = status(503, Retry_After=3600)
    with PictureServer({"/a.jpg": body(PICTURE)}) as other, fetcher(timeout=60) as fetching:
        assert refuse_once(fetching, server.url("/b.jpg")) is Reason.HTTP_5XX
        assert took(lambda: fetching.fetch(other.url("/a.jpg"))) < 10


def test_a_pause_without_end_loses_nothing(server: PictureServer) -> None:
    """Who asks for an hour is asked again after a deadline's time; the next picture's time begins then."""
    server.routes["/b.jpg"] = status(429, Retry_After=3600)
    with fetcher(timeout=1) as fetching:
        assert refuse_once(fetching, server.url("/b.jpg")) is Reason.HTTP_429
        assert took(lambda: fetching.fetch(server.url("/a.jpg"))) > 0.5
    assert server.requests == {"/a.jpg": 1, "/b.jpg": 1}


def test_a_redirect_to_a_host_in_a_pause(server: PictureServer) -> None:
    """A pause that is longer than the time left is told as what it is, and the host is not asked."""
    refused = threading.Event()

    def wait_and_redirect(exchange: Exchange) -> None:
        refused.wait(60)
        redirect(server.url("/a.jpg"))(exchange)

    server.routes["/b.jpg"] = status(429, Retry_After=3600)
    other = PictureServer({"/moved.jpg": wait_and_redirect})
    with other, fetcher(timeout=3) as fetching, ThreadPoolExecutor(1) as pool:
        moved = pool.submit(fetching.fetch, other.url("/moved.jpg"))
        time.sleep(0.5)
        refuse_once(fetching, server.url("/b.jpg"))
        refused.set()
        error = moved.exception(60)
    assert isinstance(error, FetchError)
    assert error.reason is Reason.HTTP_429
    assert not server.requests["/a.jpg"]


def test_a_stop_ends_a_pause(server: PictureServer) -> None:
    """A picture that waits for its host's pause is given up soon after a stop."""
    server.routes["/b.jpg"] = status(429, Retry_After=3600)
    with fetcher(timeout=60) as fetching, ThreadPoolExecutor(1) as pool:
        refuse_once(fetching, server.url("/b.jpg"))
        waiting = pool.submit(fetching.fetch, server.url("/a.jpg"))
        time.sleep(0.2)
        assert not waiting.done()
        fetching.stop()
        assert isinstance(waiting.exception(5), CancelledError)
    assert not server.requests["/a.jpg"]


def test_the_longer_pause_counts() -> None:
    """A second, shorter wish does not end the first; no wish is longer than the limit."""
    backoff = HostBackoff(max_pause=100, cancelled=threading.Event())
    a, b = Endpoint("http://a/1", "a", 80), Endpoint("http://b/1", "b", 80)
    assert backoff.remaining(a) == 0
    backoff.begin(a, 50)
    backoff.begin(a, 1)
    backoff.begin(b, 1e12)
    assert 40 < backoff.remaining(Endpoint("http://a/2", "a", 80)) <= 50
    assert 90 < backoff.remaining(b) <= 100
