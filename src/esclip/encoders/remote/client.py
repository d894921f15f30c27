"""Requests to an encoder server, and what its refusals mean."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson

from esclip._concurrency.retry import RetryPolicy
from esclip._errors import EncoderError, Hint, one_line
from esclip._net.server_client import Refusal, ServerClient, ServerKind
from esclip.encoders.remote.protocol import OCTET_STREAM

_ENCODER = ServerKind(
    setting="encoder",
    name="encoder server",
    like="https://host:8090",
    command="esclip serve-encoder",
    broken=EncoderError,
    unavailable=EncoderError,
)


class EncoderClient:
    """Sends requests to one server. Thread-safe; keeps up to `connections`."""

    def __init__(self, address: str, token: str | None, *, connections: int) -> None:
        """Connect to nothing yet. Raises `ConfigError` for an address or a token that can't be used."""
        self._server = ServerClient(_ENCODER, address, token, connections=connections)
        self.address = self._server.address
        """Without credentials."""

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
        method = "GET" if body is None else "POST"
        sent = {"Content-Type": content_type, **(headers or {})} if body is not None else {}
        reply = self._server.request(
            method, path, body, headers=sent, max_bytes=max_bytes, policy=policy, refuse=self._refusal
        )
        if reply.status != HTTPStatus.OK:
            raise self.protocol_error(f"it answers {reply.status}")
        return reply.body

    def protocol_error(self, why: str) -> Exception:
        """What to raise when the server is not an esclip encoder server."""
        return self._server.protocol_error(why)

    def server_error(self, why: str, remedy: str) -> Exception:
        """What to raise when the server can't do what it should."""
        return self._server.error(why, remedy)

    def _refusal(self, refusal: Refusal) -> Exception:
        status = refusal.status
        text = self._error_text(refusal)
        answer = f"{status}: {text}" if text else str(status)
        if refusal.is_busy:
            return refusal.again(
                self._server.unavailable(f"is too busy or not ready ({answer})", "try again later")
            )
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

    def _error_text(self, refusal: Refusal) -> str | None:
        """The server's error in one line, without our secrets; None when it isn't an encoder server's."""
        try:
            data = orjson.loads(refusal.body)
        except orjson.JSONDecodeError:
            return None
        text: Any = data.get("error") if isinstance(data, dict) else None
        return one_line(text, 200) if isinstance(text, str) else None
