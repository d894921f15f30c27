"""One download of one picture: allowed hosts only, at every hop; a deadline; a size limit; our own errors.

    URL ─► allowed? ─► paused? ─► GET ─► redirect? ─► allowed? ... ─► status ─► opted out? ─► body, bounded

`_FOREIGN` maps foreign exceptions and says how many attempts each is worth. Certificates are always verified.
Proxies of the environment are used, unless told not to; `.netrc`, cookies and passwords in URLs never are.
"""

from __future__ import annotations

import http.client
import logging
import math
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin

import requests
import urllib3.exceptions as urllib3_errors

from esclip._concurrency.retry import TransientError
from esclip._errors import ErrorTable, FetchError, map_errors
from esclip._errors.counts import pluralize
from esclip._errors.reasons import Reason
from esclip._fetch.hosts import Endpoint, HostPolicy, RedirectChain
from esclip._fetch.politeness import HostBackoff, is_opted_out
from esclip._net.session import FOREIGN_ERRORS, causes, new_session, read_body, retry_after, send
from esclip._net.sockets import DeadlineExceededError, ForbiddenAddressError, deadline_scope

log = logging.getLogger("esclip")

MAX_REDIRECTS = 5
TIMEOUT_S = 10.0
"""For a connection, and for the next bytes of an answer."""

# Pictures are compressed already, and a compressed answer's end can't be told from a broken one.
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Body:
    """The body of an answer, and whether the server opted out of machine learning."""

    data: bytes
    opted_out: bool


class HttpClient:
    """Downloads response bodies. Thread-safe; keeps up to `workers` connections per host.

    A host's Retry-After holds for all threads, for at most `max_pause` seconds.
    """

    def __init__(
        self,
        *,
        hosts: HostPolicy,
        workers: int,
        max_bytes: int,
        max_pause: float,
        ignore_robots_tag: bool,
        cancelled: threading.Event,
        proxy: bool,
    ) -> None:
        self.backoff = HostBackoff(max_pause, cancelled)
        self._hosts = hosts
        self._max_bytes = max_bytes
        self._ignore_robots_tag = ignore_robots_tag
        self._cancelled = cancelled
        self._session = new_session(workers, _HEADERS, proxy=proxy)

    def get(self, endpoint: Endpoint, deadline: float) -> Body:
        """The body of an answer with status 200 that arrives before `deadline` on the monotonic clock.

        Raises `FetchError`, `TransientError`, and `CancelledError` once the client was cancelled.
        """
        chain = RedirectChain(self._hosts)
        opted = False
        with deadline_scope(deadline, self._cancelled):
            for _ in range(MAX_REDIRECTS + 1):
                self.backoff.wait_for(endpoint, deadline)
                with (
                    map_errors(_FOREIGN, endpoint.host, causes=causes),
                    chain.visit(endpoint),
                    send(self._session, requests.Request("GET", endpoint.url), TIMEOUT_S) as response,
                ):
                    target = self._redirect_target(response)
                    if target is None:
                        self._require_ok(response, endpoint)
                    opted |= is_opted_out(response.raw.headers.getlist("X-Robots-Tag"))
                    if opted and not self._ignore_robots_tag:
                        raise FetchError(Reason.OPTED_OUT, f"{endpoint.host} opts out by its X-Robots-Tag")
                    if target is None:
                        body = Body(self._read(response, endpoint.host), opted)
                        log.debug("%s: %s of a picture", endpoint.host, pluralize(len(body.data), "byte"))
                        return body
                endpoint = self._redirected(endpoint, target)
        raise FetchError(Reason.BAD_REDIRECT, f"more than {MAX_REDIRECTS} redirects")

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _redirect_target(self, response: requests.Response) -> str | None:
        try:
            return self._session.get_redirect_target(response)
        except UnicodeDecodeError as error:
            raise FetchError(Reason.BAD_REDIRECT, "redirected to an address that is no text") from error

    def _redirected(self, endpoint: Endpoint, target: str) -> Endpoint:
        try:
            return self._hosts.check(urljoin(endpoint.url, target))
        except (FetchError, ValueError) as error:
            detail = error.detail if isinstance(error, FetchError) else "malformed"
            raise FetchError(Reason.BAD_REDIRECT, f"redirected to a forbidden address: {detail}") from error

    def _require_ok(self, response: requests.Response, endpoint: Endpoint) -> None:
        status = response.status_code
        if status == 200:
            return
        server_failed = 500 <= status < 600
        reason = _STATUSES.get(status, Reason.HTTP_5XX if server_failed else Reason.HTTP_4XX)
        failure = FetchError(reason, f"{endpoint.host} answered {status}")
        if not server_failed and status != 429:
            raise failure
        pause = retry_after(response.headers)
        self.backoff.begin(endpoint, pause)
        raise TransientError(failure, retry_after=pause)

    def _read(self, response: requests.Response, host: str) -> bytes:
        too_large = FetchError(Reason.TOO_LARGE, f"{host} sends more than {self._max_bytes} bytes")
        if (response.raw.length_remaining or 0) > self._max_bytes:
            raise too_large
        body = read_body(response, self._max_bytes)
        if len(body) > self._max_bytes:
            raise too_large
        return body


_STATUSES = {403: Reason.HTTP_403, 404: Reason.HTTP_404, 410: Reason.HTTP_410, 429: Reason.HTTP_429}

_FEW = 3
"""Attempts at failures that hardly ever pass: no such host, no listener, a certificate that isn't valid."""

_PROXY_ERRORS = (requests.exceptions.ProxyError, urllib3_errors.ProxyError)


def _failure(reason: Reason, attempts: float = math.inf) -> Callable[[BaseException, str], Exception]:
    """A function that maps a foreign exception to a failure worth so many attempts."""

    def make(error: BaseException, host: str) -> Exception:
        *_, root = chain = list(causes(error))
        by_proxy = any(isinstance(cause, _PROXY_ERRORS) for cause in chain)
        way = " (by the environment's proxy)" if by_proxy else ""
        failure = FetchError(reason, f"{host}{way}: {str(root)[:200]}")
        return failure if attempts == 1 else TransientError(failure, max_attempts=attempts)

    return make


_FOREIGN: ErrorTable = (
    ((requests.exceptions.InvalidHeader, urllib3_errors.InvalidHeader), _failure(Reason.CONNECTION_ERROR, 1)),
    ((requests.exceptions.SSLError, urllib3_errors.SSLError), _failure(Reason.TLS_ERROR, _FEW)),
    ((urllib3_errors.NameResolutionError, socket.gaierror), _failure(Reason.DNS_ERROR, _FEW)),
    (urllib3_errors.NewConnectionError, _failure(Reason.CONNECTION_ERROR, _FEW)),
    ((requests.ConnectTimeout, urllib3_errors.ConnectTimeoutError), _failure(Reason.TIMEOUT, _FEW)),
    ((requests.Timeout, urllib3_errors.TimeoutError, TimeoutError), _failure(Reason.TIMEOUT)),
    ((http.client.IncompleteRead, urllib3_errors.DecodeError), _failure(Reason.INCOMPLETE_BODY)),
    (DeadlineExceededError, _failure(Reason.TIMEOUT, 1)),
    (ForbiddenAddressError, _failure(Reason.PRIVATE_ADDRESS, 1)),
    (ValueError, _failure(Reason.BAD_URL, 1)),
    (FOREIGN_ERRORS, _failure(Reason.CONNECTION_ERROR, _FEW)),
)
"""What requests and urllib3 raise, or what caused it. The last row fits everything that they raise."""
