"""Reads a picture's bytes: from a URL, politely and within a deadline, from a bucket, or from a file.

    picture ─► a URL ─► allowed? ─► cache ─► a pause? ─► GET ─► cache ─► bytes
       │                                      ▲           └─► transient failure, by the policy `FETCH`
       │                                      └────────────────┘
       ├─────► an object in a bucket ─► allowed? ─► bytes, by the same policy; not cached, for it may change
       └─────► a file, or bytes ─► bytes

All failures become a `FetchError` with one of the reasons of the closed list.
"""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import TracebackType

from esclip._concurrency.retry import FETCH, retry
from esclip._core.settings import MAX_PICTURE_BYTES
from esclip._core.types import MEMORY_SCHEME
from esclip._errors import FetchError, error_text
from esclip._errors.reasons import Reason
from esclip._fetch.cache import PictureCache
from esclip._fetch.client import HttpClient
from esclip._fetch.hosts import Endpoint, HostPolicy
from esclip._files.archives import archive_of, read_file
from esclip._files.buckets import BucketPath, is_bucket_address
from esclip._files.objects import read_object
from esclip._files.opening import AnyFile


class Fetcher:
    """Reads pictures' bytes by URL or path. Thread-safe; keeps up to `workers` connections per host.

    Only `hosts` get requests, also after redirects; `proxy` says whether by that of the environment, which
    resolves names itself. `cache` is the folder for downloaded pictures. A server's opt-out by `X-Robots-Tag`
    holds unless `ignore_robots_tag`; such pictures are never cached.

    A download takes at most `timeout` seconds, all attempts together; the first pause between two is up to
    `backoff` seconds, each further one up to twice as long. Before that time begins, the pause that a host
    asked for is waited for, up to `timeout` seconds. No picture is larger than `max_bytes`.
    """

    def __init__(
        self,
        hosts: HostPolicy,
        *,
        cache: Path | None = None,
        workers: int = 1,
        ignore_robots_tag: bool = False,
        timeout: float = FETCH.timeout,
        max_bytes: int = MAX_PICTURE_BYTES,
        backoff: float = FETCH.backoff,
        proxy: bool = True,
        stopped: Event | None = None,
    ) -> None:
        self.stopped = stopped or Event()
        """Set by `stop`, or by the caller who gave it."""
        self._policy = replace(FETCH, timeout=timeout, backoff=backoff, max_backoff=timeout)
        self._max_bytes = max_bytes
        self._cache = PictureCache(cache) if cache is not None else None
        self._hosts = hosts
        self._http = HttpClient(
            hosts=hosts,
            workers=workers,
            max_bytes=max_bytes,
            max_pause=timeout,
            ignore_robots_tag=ignore_robots_tag,
            cancelled=self.stopped,
            proxy=proxy,
        )

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cancel all downloads, and close all connections."""
        self.stop()
        self._http.close()

    def fetch(self, picture: str | Path | bytes) -> bytes:
        """The bytes of a URL (`str`) or a file (`Path`), or those given.

        Raises `FetchError`, and `CancelledError` once `stop` was called, which is not the record's fault.
        """
        found = self._look_up(picture)
        if isinstance(found, bytes):
            return found
        if isinstance(found, BucketPath):
            return self._read_object(found)
        self._http.backoff.wait_for(found)
        body = retry(lambda deadline: self._http.get(found, deadline), self._policy, self.stopped)
        if self._cache and isinstance(picture, str) and body.data and not body.opted_out:
            self._cache.put(picture, body.data)
        return body.data

    def _read_object(self, path: BucketPath) -> bytes:
        """The bytes of an object, or of what is in one: a member, a frame."""
        try:
            return read_object(path, self._max_bytes, self.stopped, self._policy)
        except FetchError as error:
            if error.reason is not Reason.HTTP_404 or archive_of(str(path)) is None:
                raise
        return _read_file(path, self._max_bytes)

    def read_local(self, picture: str | Path | bytes) -> bytes | None:
        """The same without a download: None for a URL that may be asked for, and is not in the cache."""
        found = self._look_up(picture)
        return found if isinstance(found, bytes) else None

    def _look_up(self, picture: str | Path | bytes) -> bytes | Endpoint | BucketPath:
        """The bytes that are on this machine, else where they are downloaded from."""
        if self.stopped.is_set():
            raise CancelledError
        if isinstance(picture, Path):
            return _read_file(picture, self._max_bytes)
        if isinstance(picture, bytes):
            return _require_size(picture, self._max_bytes)
        if picture.startswith(MEMORY_SCHEME):
            raise FetchError(Reason.FILE_NOT_FOUND, "the picture was only in a program's memory")
        if is_bucket_address(picture):
            return self._hosts.check_bucket(picture)
        endpoint = self._hosts.check(picture)
        cached = self._cache.get(picture) if self._cache else None
        return endpoint if cached is None else cached

    def discard(self, picture: str | Path | bytes) -> None:
        """Remove a URL's bytes, which are no picture, from the cache. A file stays."""
        if self._cache and isinstance(picture, str):
            self._cache.discard(picture)

    def stop(self) -> None:
        """Cancel all downloads, from any thread: `fetch` raises `CancelledError` from now on."""
        self.stopped.set()


def _read_file(path: AnyFile, max_bytes: int) -> bytes:
    try:
        data = read_file(path, max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FetchError(Reason.FILE_NOT_FOUND, "no such file") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise FetchError(Reason.UNREADABLE_FILE, error_text(error)) from error
    return _require_size(data, max_bytes)


def _require_size(data: bytes, max_bytes: int) -> bytes:
    if len(data) > max_bytes:
        raise FetchError(Reason.TOO_LARGE, f"more than {max_bytes} bytes")
    return data
