"""opensearch-py's client with TLS and credentials, which are redacted in answers and errors.

StoreAuth ─► TLS context ─► client ─► request with a header or a signature ─► response, redacted
"""

from __future__ import annotations

import ssl
from base64 import b64decode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import opensearchpy
import orjson
from opensearchpy import exceptions
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPHeaderDict
from urllib3.exceptions import HTTPError, IncompleteRead

from esclip._errors import ConfigError
from esclip._errors.secrets import Secret
from esclip._net.access import StoreAuth
from esclip._net.redaction import Redactor, with_base64

if TYPE_CHECKING:
    from esclip.stores.engine.aws import Signer

CONNECTIONS = 8
STATUSES_WITH_BODY = frozenset({200, 201, 400, 404, 405})
"""Statuses with which an engine always sends a body: without one the answer has been cut off in its head."""
MAX_RESPONSE_BYTES = 1 << 30
"""Bytes of an answer: ten times what hits with long texts take."""
MAX_COMPRESSED_RESPONSE_BYTES = 1 << 26
"""The same of a compressed one, which is never requested: few bytes may become many."""
CHUNK = 1 << 20
CREDENTIALS = frozenset({"authorization", "x-amz-security-token"})
"""Headers with credentials."""
ORDER_BY_ID_WARNING = "fielddata on the _id field"
"""In what a node of OpenSearch warns of: an order by `_id`, which adopted indexes may need."""


def connect(address: str, auth: StoreAuth) -> Any:
    """A client of the server at `address`. Nothing is connected to yet.

    Raises `ConfigError` for an address or a CA file that can't be used, and for AWS without botocore.
    """
    parts = urlsplit(address)
    secure = parts.scheme == "https"
    header = _header(auth)
    signer = _signer(auth.aws_region) if auth.aws_region is not None else None
    try:
        return opensearchpy.OpenSearch(
            hosts=[{"host": parts.hostname, "port": parts.port or (443 if secure else 80)}],
            url_prefix=parts.path,
            use_ssl=secure,
            ssl_context=_trust(auth.ca_file) if secure else None,
            headers={"authorization": header} if header else None,
            http_auth=signer,
            connection_class=_Connection,
            secrets=_Secrets.of(auth),
            serializer=_Json(),
            max_retries=0,
            retry_on_timeout=False,
            pool_maxsize=CONNECTIONS,
        )
    except (ValueError, exceptions.ImproperlyConfigured) as error:
        raise ConfigError(f"the store's address {address} can't be used: {error}") from error


def _trust(ca_file: str | Path | None) -> ssl.SSLContext:
    """Verifies certificates and host names, by the file or by the system's (or SSL_CERT_FILE's)."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise ConfigError(f"CA file {ca_file} has no certificate in it; it is a PEM file") from error
    except OSError as error:
        raise ConfigError(f"CA file {ca_file} can't be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class _Secrets:
    """The secrets of the authentication, and of each request, such as its signature."""

    words: tuple[Secret, ...] = ()
    """Passwords, which may be words."""
    sure: tuple[Secret, ...] = ()

    @classmethod
    def of(cls, auth: StoreAuth) -> _Secrets:
        if auth.user is not None:
            joined = with_base64(f"{auth.user}:{auth.password}")
            return cls(_as_secrets(auth.password or ""), _as_secrets(*joined))
        if auth.api_key is not None:
            key = auth.api_key
            if ":" not in key:
                with suppress(ValueError):  # else it is none that an engine has made
                    key = b64decode(key + "==").decode()
            return cls(sure=_as_secrets(auth.api_key, *with_base64(key), *key.split(":", 1)[1:]))
        return cls()

    def redactor(self, headers: Mapping[str, str]) -> Redactor:
        """Redacts the response to a request with such headers."""
        return _redactor(self.words, self.sure + _credentials_in(headers))


@lru_cache(maxsize=16)
def _redactor(words: tuple[Secret, ...], sure: tuple[Secret, ...]) -> Redactor:
    return Redactor(words, sure)


def _as_secrets(*secrets: str) -> tuple[Secret, ...]:
    return tuple(Secret(secret) for secret in secrets if secret)


def _credentials_in(headers: Mapping[str, str]) -> tuple[Secret, ...]:
    """The credentials in a request's headers."""
    credentials: list[str] = []
    for name, value in headers.items():
        if name.lower() in CREDENTIALS:
            credentials += [value, value.partition(" ")[2], value.partition("Signature=")[2]]
    return _as_secrets(*credentials)


