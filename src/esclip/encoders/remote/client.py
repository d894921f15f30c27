"""The line to an encoder server: one question after another, again while it is busy, and errors made ours.

    ask ─► POST ─► busy, broken, late? ─► again, after a random pause ─► the body, or an EncoderError

The token and the address's credentials are sent, and shown nowhere: not in errors, nor in `address`.
"""

from __future__ import annotations

import socket
import time
from concurrent.futures import CancelledError
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
import requests
import tenacity
import urllib3.exceptions as urllib3_errors

from esclip._concurrency import cancellation as cancellation
from esclip._concurrency.forks import leave_behind, renew_in_children
from esclip._errors import ConfigError, EncoderError, Hint, one_line
from esclip._files.locations import without_credentials
from esclip._net.redaction import Redactor, with_base64
from esclip._net.session import FOREIGN_ERRORS, causes, new_session, retry_after, send
from esclip._net.sockets import deadline_scope, seconds_left
from esclip._text.secrets import Secret
from esclip.encoders.remote.protocol import BYTES, authorization

__all__ = ["Line", "PassingError"]

ATTEMPT_S = 120.0
"""For a connection, for sending a body, and for the next bytes of an answer."""
CHUNK = 1 << 16
WORDS = 1 << 16
"""Bytes of an error that are read."""
BUSY = frozenset({429, 502, 503, 504})


class PassingError(EncoderError):
    """A failure that may pass; the next try not before `after` seconds."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class Line:
    """Questions to one server. Safe from several threads, of which `connections` have one to keep."""

    def __init__(self, address: str, token: str | None, *, connections: int, backoff: float) -> None:
        """Connect to nothing yet. Raises `ConfigError` for an address or a token that can't be used."""
        self.address, credentials = without_credentials(address, "encoder", "https://host:8090")
        """Without credentials."""
        headers = {"Accept-Encoding": "identity"}
        self._redactor = Redactor(())
        if token is not None and credentials is not None:
            raise ConfigError(
                f"encoder {self.address}: give a token, or credentials in the address, not both"
            )
        if token is not None:
            headers["Authorization"] = authorization(token)
            self._redactor = Redactor((), with_base64(token))
        elif credentials is not None:
            joined = with_base64(":".join(credentials))
            headers["Authorization"] = Secret(f"Basic {joined[1]}")
            self._redactor = Redactor((credentials[1],), joined)
        self._new_session = partial(new_session, connections, headers)
        self._session = self._new_session()
        self._jitter = tenacity.wait_random_exponential(multiplier=backoff, max=10)
        renew_in_children(self)

    def renew(self) -> None:
        """Connections of a forked child's own."""
        leave_behind(self._session)
        self._session = self._new_session()

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        *,
        kind: str = BYTES,
        headers: dict[str, str] | None = None,
        longest: int,
        within: float,
    ) -> bytes:
        """The body of the answer, of at most `longest` bytes, had `within` seconds, all tries together.

        Raises `EncoderError`, and `CancelledError` when it is no longer wanted.
        """
        end = time.monotonic() + within
        method, url = ("GET" if body is None else "POST"), self.address + path
        sent = {"Content-Type": kind, **(headers or {})} if body is not None else {}
        request = requests.Request(method, url, headers=sent, data=body)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(PassingError),
            stop=tenacity.stop_before_delay(within),
            wait=lambda state: _after(state) + self._jitter(state),
            sleep=tenacity.sleep_using_event(cancellation.current()),
            reraise=True,
        )
        return retrying(self._ask_once, request, longest, end)

    def _ask_once(self, request: requests.Request, longest: int, end: float) -> bytes:
        try:
            return self._answer(request, longest, end)
        except FOREIGN_ERRORS as error:
            failure = self._redactor.failure(error)
            raise self._translated(failure) from failure

    def _answer(self, request: requests.Request, longest: int, end: float) -> bytes:
        with (
            deadline_scope(lambda: _time_left(end)),
            send(self._session, request, ATTEMPT_S) as answer,
        ):
            if answer.status_code != HTTPStatus.OK:
                raise self._refused(answer)
            data = self._redactor.answer(_read(answer, longest))
        if len(data) > longest:
            raise self.stranger(f"sends more than {longest} bytes")
        return data

    def stranger(self, why: str) -> EncoderError:
        """What to raise when that which answers is no server of ours."""
        return EncoderError(
            f"{self.address} is no esclip encoder server that this esclip understands ({why}); "
            "check the address, and that both are of one version"
        )

    def failed(self, why: str, remedy: str | Hint) -> EncoderError:
        """What to raise when the server can't do what it should."""
        message = f"encoder server {self.address} {why}"
        if isinstance(remedy, Hint):
            return EncoderError(message, remedy)
        return EncoderError(f"{message}; {remedy}")

    def _refused(self, answer: requests.Response) -> EncoderError:
        status = answer.status_code
        words = self._words(answer)
        told = f"{status}: {words}" if words else str(status)
        if status in BUSY:
            message = f"encoder server {self.address} is too busy or not ready ({told}); try again later"
            return PassingError(message, after=retry_after(answer))
        match status:
            case HTTPStatus.UNAUTHORIZED:
                return self.failed("wants a token, or another one", Hint.ENCODER_TOKEN)
            case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                return self.failed(
                    f"takes no request as large as this one ({told})",
                    "a proxy before it has to let through as much as the server takes",
                )
            case HTTPStatus.CONFLICT if words:
                return self.failed("was restarted with another model meanwhile", "run the same command again")
            case HTTPStatus.INTERNAL_SERVER_ERROR:
                return self.failed(f"failed ({told})", "its own log says more")
        if words is None:
            return self.stranger(f"it answers {status}")
        return self.failed(f"refused a request ({told})", "are both of one version?")

    def _words(self, answer: requests.Response) -> str | None:
        """The server's own words in one line, without our secrets; None when it is no server of ours."""
        try:
            data = orjson.loads(_read(answer, WORDS))
        except orjson.JSONDecodeError:
            return None
        words: Any = data.get("error") if isinstance(data, dict) else None
        if not isinstance(words, str):
            return None
        return one_line(self._redactor.text(words), 200)

    def _translated(self, error: Exception) -> EncoderError:
        chain = list(causes(error))
        kind, why, remedy = next(
            (kind, why, remedy)
            for kinds, kind, why, remedy in _FOREIGN
            if any(isinstance(cause, kinds) for cause in chain)
        )
        root = one_line(str(getattr(chain[-1], "strerror", None) or chain[-1]), 200)
        return kind(str(self.failed(why.format(root), remedy)))


