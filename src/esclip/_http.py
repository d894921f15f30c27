"""One request for one picture: allowed hosts only, at every hop; a deadline; a size; our own errors.

    URL ─► allowed? ─► GET ─► redirect? ─► allowed? ─► GET ─► status ─► body, bounded in time and size

Foreign exceptions stop here: `_FOREIGN` says what each becomes and how many tries it is worth. Certificates
are always verified. Proxies of the environment are used; a `.netrc`, cookies and passwords in URLs never are.
"""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from urllib.parse import urljoin

import requests
import urllib3.exceptions as urllib3_errors
from urllib3.util import Url, parse_url

from esclip._connections import (
    FOREIGN_ERRORS,
    causes,
    new_session,
    retry_after,
    send,
    time_left,
    waits_bounded,
)
from esclip._errors import ConfigError, FetchError
from esclip._rejections import Reason

__all__ = ["HttpClient", "PassingError"]

MAX_REDIRECTS = 5
MAX_WAIT_S = 10.0
"""For a connection, and for the next bytes of an answer."""
MAX_TRIES = 5
CHUNK = 1 << 16

# Pictures are compressed already, and a compressed answer's end can't be told from a broken one.
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity"}
_HOST = re.compile(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]")


class PassingError(FetchError):
    """A failure that may pass: worth `tries` in all, the next not before `after` seconds."""

    def __init__(self, reason: Reason, detail: str, *, tries: int = MAX_TRIES, after: float = 0.0) -> None:
        super().__init__(reason, detail)
        self.tries = tries
        self.after = after


class HttpClient:
    """Bodies by URL. Safe from several threads, of which `workers` have a connection to keep."""

    def __init__(
        self,
        *,
        allow_hosts: Collection[str] | None,
        workers: int,
        max_bytes: int,
        stopped: threading.Event,
    ) -> None:
        self._allowed = None if allow_hosts is None else {_host_and_port(entry) for entry in allow_hosts}
        self._max_bytes = max_bytes
        self._stopped = stopped
        self._session = new_session(workers, _HEADERS)

    def check(self, url: str) -> str:
        """`url` in normal form. Raises `FetchError` when it is malformed or its host is not allowed."""
        try:
            normal = requests.Request("GET", url).prepare().url or ""
            parts = parse_url(normal)
        except (requests.RequestException, ValueError) as error:
            raise FetchError(Reason.BAD_URL, "malformed URL") from error
        host = (parts.host or "").rstrip(".")
        if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
            raise FetchError(Reason.BAD_URL, "not the http or https URL of a host")
        if parts.auth is not None:
            raise FetchError(Reason.BAD_URL, "a URL with a user name or password is not fetched")
        if not self._allows(host, _port(parts)):
            raise FetchError(Reason.BAD_URL, f"host {host} is not one of those allowed")
        return normal

    def get(self, url: str, deadline: float) -> bytes:
        """The body of an answer with status 200, had before `deadline` on the monotonic clock.

        Raises `FetchError`, and `CancelledError` once the client has been stopped.
        """
        address = self.check(url)
        with waits_bounded(lambda: self._time_left(deadline)):
            for _ in range(MAX_REDIRECTS + 1):
                host = parse_url(address).host or ""
                request = requests.Request("GET", address)
                with _foreign_errors_mapped(host), send(self._session, request, MAX_WAIT_S) as answer:
                    target = self._session.get_redirect_target(answer)
                    if target is None:
                        _refuse_all_but_200(answer, host)
                        return self._body(answer, host)
                address = self._redirected(address, target)
        raise FetchError(Reason.BAD_REDIRECT, f"more than {MAX_REDIRECTS} redirects")

    def close(self) -> None:
        """Free all connections."""
        self._session.close()

    def _allows(self, host: str, port: int) -> bool:
        return self._allowed is None or not self._allowed.isdisjoint({(host, None), (host, port)})

    def _redirected(self, address: str, target: str) -> str:
        try:
            return self.check(urljoin(address, target))
        except (FetchError, ValueError) as error:
            detail = error.detail if isinstance(error, FetchError) else "malformed"
            raise FetchError(Reason.BAD_REDIRECT, f"redirected to where we don't go: {detail}") from error

    def _body(self, answer: requests.Response, host: str) -> bytes:
        too_large = FetchError(Reason.TOO_LARGE, f"{host} sends more than {self._max_bytes} bytes")
        if (answer.raw.length_remaining or 0) > self._max_bytes:
            raise too_large
        body = bytearray()
        while chunk := answer.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > self._max_bytes:
                raise too_large
            time_left.get()()
        return bytes(body)

    def _time_left(self, deadline: float) -> float:
        if self._stopped.is_set():
            raise CancelledError
        left = deadline - time.monotonic()
        if left <= 0:
            raise FetchError(Reason.TIMEOUT, "not all of it arrived within the deadline")
        return left


