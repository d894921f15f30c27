"""opensearch-py's client as we use it: what it trusts, what lets it in, and nothing of that in what it tells.

Access ─► TLS context ─► client ─► request, with a header or a signature ─► answer, our secrets hidden
"""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import opensearchpy
from opensearchpy import exceptions
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import IncompleteRead

from esclip._access import Access, Secret
from esclip._errors import ConfigError

if TYPE_CHECKING:
    from esclip.stores._aws import Signer

__all__ = ["connect"]

CONNECTIONS = 8
WORDY = frozenset({200, 201, 400, 404, 405})
"""Statuses with which an engine always sends a body: without one the answer has been cut off in its head."""
SHORTEST_HIDDEN = 8
"""Shorter secrets are parts of ordinary words: to hide them would break the answers."""


def connect(address: str, access: Access) -> Any:
    """A client of the server at `address`. Nothing is connected to yet.

    Raises `ConfigError` for an address or a CA file that can't be used, and for AWS without botocore.
    """
    parts = urlsplit(address)
    secure = parts.scheme == "https"
    header, secrets = _header(access)
    signer = _signer(access.aws_region) if access.aws_region is not None else None
    try:
        return opensearchpy.OpenSearch(
            hosts=[{"host": parts.hostname, "port": parts.port or (443 if secure else 80)}],
            url_prefix=parts.path,
            use_ssl=secure,
            ssl_context=_trust(access.ca_file) if secure else None,
            headers={"authorization": header} if header else None,
            http_auth=signer,
            connection_class=_Connection,
            secrets=signer.secrets if signer else lambda: secrets,
            max_retries=0,
            retry_on_timeout=False,
            pool_maxsize=CONNECTIONS,
        )
    except (ValueError, exceptions.ImproperlyConfigured) as error:
        raise ConfigError(f"The store's address {address} can't be used: {error}") from error


def _trust(ca_file: str | Path | None) -> ssl.SSLContext:
    """What checks certificates and host names: against the file, or the system's (or SSL_CERT_FILE's)."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise ConfigError(f"CA file {ca_file} has no certificate in it; it is a PEM file") from error
    except OSError as error:
        raise ConfigError(f"CA file {ca_file} can't be read: {error.strerror}") from error


def _header(access: Access) -> tuple[Secret | None, Sequence[str]]:
    """The header that lets us in, and what of it must not be shown, in every form that it has."""
    if access.user is not None:
        kind, key = "Basic", f"{access.user}:{access.password}"
    elif access.api_key is not None:
        kind, key = "ApiKey", access.api_key
    else:
        return None, ()
    encoded = b64encode(key.encode()).decode() if ":" in key else key
    return Secret(f"{kind} {encoded}"), (encoded, key, *key.split(":", 1)[1:])


def _signer(region: str) -> Signer:
    try:
        from esclip.stores._aws import Signer
    except ImportError as error:
        raise ConfigError("AWS credentials need botocore: pip install 'esclip[aws]'") from error
    return Signer(region)


class _Connection(opensearchpy.Urllib3HttpConnection):  # type: ignore[misc] # opensearch-py is not typed
    def __init__(self, *, secrets: Callable[[], Iterable[str]], **settings: Any) -> None:
        self._secrets = secrets
        super().__init__(**settings)

    def _create_urllib3_pool(self) -> None:
        self.pool = _Discreet(self._urllib3_pool_factory(), self._secrets)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Any
    data: bytes


class _Discreet:
    """A pool of connections whose answers are whole, and keep our secrets: some servers repeat a request."""

    def __init__(self, pool: HTTPConnectionPool, secrets: Callable[[], Iterable[str]]) -> None:
        self._pool = pool
        self._secrets = secrets

    def urlopen(self, *request: Any, **settings: Any) -> _Answer:
        answer = self._pool.urlopen(*request, **settings)
        if answer.status in WORDY and not answer.data:
            raise IncompleteRead(0, 1)
        data = answer.data if answer.status < 300 else self._hidden(answer.data)
        return _Answer(answer.status, answer.headers, data)

    def close(self) -> None:
        self._pool.close()

    def _hidden(self, data: bytes) -> bytes:
        for secret in self._secrets():
            if len(secret) >= SHORTEST_HIDDEN:
                for spelled in (
                    secret,
                    json.dumps(secret)[1:-1],
                    json.dumps(secret, ensure_ascii=False)[1:-1],
                ):
                    data = data.replace(spelled.encode(), b"***")
        return data
