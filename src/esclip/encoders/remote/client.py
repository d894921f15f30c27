"""Requests to an encoder server: retried while it is busy, foreign exceptions mapped, secrets hidden.

    request ─► POST ─► busy, broken, late? ─► retried by the policy ─► the body, or an EncoderError

The token and the address's credentials are sent, and shown nowhere: not in errors, nor in `address`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
import requests
import urllib3.exceptions as urllib3_errors

from esclip._concurrency import cancellation as cancellation
from esclip._concurrency.forks import leave_behind, renew_in_children
from esclip._concurrency.retry import RetryPolicy, TransientError, retry
from esclip._errors import ConfigError, EncoderError, ErrorTable, Hint, error_text, map_errors, one_line
from esclip._errors.secrets import Secret
from esclip._files.locations import split_credentials
from esclip._net.redaction import Redactor, with_base64
from esclip._net.session import FOREIGN_ERRORS, causes, new_session, read_body, retry_after, send
from esclip._net.sockets import DeadlineExceededError, deadline_scope
from esclip.encoders.remote.protocol import OCTET_STREAM, authorization

TIMEOUT_S = 120.0
"""For a connection, for sending a body, and for the next bytes of a response."""
MAX_ERROR_BYTES = 1 << 16
"""Bytes of an error that are read."""
BUSY = frozenset({429, 502, 503, 504})


class EncoderClient:
    """Sends requests to one server. Thread-safe; keeps up to `connections`."""

    def __init__(self, address: str, token: str | None, *, connections: int) -> None:
        """Connect to nothing yet. Raises `ConfigError` for an address or a token that can't be used."""
        self.address, credentials = split_credentials(address, "encoder", "https://host:8090")
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
        renew_in_children(self)

    def renew(self) -> None:
        """Open connections of a forked child's own."""
        leave_behind(self._session)
        self._session = self._new_session()

    def request(
        self,
        path: str,
        body: bytes | None = None,
        *,
        content_type: str = OCTET_STREAM,
        headers: dict[str, str] | None = None,
        max_bytes: int,
        policy: RetryPolicy,
    ) -> bytes:
        """The body of the response, of at most `max_bytes`; a GET without `body`, else a POST.

        Raises `EncoderError`, and `CancelledError`.
        """
        method, url = ("GET" if body is None else "POST"), self.address + path
        sent = {"Content-Type": content_type, **(headers or {})} if body is not None else {}
        request = requests.Request(method, url, headers=sent, data=body)
        return retry(lambda deadline: self._attempt(request, max_bytes, deadline), policy)

    def _attempt(self, request: requests.Request, max_bytes: int, deadline: float) -> bytes:
        try:
            return self._send(request, max_bytes, deadline)
        except FOREIGN_ERRORS as error:
            with map_errors(_FOREIGN, self, causes=causes):
                raise self._redactor.failure(error) from None

    def _send(self, request: requests.Request, max_bytes: int, deadline: float) -> bytes:
        with (
            deadline_scope(deadline, cancellation.current()),
            send(self._session, request, TIMEOUT_S) as response,
        ):
            if response.status_code != HTTPStatus.OK:
                raise self._refusal(response)
            data = self._redactor.answer(read_body(response, max_bytes))
        if len(data) > max_bytes:
            raise self.protocol_error(f"sends more than {max_bytes} bytes")
        return data

    def protocol_error(self, why: str) -> EncoderError:
        """What to raise when the server is not an esclip encoder server."""
        return EncoderError(
            f"{self.address} is no esclip encoder server that this esclip understands ({why}); "
            "check the address, and that both are of one version"
        )

    def server_error(self, why: str, remedy: str) -> EncoderError:
        """What to raise when the server can't do what it should."""
        return EncoderError(f"encoder server {self.address} {why}; {remedy}")

    def _refusal(self, response: requests.Response) -> Exception:
        status = response.status_code
        text = self._error_text(response)
        answer = f"{status}: {text}" if text else str(status)
        if status in BUSY:
            busy = self.server_error(f"is too busy or not ready ({answer})", "try again later")
            return TransientError(busy, retry_after=retry_after(response.headers))
        match status:
            case HTTPStatus.UNAUTHORIZED:
                return EncoderError(
                    f"encoder server {self.address} wants a token, or another one", Hint.ENCODER_TOKEN
                )
            case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                return self.server_error(
                    f"takes no request as large as this one ({answer})",
                    "a proxy before it has to let through as much as the server takes",
                )
            case HTTPStatus.CONFLICT if text:
                return self.server_error(
                    "was restarted with another model meanwhile", "run the same command again"
                )
            case HTTPStatus.INTERNAL_SERVER_ERROR:
                return self.server_error(f"failed ({answer})", "its own log says more")
        if text is None:
            return self.protocol_error(f"it answers {status}")
        return self.server_error(f"refused a request ({answer})", "are both of one version?")

    def _error_text(self, response: requests.Response) -> str | None:
        """The server's error in one line, without our secrets; None when it isn't an encoder server's."""
        try:
            data = orjson.loads(read_body(response, MAX_ERROR_BYTES))
        except orjson.JSONDecodeError:
            return None
        text: Any = data.get("error") if isinstance(data, dict) else None
        return one_line(self._redactor.text(text), 200) if isinstance(text, str) else None


def _failure(
    why: str, remedy: str, *, transient: bool = True
) -> Callable[[BaseException, EncoderClient], Exception]:
    """A function that maps a foreign exception; the exception's text takes the place of {} in `why`."""

    def make(error: BaseException, client: EncoderClient) -> Exception:
        *_, root = causes(error)
        failure = client.server_error(why.format(error_text(root, 200)), remedy)
        return TransientError(failure) if transient else failure

    return make


_FOREIGN: ErrorTable = (
    (
        (requests.exceptions.SSLError, urllib3_errors.SSLError),
        _failure("can't be trusted ({})", "REQUESTS_CA_BUNDLE names further certificates", transient=False),
    ),
    (
        (urllib3_errors.NameResolutionError, socket.gaierror),
        _failure("can't be found ({})", "check the host's name"),
    ),
    (
        (urllib3_errors.NewConnectionError, requests.ConnectTimeout, urllib3_errors.ConnectTimeoutError),
        _failure("can't be reached ({})", "start it there with: esclip serve-encoder"),
    ),
    (
        (requests.Timeout, urllib3_errors.TimeoutError, TimeoutError, DeadlineExceededError),
        _failure("did not answer in time", "try again later"),
    ),
    (ValueError, _failure("can't be asked ({})", "check the address", transient=False)),
    (FOREIGN_ERRORS, _failure("broke the connection ({})", "is it still running?")),
)
"""What requests and urllib3 raise, or what caused it. The last row fits everything that they raise."""
