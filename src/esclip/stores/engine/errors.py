"""The exceptions of opensearch-py as errors of ours, which say what to do."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opensearchpy import exceptions
from urllib3.exceptions import ProtocolError

from esclip._concurrency.retry import TransientError
from esclip._errors import EsclipError, Hint, IndexNotFound, StoreError, StoreUnavailable
from esclip._net.session import causes
from esclip.stores.engine.bulk_errors import PayloadTooLarge, disk_full, is_disk_full
from esclip.stores.engine.transport import TooLong

__all__ = ["BUSY", "TRANSLATIONS", "Forbidden", "index_missing", "translated"]

BUSY = frozenset({408, 429, 500, 502, 503, 504})


class Forbidden(StoreError):
    """The server knows who asks, and does not let them do this."""


@contextmanager
def translated(address: str, index: str) -> Iterator[None]:
    """Raise the client's exceptions as ours."""
    try:
        yield
    except tuple(TRANSLATIONS) as error:
        nearest = next(kind for kind in type(error).__mro__ if kind in TRANSLATIONS)
        raise TRANSLATIONS[nearest](error, address, index) from error


def _refused(error: Any, address: str, index: str) -> StoreError | TransientError:
    words = _reason(error)
    if error.status_code == 413:
        return PayloadTooLarge(f"{address} takes no request as large as this one: {words}")
    if isinstance(error.info, Mapping) and is_disk_full(error.info.get("error")):
        return disk_full(f"Index {index} at {address}", words)
    if error.error == "index_create_block_exception":
        return TransientError(
            StoreUnavailable(
                f"{address} makes no index at the moment ({words}): "
                "the disks of its nodes are nearly full, or it is not allowed"
            )
        )
    if error.status_code == 403:
        return Forbidden(
            f"{address} does not allow what was asked for index {index} ({words}); "
            'README.md says what a user needs, under "A cluster with a lock on it"'
        )
    if error.status_code in BUSY:
        busy = StoreUnavailable(f"{address} is too busy or not ready ({words}); try again later.")
        return TransientError(busy, overloaded=error.status_code == 429)
    if SPEAKS_TLS.search(words):
        return StoreError(f"{address} speaks TLS: its address begins with https://")
    return StoreError(f"{address} refused a request for index {index}: {words}")


def _unreachable(error: Any, address: str, _: str) -> EsclipError:
    if isinstance(error.info, EsclipError):  # raised while the request was made, not sent
        return error.info
    if isinstance(error.info, TooLong):
        return StoreError(f"{address} sends {error.info}, which no engine does; check the address")
    why = type(error.info).__name__
    remedy = "is it running?"
    if isinstance(error.info, ProtocolError) and address.startswith("http://"):
        remedy = "does its address begin with https://?"
    return StoreUnavailable(f"{address} can't be reached ({why}); {remedy}")


def _untrusted(error: Any, address: str, _: str) -> StoreError:
    why = next((one for one in causes(error) if isinstance(one, ssl.SSLCertVerificationError)), None)
    if why is None:
        return StoreError(f"No TLS with {address}: {error.error}; does its address begin with http://?")
    untrusted = f"{address} can't be trusted: {why.verify_message}"
    if remedy := UNTRUSTED.get(why.verify_code):
        return StoreError(f"{untrusted}; {remedy}")
    return StoreError(untrusted, Hint.CA_FILE)


def _not_found(error: Any, address: str, index: str) -> StoreError:
    if error.error == "index_not_found_exception":
        return index_missing(address, index)
    return StoreError(f"{address} does not know what engines know ({_reason(error)}); check the address.")


def index_missing(address: str, index: str) -> IndexNotFound:
    """What is raised where an index is needed that isn't there."""
    return IndexNotFound(f"There is no index {index} at {address}; ingest pictures to make it.")


def _reason(error: Any) -> str:
    """The server's own words in one line, or the title of a proxy's page."""
    told = error.info.get("error") if isinstance(error.info, Mapping) else None
    parts = (told.get("reason"), told.get(DETAIL)) if isinstance(told, Mapping) else ()
    words = ": ".join(str(part) for part in parts if part) or str(error.error)
    title = re.search(r"<title>(.*?)</title>", words, re.DOTALL)
    words = title[1].removeprefix(str(error.status_code)) if title else words
    return " ".join(f"{error.status_code} {words}".split())[:500]


SPEAKS_TLS = re.compile("HTTP request (was sent )?to (an )?HTTPS", re.IGNORECASE)
"""In the answer of a proxy that wants TLS and gets none."""
DETAIL = "additional_unsuccessful_credentials"
"""Where Elasticsearch says what is wrong with an API key."""
UNTRUSTED = {
    10: "it has to be renewed",
    62: "is this the name that the certificate is for?",
    64: "is this the address that the certificate is for?",
}
"""What to do about a certificate, by OpenSSL's number for what is wrong with it."""

TRANSLATIONS: dict[type[Exception], Callable[[Any, str, str], EsclipError | TransientError]] = {
    exceptions.ConnectionTimeout: lambda _, address, __: StoreUnavailable(
        f"{address} did not answer in time; try again."
    ),
    exceptions.SSLError: _untrusted,
    exceptions.ConnectionError: _unreachable,
    exceptions.AuthenticationException: lambda error, address, _: StoreError(
        f"{address} does not let you in ({_reason(error)})", Hint.CREDENTIALS
    ),
    exceptions.NotFoundError: _not_found,
    exceptions.TransportError: _refused,
    exceptions.SerializationError: lambda _, address, __: StoreUnavailable(
        f"{address} answered with something that isn't JSON; is it an OpenSearch or Elasticsearch?"
    ),
    exceptions.OpenSearchException: lambda error, address, _: StoreError(f"{address}: {error}"),
    exceptions.OpenSearchDslException: lambda error, address, _: StoreError(f"{address}: {error}"),
    exceptions.ImproperlyConfigured: lambda error, address, _: StoreError(f"{address}: {error}"),
    exceptions.OpenSearchWarning: lambda error, address, _: StoreError(f"{address} warned: {error}"),
}
"""Every exception of the client, or a base of it, and what it is to us."""
