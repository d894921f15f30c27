"""Maps the exceptions of opensearch-py to errors that say what to do."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Any

from opensearchpy import exceptions
from urllib3.exceptions import ProtocolError

from esclip._concurrency.retry import TransientError
from esclip._errors import (
    ErrorTable,
    EsclipError,
    Hint,
    IndexNotFound,
    StoreError,
    StoreUnavailable,
)
from esclip._net.session import causes
from esclip.stores.engine.bulk_errors import (
    PayloadTooLarge,
    disk_full,
    is_disk_full,
    is_shard_gone,
    reason_text,
)
from esclip.stores.engine.transport import ResponseTooLong

BUSY = frozenset({408, 429, 500, 502, 503, 504})


class Forbidden(StoreError):
    """The user is authenticated, and not allowed to do this."""


def _explain_refusal(error: Any, address: str, index: str) -> StoreError | TransientError:
    reason = _reason(error)
    if error.status_code == 413:
        return PayloadTooLarge(f"{address} takes no request as large as this one: {reason}")
    if isinstance(error.info, Mapping) and is_disk_full(error.info.get("error")):
        return disk_full(f"index {index!r} at {address}", reason)
    if error.error == "index_closed_exception":
        return index_closed(address, index)
    if error.error == "index_create_block_exception":
        return TransientError(
            StoreUnavailable(
                f"{address} makes no index at the moment ({reason}): "
                "the disks of its nodes are nearly full, or it is not allowed"
            )
        )
    if error.status_code == 403:
        return Forbidden(
            f"{address} does not allow what was asked for index {index!r} ({reason}); "
            "docs/how-to/opensearch.md says which rights a user needs"
        )
    if error.status_code in BUSY:
        return TransientError(engine_busy(address, reason), overloaded=error.status_code == 429)
    if SPEAKS_TLS.search(reason):
        return StoreError(f"{address} speaks TLS: its address begins with https://")
    return StoreError(f"{address} refused a request for index {index!r}: {reason}")


def _unreachable(error: Any, address: str, _: str) -> EsclipError:
    if isinstance(error.info, EsclipError):  # raised while the request was made, not sent
        return error.info
    if isinstance(error.info, ResponseTooLong):
        return StoreError(f"{address} sends {error.info}, which no engine does; check the address")
    why = type(error.info).__name__
    remedy = "is it running?"
    if isinstance(error.info, ProtocolError) and address.startswith("http://"):
        remedy = "does its address begin with https://?"
    return StoreUnavailable(f"{address} can't be reached ({why}); {remedy}")


def _explain_tls_failure(error: Any, address: str, _: str) -> StoreError:
    cause = next((c for c in causes(error) if isinstance(c, ssl.SSLCertVerificationError)), None)
    if cause is None:
        return StoreError(f"no TLS with {address}: {error.error}; does its address begin with http://?")
    untrusted = f"{address} can't be trusted: {cause.verify_message}"
    if remedy := UNTRUSTED.get(cause.verify_code):
        return StoreError(f"{untrusted}; {remedy}")
    return StoreError(untrusted, Hint.CA_FILE)


def _not_found(error: Any, address: str, index: str) -> StoreError | TransientError:
    if error.error == "index_not_found_exception":
        return index_missing(address, index)
    if isinstance(error.info, Mapping) and is_shard_gone(error.info.get("error")):
        return TransientError(engine_busy(address, _reason(error)))
    return StoreError(f"{address} does not know what engines know ({_reason(error)}); check the address")


def engine_busy(address: str, reason: str) -> StoreUnavailable:
    """What to raise where the same request may succeed later."""
    return StoreUnavailable(f"{address} is too busy or not ready ({reason}); try again later")


def index_missing(address: str, index: str) -> IndexNotFound:
    """What to raise where the index does not exist."""
    return IndexNotFound(f"there is no index {index!r} at {address}; ingest pictures to make it")


def index_closed(address: str, index: str) -> StoreError:
    """What to raise where an index is closed."""
    return StoreError(f"index {index!r} at {address} is closed; open it: POST /{index}/_open")


def _reason(error: Any) -> str:
    """The status and the server's reason."""
    answer = error.info.get("error") if isinstance(error.info, Mapping) else None
    reason = reason_text(answer or error.error).removeprefix(str(error.status_code))
    return f"{error.status_code} {reason.strip()}"


SPEAKS_TLS = re.compile("HTTP request (was sent )?to (an )?HTTPS", re.IGNORECASE)
"""In the answer of a proxy that wants TLS and gets none."""
UNTRUSTED = {
    10: "it has to be renewed",
    62: "is this the name that the certificate is for?",
    64: "is this the address that the certificate is for?",
}
"""What to do about a certificate, by OpenSSL's number for what is wrong with it."""


def _other(error: Any, address: str, _: str) -> StoreError:
    return StoreError(f"{address}: {error}")


ENGINE_ERRORS: ErrorTable = (
    (
        exceptions.ConnectionTimeout,
        lambda _, address, __: StoreUnavailable(f"{address} did not answer in time; try again"),
    ),
    (exceptions.SSLError, _explain_tls_failure),
    (exceptions.ConnectionError, _unreachable),
    (
        exceptions.AuthenticationException,
        lambda error, address, _: StoreError(
            f"{address} does not let you in ({_reason(error)})", Hint.CREDENTIALS
        ),
    ),
    (exceptions.NotFoundError, _not_found),
    (exceptions.TransportError, _explain_refusal),
    (
        exceptions.SerializationError,
        lambda _, address, __: StoreUnavailable(
            f"{address} answered with something that isn't JSON; is it an OpenSearch or Elasticsearch?"
        ),
    ),
    (exceptions.OpenSearchWarning, lambda error, address, _: StoreError(f"{address} warned: {error}")),
    (
        (
            exceptions.OpenSearchException,
            exceptions.OpenSearchDslException,
            exceptions.ImproperlyConfigured,
        ),
        _other,
    ),
)
"""What opensearch-py raises; the context is the address and the index."""
