"""One request for one picture: allowed hosts only, at every hop; a deadline; a size; our own errors.

    URL ─► allowed? ─► paused? ─► GET ─► redirect? ─► allowed? ... ─► status ─► opted out? ─► body, bounded

Foreign exceptions stop here: `_FOREIGN` says what each becomes and how many tries it is worth. Certificates
are always verified. Proxies of the environment are used; a `.netrc`, cookies and passwords in URLs never are.
"""

from __future__ import annotations

import http.client
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin

import requests
import urllib3.exceptions as urllib3_errors

from esclip._core.rejections import Reason
from esclip._errors import FetchError
from esclip._fetch.backoff import HostBackoff
from esclip._fetch.hosts import HostPolicy, Place, RedirectChain
from esclip._fetch.robots_tag import opted_out
from esclip._net.session import FOREIGN_ERRORS, causes, new_session, retry_after, send
from esclip._net.sockets import ForbiddenAddressError, deadline_scope, seconds_left

__all__ = ["Body", "HttpClient", "PassingError"]

MAX_REDIRECTS = 5
MAX_WAIT_S = 10.0
"""For a connection, and for the next bytes of an answer."""
MAX_TRIES = 5
CHUNK = 1 << 16

# Pictures are compressed already, and a compressed answer's end can't be told from a broken one.
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity"}


class PassingError(FetchError):
    """A failure that may pass: worth `tries` in all, the next not before `after` seconds."""

    def __init__(self, reason: Reason, detail: str, *, tries: int = MAX_TRIES, after: float = 0.0) -> None:
        super().__init__(reason, detail)
        self.tries = tries
        self.after = after


@dataclass(frozen=True, slots=True)
class Body:
    """What a server sent, and whether it opted out of our having it."""

    data: bytes
    opted_out: bool


class HttpClient:
    """Bodies by URL. Safe from several threads, of which `workers` have a connection to keep.

    A host that asks for a pause gets it from all threads, but for no longer than `longest_pause` seconds.
    """

    def __init__(
        self,
        *,
        hosts: HostPolicy,
        workers: int,
        max_bytes: int,
        longest_pause: float,
        ignore_robots_tag: bool,
        stopped: threading.Event,
    ) -> None:
        self._hosts = hosts
        self._max_bytes = max_bytes
        self._ignore_robots_tag = ignore_robots_tag
        self._stopped = stopped
        self._pauses = HostBackoff(longest_pause)
        self._session = new_session(workers, _HEADERS)

    def keep_pause(self, place: Place, left: Callable[[], float] = lambda: math.inf) -> None:
        """Wait for as long as the host has asked, in whichever thread, to be left alone.

        Raises `FetchError` when there is less time `left`.
        """
        while pause := self._pauses.left(str(place)):
            if pause > left():
                raise FetchError(
                    Reason.HTTP_429, f"{place.host} asks to be left alone for {pause:.0f} s more"
                )
            if self._stopped.wait(pause):
                raise CancelledError

    def get(self, place: Place, deadline: float) -> Body:
        """The body of an answer with status 200, had before `deadline` on the monotonic clock.

        Raises `FetchError`, and `CancelledError` once the client has been stopped.
        """
        visits = RedirectChain(self._hosts)
        opted = False
        with deadline_scope(lambda: self._time_left(deadline)):
            for _ in range(MAX_REDIRECTS + 1):
                self.keep_pause(place, seconds_left.get())
                request = requests.Request("GET", place.url)
                with (
                    _foreign_errors_mapped(place.host),
                    visits.at(place),
                    send(self._session, request, MAX_WAIT_S) as answer,
                ):
                    target = self._target(answer)
                    if target is None:
                        self._refuse_all_but_200(answer, place)
                    opted |= opted_out(answer.raw.headers.getlist("X-Robots-Tag"))
                    if opted and not self._ignore_robots_tag:
                        raise FetchError(Reason.OPTED_OUT, f"{place.host} opts out by its X-Robots-Tag")
                    if target is None:
                        return Body(self._read(answer, place.host), opted)
                place = self._redirected(place, target)
        raise FetchError(Reason.BAD_REDIRECT, f"more than {MAX_REDIRECTS} redirects")

    def close(self) -> None:
        """Free all connections."""
        self._session.close()

    def _target(self, answer: requests.Response) -> str | None:
        try:
            return self._session.get_redirect_target(answer)
        except UnicodeDecodeError as error:
            raise FetchError(Reason.BAD_REDIRECT, "redirected to an address that is no text") from error

    def _redirected(self, place: Place, target: str) -> Place:
        try:
            return self._hosts.check(urljoin(place.url, target))
        except (FetchError, ValueError) as error:
            detail = error.detail if isinstance(error, FetchError) else "malformed"
            raise FetchError(Reason.BAD_REDIRECT, f"redirected to where we don't go: {detail}") from error

    def _refuse_all_but_200(self, answer: requests.Response, place: Place) -> None:
        status, detail = answer.status_code, f"{place.host} answered {answer.status_code}"
        if status == 200:
            return
        failed = 500 <= status < 600
        reason = _STATUSES.get(status, Reason.HTTP_5XX if failed else Reason.HTTP_4XX)
        if failed or status == 429:
            after = retry_after(answer)
            self._pauses.begin(str(place), after)
            raise PassingError(reason, detail, after=after)
        raise FetchError(reason, detail)

    def _read(self, answer: requests.Response, host: str) -> bytes:
        too_large = FetchError(Reason.TOO_LARGE, f"{host} sends more than {self._max_bytes} bytes")
        if (answer.raw.length_remaining or 0) > self._max_bytes:
            raise too_large
        body = bytearray()
        while chunk := answer.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > self._max_bytes:
                raise too_large
            seconds_left.get()()
        return bytes(body)

    def _time_left(self, deadline: float) -> float:
        if self._stopped.is_set():
            raise CancelledError
        left = deadline - time.monotonic()
        if left <= 0:
            raise FetchError(Reason.TIMEOUT, "not all of it arrived within the deadline")
        return left


