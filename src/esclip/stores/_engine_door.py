"""opensearch-py's client as we use it: what it trusts, what lets it in, and nothing of that in what it tells.

Access ─► TLS context ─► client ─► request, with a header or a signature ─► answer, our secrets hidden
"""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import opensearchpy
from opensearchpy import exceptions

from esclip._access import Access, Secret
from esclip._errors import ConfigError

if TYPE_CHECKING:
    from esclip.stores._aws import Signer

__all__ = ["connect"]

CONNECTIONS = 8


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
    """Hides our secrets in answers: there are servers that repeat a request's headers in an error."""

    def __init__(self, *, secrets: Callable[[], Iterable[str]], **settings: Any) -> None:
        super().__init__(**settings)
        self._secrets = secrets

    def perform_request(self, *request: Any, **settings: Any) -> Any:
        status, headers, text = super().perform_request(*request, **settings)
        return status, headers, text if status < 300 else self._hidden(text)

    def _raise_error(self, status: int, text: str, kind: str | None = None) -> None:
        super()._raise_error(status, self._hidden(text), kind)

    def _log_request_response(self, body: Any, response: str | None) -> None:
        super()._log_request_response(body, response and self._hidden(response))

    def _hidden(self, text: str) -> str:
        for secret in filter(None, self._secrets()):
            for spelled in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
                text = text.replace(spelled, "***")
        return text
