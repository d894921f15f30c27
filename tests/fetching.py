"""Fetchers of the pictures of a server in a test, and what they refuse."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from esclip._errors import FetchError
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy

__all__ = ["PICTURE", "Names", "fetcher", "refusal", "refusal_by", "showable", "took"]

PICTURE = b"\xff\xd8\xff not quite a picture" * 1000


def fetcher(
    *, cache: Path | None = None, timeout: float = 5.0, max_bytes: int = 1_000_000, backoff: float = 0.01
) -> Fetcher:
    return Fetcher(
        HostPolicy({"127.0.0.1"}),
        cache=cache,
        workers=4,
        timeout=timeout,
        max_bytes=max_bytes,
        backoff=backoff,
    )


def refusal(picture: str | Path, *, timeout: float = 5.0, max_bytes: int = 1_000_000) -> FetchError:
    with fetcher(timeout=timeout, max_bytes=max_bytes) as fetching, pytest.raises(FetchError) as caught:
        fetching.fetch(picture)
    return showable(caught.value)


def refusal_by(allow_hosts: set[str] | None, url: str, cache: Path | None = None) -> FetchError:
    with (
        Fetcher(HostPolicy(allow_hosts), cache=cache, backoff=0.01) as fetching,
        pytest.raises(FetchError) as caught,
    ):
        fetching.fetch(url)
    return showable(caught.value)


def showable(error: FetchError) -> FetchError:
    """The error, whose detail has to be one short line without terminal escapes, whatever the server said."""
    assert error.detail.isprintable()
    assert 0 < len(error.detail) <= 500
    return error


def took(call: Callable[[], object]) -> float:
    before = time.monotonic()
    call()
    return time.monotonic() - before


class Names:
    """The addresses of names, in turn: what a hostile name server does. Other names are as they are."""

    def __init__(self, **addresses: list[list[str]]) -> None:
        self.asked = 0
        self._addresses = {name.replace("_", "."): iter(turns) for name, turns in addresses.items()}
        self._others = socket.getaddrinfo

    def __call__(self, host: str, port: Any, **settings: Any) -> list[Any]:
        if host not in self._addresses or settings.get("flags") == socket.AI_NUMERICHOST:
            return list(self._others(host, port, **settings))
        self.asked += 1
        kinds = [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, address)
            for address in next(self._addresses[host])
        ]
        return [(kind, socket.SOCK_STREAM, 6, "", (address, port)) for kind, address in kinds]