def _host_and_port(entry: str) -> tuple[str, int | None]:
    """An allowed host, with the one port that is allowed or None for any."""
    try:
        parts = parse_url(f"http://{entry}")
    except urllib3_errors.LocationParseError:
        parts = Url()
    host = (parts.host or "").rstrip(".")
    if not _HOST.fullmatch(host) or parts.auth is not None or parts.path or parts.query or parts.fragment:
        raise ConfigError(f"allowed host {entry!r}: give a host like images.unsplash.com, or host:port")
    return host, parts.port


def _port(parts: Url) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


_STATUSES = {403: Reason.HTTP_403, 404: Reason.HTTP_404, 410: Reason.HTTP_410, 429: Reason.HTTP_429}


def _refuse_all_but_200(answer: requests.Response, host: str) -> None:
    status, detail = answer.status_code, f"{host} answered {answer.status_code}"
    if status == 200:
        return
    reason = _STATUSES.get(status, Reason.HTTP_5XX if status >= 500 else Reason.HTTP_4XX)
    if status == 429 or status >= 500:
        raise PassingError(reason, detail, after=retry_after(answer))
    raise FetchError(reason, detail)


_FOREIGN: tuple[tuple[tuple[type[Exception], ...], Reason, int], ...] = (
    ((requests.exceptions.InvalidHeader, urllib3_errors.InvalidHeader), Reason.CONNECTION_ERROR, 1),
    ((requests.exceptions.SSLError, urllib3_errors.SSLError), Reason.TLS_ERROR, 3),
    ((urllib3_errors.NameResolutionError, socket.gaierror), Reason.DNS_ERROR, 3),
    ((urllib3_errors.NewConnectionError,), Reason.CONNECTION_ERROR, 3),
    ((requests.ConnectTimeout, urllib3_errors.ConnectTimeoutError), Reason.TIMEOUT, 3),
    ((requests.Timeout, urllib3_errors.TimeoutError, TimeoutError), Reason.TIMEOUT, MAX_TRIES),
    ((http.client.IncompleteRead, urllib3_errors.DecodeError), Reason.INCOMPLETE_BODY, MAX_TRIES),
    ((ValueError,), Reason.BAD_URL, 1),
    (FOREIGN_ERRORS, Reason.CONNECTION_ERROR, 3),
)
"""What a foreign exception becomes, and how many tries it is worth. The first row that fits it, or what
caused it, counts; the last fits everything that is caught."""


@contextmanager
def _foreign_errors_mapped(host: str) -> Iterator[None]:
    try:
        yield
    except FOREIGN_ERRORS as error:
        chain = list(causes(error))
        reason, tries = next(
            (reason, tries)
            for kinds, reason, tries in _FOREIGN
            if any(isinstance(cause, kinds) for cause in chain)
        )
        words = " ".join(str(chain[-1]).split())[:200]
        raise PassingError(reason, f"{host}: {words}", tries=tries) from error