_FOREIGN: tuple[tuple[tuple[type[Exception], ...], type[EncoderError], str, str], ...] = (
    (
        (requests.exceptions.SSLError, urllib3_errors.SSLError),
        EncoderError,
        "can't be trusted ({})",
        "REQUESTS_CA_BUNDLE names further certificates",
    ),
    (
        (urllib3_errors.NameResolutionError, socket.gaierror),
        PassingError,
        "can't be found ({})",
        "check the host's name",
    ),
    (
        (urllib3_errors.NewConnectionError, requests.ConnectTimeout, urllib3_errors.ConnectTimeoutError),
        PassingError,
        "can't be reached ({})",
        "start it there with: esclip serve-encoder",
    ),
    (
        (requests.Timeout, urllib3_errors.TimeoutError, TimeoutError),
        PassingError,
        "did not answer in time",
        "try again later",
    ),
    ((ValueError,), EncoderError, "can't be asked ({})", "check the address"),
    (FOREIGN_ERRORS, PassingError, "broke the connection ({})", "is it still running?"),
)
"""What a foreign exception becomes, why that is, and what to do. The first row that fits it, or what caused
it, counts; the last fits everything that is caught."""


def _time_left(end: float) -> float:
    if cancellation.current().is_set():
        raise CancelledError
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("not all of it arrived within the deadline")
    return left


def _after(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, PassingError)
    return error.after


def _read(answer: requests.Response, longest: int) -> bytes:
    """The body, or more than `longest` bytes of it."""
    body = bytearray()
    while len(body) <= longest and (chunk := answer.raw.read1(CHUNK, decode_content=True)):
        body += chunk
        seconds_left.get()()
    return bytes(body)