def _header(auth: StoreAuth) -> Secret | None:
    """The Authorization header."""
    if auth.user is not None:
        return Secret(f"Basic {with_base64(f'{auth.user}:{auth.password}')[1]}")
    if auth.api_key is not None:
        encoded = with_base64(auth.api_key)[1] if ":" in auth.api_key else auth.api_key
        return Secret(f"ApiKey {encoded}")
    return None


def _signer(region: str) -> Signer:
    try:
        from esclip.stores.engine.aws import Signer
    except ImportError as error:
        raise ConfigError("AWS credentials need botocore: pip install 'esclip[aws]'") from error
    return Signer(region)


def from_json(text: str) -> Any:
    """A body's JSON. Raises the client's exception for invalid JSON, or too deeply nested."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise exceptions.SerializationError(text[:500], error) from error


def refusal(status: int, text: str) -> Exception:
    """The client's exception for a response with such a status, with any body."""
    try:
        info = orjson.loads(text)
    except orjson.JSONDecodeError:
        info = None
    error: Any = info.get("error", text) if isinstance(info, Mapping) else text
    kind = error.get("type", text) if isinstance(error, Mapping) else error
    raised: type[Exception] = exceptions.HTTP_EXCEPTIONS.get(status, exceptions.TransportError)
    return raised(status, kind if isinstance(kind, str) else str(kind), info)


class _Json(opensearchpy.JSONSerializer):  # type: ignore[misc] # opensearch-py is not typed
    def loads(self, text: str) -> Any:
        return from_json(text)


class _Connection(opensearchpy.Urllib3HttpConnection):  # type: ignore[misc] # opensearch-py is not typed
    def __init__(self, *, secrets: _Secrets, **settings: Any) -> None:
        self._secrets = secrets
        super().__init__(**settings)

    def _raise_error(self, status_code: int, raw_data: str, content_type: str | None = None) -> None:
        raise refusal(status_code, raw_data)

    def _raise_warnings(self, warning_headers: Iterable[str] | None) -> None:
        unknown = [header for header in warning_headers or () if ORDER_BY_ID_WARNING not in header]
        super()._raise_warnings(unknown)

    def _create_urllib3_pool(self) -> None:
        self.pool = RedactingPool(self._urllib3_pool_factory(), self._secrets)


class ResponseTooLong(HTTPError):
    """A response above `MAX_RESPONSE_BYTES`."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Any
    data: bytes


def _whole(answer: BaseHTTPResponse) -> bytes:
    """The body, decompressed. Raises `ResponseTooLong`."""
    longest = MAX_COMPRESSED_RESPONSE_BYTES if answer.headers.get("Content-Encoding") else MAX_RESPONSE_BYTES
    body = bytearray()
    while chunk := answer.read(CHUNK, decode_content=True):
        body += chunk
        if len(body) > longest:
            answer.close()
            raise ResponseTooLong(f"an answer of more than {longest >> 20} MiB")
    answer.release_conn()
    return bytes(body)


class RedactingPool:
    """A pool of connections that reads whole responses and redacts our secrets in them."""

    def __init__(self, pool: HTTPConnectionPool, secrets: _Secrets) -> None:
        self._pool = pool
        self._secrets = secrets

    def urlopen(self, method: str, url: str, body: Any, **settings: Any) -> _Answer:
        """Send a request; its answer or error with the secrets of the request redacted."""
        redactor = self._secrets.redactor(settings["headers"])
        try:
            answer = self._pool.urlopen(method, url, body, preload_content=False, **settings)
            data = _whole(answer)
            if answer.status in STATUSES_WITH_BODY and not data:
                raise IncompleteRead(0, 1)
        except Exception as error:
            raise redactor.failure(error) from None
        headers = HTTPHeaderDict((name, redactor.text(value)) for name, value in answer.headers.items())
        return _Answer(answer.status, headers, redactor.answer(data))

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()
