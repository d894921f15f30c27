"""Requests to a server of esclip: retried while it is busy, foreign exceptions mapped, secrets hidden.

    request ─► method, path, body ─► broken, late? busy? ─► retried by the policy ─► Reply, or an EsclipError

The token and the address's credentials are sent, and shown nowhere: not in errors, nor in `address`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import NamedTuple

import requests
import urllib3.exceptions as urllib3_errors

from esclip._concurrency import cancellation as cancellation
from esclip._concurrency.forks import leave_behind, renew_in_children
from esclip._concurrency.retry import RetryPolicy, TransientError, retry
from esclip._errors import ConfigError, ErrorTable, EsclipError, error_text, map_errors
from esclip._errors.secrets import Secret
from esclip._files.locations import split_credentials
from esclip._net.redaction import Redactor, with_base64
from esclip._net.session import FOREIGN_ERRORS, causes, new_session, read_body, retry_after, send
from esclip._net.sockets import DeadlineExceededError, deadline_scope

TIMEOUT_S = 120.0
"""For a connection, for sending a body, and for the next bytes of a response."""
MAX_ERROR_BYTES = 1 << 16
"""Bytes of an error that are read."""
BUSY = frozenset({429, 502, 503, 504})
"""Statuses of a server, or of a proxy before it, that is not ready or has too much to do."""


@dataclass(frozen=True, slots=True)
class ServerKind:
    """What a kind of server is called in errors, and which errors those are."""

    setting: str
    """What its address is given as."""
    name: str
    like: str
    """An address of one."""
    command: str
    """What starts one."""
    broken: Callable[[str], EsclipError]
    """The error of what won't get better by itself."""
    unavailable: Callable[[str], EsclipError]
    """The error of a connection or an answer that may come later."""
    attempts: float = float("inf")
    """How many connections that are refused are tried."""


class Reply(NamedTuple):
    """A response that was asked for, without our secrets: some servers repeat a request."""

    status: int
    body: bytes


class Refusal(NamedTuple):
    """A response that wasn't, for who knows what it means. Its body is cut, and without our secrets."""

    status: int
    content_type: str
    """Without parameters, in lower case."""
    body: bytes
    retry_after: float
    """Seconds that the server asks to wait for."""

    @property
    def is_busy(self) -> bool:
        """Whether the same request may be answered later."""
        return self.status in BUSY

    def again(self, error: EsclipError) -> TransientError:
        """A failure that is tried again after what the server asks for."""
        return TransientError(error, retry_after=self.retry_after)


