"""Pictures that requests name by URL: fetched from the public web, or from hosts that the operator names.

URL ─► host allowed? ─► name resolved once ─► all addresses public? ─► connected to one of these ─► picture
                                  ▲                                              │
                                  └────────────── each redirect ◄────────────────┘
Why one can't be had is not said: a client learns nothing of the network that the server is in.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from concurrent.futures import CancelledError

from esclip._errors import FetchError
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy
from esclip._images.formats import detect_format
from esclip._net.environment import check_certificates_of_environment
from esclip._server.problems import Problem, ProblemType
from esclip._server.search_messages import MAX_PICTURE_BYTES

MAX_SECONDS = 10.0
"""For one picture, all attempts together; before another is begun for the same request, too."""

MAX_BYTES = MAX_PICTURE_BYTES * 3 // 2
"""Of the pictures of one request, as many as in a body."""


class UrlFetcher:
    """Fetches pictures for requests, with the environment's certificates, without its proxy. Thread-safe."""

    def __init__(
        self, hosts: Collection[str] = (), *, public: bool = True, seconds: float = MAX_SECONDS
    ) -> None:
        """`hosts` may have any address; with `public`, all others are allowed at public addresses.

        Raises `ConfigError` for a host that is none, and for certificates of the environment that are none.
        """
        check_certificates_of_environment()  # here, or each client would be told of this machine's files
        self._seconds = seconds
        self._fetcher = Fetcher(
            HostPolicy(frozenset(hosts), None if public else ()),
            workers=8,
            ignore_robots_tag=True,  # a person asks for this picture
            timeout=seconds,
            max_bytes=MAX_PICTURE_BYTES,
            proxy=False,
        )

    def fetch(self, url: str) -> bytes:
        """The picture's bytes, at most 20 MB. Raises `Problem`, the same whatever the reason."""
        try:
            data = self._fetcher.fetch(url)
        except (FetchError, CancelledError):
            data = b""
        if detect_format(data) is None:
            raise Problem(ProblemType.PICTURE_NOT_FETCHED)
        return data

    def fetch_all(self, urls: Iterable[str]) -> dict[str, bytes]:
        """The bytes of several pictures by their URLs, one after the other. Raises `Problem`."""
        deadline = time.monotonic() + self._seconds
        pictures: dict[str, bytes] = {}
        for url in urls:
            if time.monotonic() > deadline:
                raise Problem(ProblemType.PICTURE_NOT_FETCHED)
            if url not in pictures:
                pictures[url] = self.fetch(url)
            if sum(map(len, pictures.values())) > MAX_BYTES:
                raise Problem(ProblemType.TOO_LARGE, f"the pictures have more than {MAX_BYTES} bytes")
        return pictures

    def close(self) -> None:
        """Close all connections; what is being fetched is given up."""
        self._fetcher.close()
