"""Has a picture's bytes: from a URL, politely and within a deadline, or from a file.

    picture ─► a URL ─► allowed? ─► cache ─► a pause? ─► GET ─► cache ─► bytes
       │                                                  └─ again after a while, until the deadline
       └─────► a file ─► bytes

Whatever goes wrong becomes a `FetchError` with one of the reasons of the closed list. What may pass is tried
again: no connection, no answer, 429, 5xx, a body cut short.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Event
from types import TracebackType

import tenacity

from esclip._core.rejections import Reason
from esclip._core.settings import MAX_PICTURE_BYTES
from esclip._errors import FetchError
from esclip._fetch.cache import PictureCache
from esclip._fetch.client import HttpClient, PassingError
from esclip._fetch.hosts import HostPolicy
from esclip._files.regular import open_regular

__all__ = ["Fetcher"]

DEADLINE_S = 60.0


class Fetcher:
    """Pictures' bytes by URL or path. Safe from several threads; `workers` connections to a host are kept.

    `allow_hosts` and `public_hosts` are the only hosts asked, also by redirects: `host` for any port,
    `host:port` for one. The first, which a person named, may be anywhere; the second may be at public
    addresses only. None allows all, for a URL that a person typed: private addresses too, unless a public
    host redirects there. `cache` is the folder where fetched pictures are kept. Servers that opt out
    by `X-Robots-Tag` are heard unless `ignore_robots_tag`; such pictures are never kept.

    A URL's picture is had within `deadline` seconds, all tries together, or not at all; tries are about
    `backoff` seconds apart, then twice that, and so on. A host that asks for a pause gets it, for as long as
    a `deadline`, before the next picture's time begins. No picture is larger than `max_bytes`.

    Raises `ConfigError` for an allowed host that is none.
    """

    def __init__(
        self,
        *,
        allow_hosts: Collection[str] | None,
        public_hosts: Collection[str] = (),
        cache: Path | None,
        workers: int,
        ignore_robots_tag: bool = False,
        deadline: float = DEADLINE_S,
        max_bytes: int = MAX_PICTURE_BYTES,
        backoff: float = 0.5,
        stopped: Event | None = None,
    ) -> None:
        self.stopped = stopped or Event()
        """Set by `stop`; the caller's own may be set by others."""
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._cache = PictureCache(cache) if cache is not None else None
        self._hosts = HostPolicy(allow_hosts, public_hosts)
        self._http = HttpClient(
            hosts=self._hosts,
            workers=workers,
            max_bytes=max_bytes,
            longest_pause=deadline,
            ignore_robots_tag=ignore_robots_tag,
            stopped=self.stopped,
        )
        self._too_late = tenacity.stop_before_delay(deadline)
        self._jitter = tenacity.wait_random_exponential(multiplier=backoff, max=deadline)
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(PassingError),
            stop=self._enough,
            wait=self._pause,
            sleep=tenacity.sleep_using_event(self.stopped),
            reraise=True,
        )

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._http.close()

    def fetch(self, picture: str | Path) -> bytes:
        """The bytes of a URL (`str`) or a file (`Path`).

        Raises `FetchError`, and `CancelledError` once `stop` was called: that is no record's fault.
        """
        if self.stopped.is_set():
            raise CancelledError
        if isinstance(picture, Path):
            return _read_file(picture, self._max_bytes)
        place = self._hosts.check(picture)
        kept = self._cache.get(picture) if self._cache else None
        if kept is not None:
            return kept
        self._http.keep_pause(place)
        body = self._retrying(self._http.get, place, time.monotonic() + self._deadline)
        if self._cache and body.data and not body.opted_out:
            self._cache.put(picture, body.data)
        return body.data

    def discard(self, picture: str | Path) -> None:
        """Forget what was kept of a URL: its bytes turned out to be no picture. A file is left alone."""
        if self._cache and isinstance(picture, str):
            self._cache.discard(picture)

    def stop(self) -> None:
        """End what is under way, from any thread, and begin nothing more: `fetch` raises `CancelledError`."""
        self.stopped.set()

    def _pause(self, state: tenacity.RetryCallState) -> float:
        """A random time up to a limit that doubles, after what the server asked for."""
        return _failure(state).after + self._jitter(state)

    def _enough(self, state: tenacity.RetryCallState) -> bool:
        return state.attempt_number >= _failure(state).tries or self._too_late(state)


def _failure(state: tenacity.RetryCallState) -> PassingError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, PassingError)
    return error


def _read_file(path: Path, max_bytes: int) -> bytes:
    try:
        with open_regular(path) as file:
            data = file.read(max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FetchError(Reason.FILE_NOT_FOUND, "no such file") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        words = error.strerror if isinstance(error, OSError) else None
        raise FetchError(Reason.UNREADABLE_FILE, words or str(error)) from error
    if len(data) > max_bytes:
        raise FetchError(Reason.TOO_LARGE, f"more than {max_bytes} bytes")
    return data