class ServerClient:
    """Sends requests to one server. Thread-safe; keeps up to `connections`."""

    def __init__(self, kind: ServerKind, address: str, token: str | None, *, connections: int) -> None:
        """Connect to nothing yet. Raises `ConfigError` for an address or a token that can't be used."""
        self.kind = kind
        self.address, credentials = split_credentials(address, kind.setting, kind.like)
        """Without credentials."""
        headers = {"Accept-Encoding": "identity"}
        self._redactor = Redactor(())
        if token is not None and credentials is not None:
            raise ConfigError(
                f"{kind.setting} {self.address}: give a token, or credentials in the address, not both"
            )
        if token is not None:
            headers["Authorization"] = authorization(kind.setting, token)
            self._redactor = Redactor((), with_base64(token))
        elif credentials is not None:
            joined = with_base64(":".join(credentials))
            headers["Authorization"] = Secret(f"Basic {joined[1]}")
            self._redactor = Redactor((credentials[1],), joined)
        self._new_session = partial(new_session, connections, headers)
        self._session = self._new_session()
        renew_in_children(self)

    def renew(self) -> None:
        """Open connections of a forked child's own."""
        leave_behind(self._session)
        self._session = self._new_session()

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int,
        policy: RetryPolicy,
        refuse: Callable[[Refusal], Exception],
    ) -> Reply:
        """The response with a status of success, and a body of at most `max_bytes`.

        `refuse` makes an error of any other: a `TransientError` where it is worth another attempt. Raises
        that, the errors of the server's kind, and `CancelledError`.
        """
        request = requests.Request(method, self.address + path, headers=dict(headers or {}), data=body)
        return retry(lambda deadline: self._attempt(request, max_bytes, deadline, refuse), policy)

    def error(self, why: str, remedy: str) -> EsclipError:
        """What to raise when the server can't do what it should."""
        return self.kind.broken(f"{self.kind.name} {self.address} {why}; {remedy}")

    def unavailable(self, why: str, remedy: str) -> EsclipError:
        """What to raise when the server may do it later."""
        return self.kind.unavailable(f"{self.kind.name} {self.address} {why}; {remedy}")

    def protocol_error(self, why: str) -> EsclipError:
        """What to raise when the server is none of this kind."""
        return self.kind.broken(
            f"{self.address} is no esclip {self.kind.name} that this esclip understands ({why}); "
            "check the address, and that both are of one version"
        )

    def _attempt(
        self,
        request: requests.Request,
        max_bytes: int,
        deadline: float,
        refuse: Callable[[Refusal], Exception],
    ) -> Reply:
        try:
            reply = self._send(request, max_bytes, deadline)
        except FOREIGN_ERRORS as error:
            with map_errors(_FOREIGN, self, causes=causes):
                raise self._redactor.failure(error) from None
        if isinstance(reply, Refusal):
            raise refuse(reply)
        return reply

    def _send(self, request: requests.Request, max_bytes: int, deadline: float) -> Reply | Refusal:
        with (
            deadline_scope(deadline, cancellation.current()),
            send(self._session, request, TIMEOUT_S) as response,
        ):
            if not HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
                return self._refusal(response)
            body = self._redactor.answer(read_body(response, max_bytes))
        if len(body) > max_bytes:
            raise self.protocol_error(f"sends more than {max_bytes} bytes")
        return Reply(response.status_code, body)

    def _refusal(self, response: requests.Response) -> Refusal:
        kind = self._redactor.text(response.headers.get("Content-Type", ""))
        return Refusal(
            response.status_code,
            kind.partition(";")[0].strip().lower(),
            self._redactor.answer(read_body(response, MAX_ERROR_BYTES)),
            retry_after(response.headers),
        )


def authorization(setting: str, token: str) -> Secret:
    """The header's value for the token. Raises `ConfigError` for a token that no header can carry."""
    if not (token.isascii() and token.isprintable()) or " " in token or not token:
        raise ConfigError(f"the {setting}'s token has characters other than ASCII letters, digits and signs")
    return Secret(f"Bearer {token}")


def _failure(
    why: str, remedy: str, *, lasting: bool = False, is_connection: bool = False
) -> Callable[[BaseException, ServerClient], Exception]:
    """A function that maps a foreign exception: its text takes the place of {} in `why`, the command's
    that of {} in `remedy`."""

    def make(error: BaseException, client: ServerClient) -> Exception:
        *_, root = causes(error)
        told = why.format(error_text(root, 200)), remedy.format(client.kind.command)
        if lasting:
            return client.error(*told)
        attempts = client.kind.attempts if is_connection else float("inf")
        return TransientError(client.unavailable(*told), max_attempts=attempts)

    return make


_FOREIGN: ErrorTable = (
    (
        (requests.exceptions.SSLError, urllib3_errors.SSLError),
        _failure("can't be trusted ({})", "REQUESTS_CA_BUNDLE names further certificates", lasting=True),
    ),
    (
        (urllib3_errors.NameResolutionError, socket.gaierror),
        _failure("can't be found ({})", "check the host's name", is_connection=True),
    ),
    (
        (urllib3_errors.NewConnectionError, requests.ConnectTimeout, urllib3_errors.ConnectTimeoutError),
        _failure("can't be reached ({})", "start it there with: {}", is_connection=True),
    ),
    (
        (requests.Timeout, urllib3_errors.TimeoutError, TimeoutError, DeadlineExceededError),
        _failure("did not answer in time", "try again later"),
    ),
    (ValueError, _failure("can't be asked ({})", "check the address", lasting=True)),
    (FOREIGN_ERRORS, _failure("broke the connection ({})", "is it still running?")),
)
"""What requests and urllib3 raise, or what caused it. The last row fits everything that they raise."""