_STATUSES = {403: Reason.HTTP_403, 404: Reason.HTTP_404, 410: Reason.HTTP_410, 429: Reason.HTTP_429}

_FOREIGN: tuple[tuple[tuple[type[Exception], ...], Reason, int], ...] = (
    ((requests.exceptions.InvalidHeader, urllib3_errors.InvalidHeader), Reason.CONNECTION_ERROR, 1),
    ((requests.exceptions.SSLError, urllib3_errors.SSLError), Reason.TLS_ERROR, 3),
    ((urllib3_errors.NameResolutionError, socket.gaierror), Reason.DNS_ERROR, 3),
    ((urllib3_errors.NewConnectionError,), Reason.CONNECTION_ERROR, 3),
    ((requests.ConnectTimeout, urllib3_errors.ConnectTimeoutError), Reason.TIMEOUT, 3),
    ((requests.Timeout, urllib3_errors.TimeoutError, TimeoutError), Reason.TIMEOUT, MAX_TRIES),
    ((http.client.IncompleteRead, urllib3_errors.DecodeError), Reason.INCOMPLETE_BODY, MAX_TRIES),
    ((ForbiddenAddressError,), Reason.PRIVATE_ADDRESS, 1),
    ((ValueError,), Reason.BAD_URL, 1),
    (FOREIGN_ERRORS, Reason.CONNECTION_ERROR, 3),
)
"""What a foreign exception becomes, and how many tries it is worth. The first row that fits it, or what
caused it, counts; the last fits everything that is caught."""


_PROXY_ERRORS = (requests.exceptions.ProxyError, urllib3_errors.ProxyError)


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
        by_proxy = any(isinstance(cause, _PROXY_ERRORS) for cause in chain)
        way = " (by the environment's proxy)" if by_proxy else ""
        raise PassingError(reason, f"{host}{way}: {str(chain[-1])[:200]}", tries=tries) from error
