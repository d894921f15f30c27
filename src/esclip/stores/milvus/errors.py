"""Maps the exceptions of pymilvus and gRPC to errors that say what to do."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from esclip._concurrency.retry import TransientError
from esclip._errors import ErrorTable, Hint, IndexNotFound, StoreError, StoreUnavailable, one_line

COLLECTION_MISSING = 100
NOT_LOADED = 101
UNREACHABLE = 2
"""pymilvus's own code where it could not connect."""
RATE_LIMIT = 8

PASSING = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "INTERNAL"})
"""gRPC's codes of what may pass."""
REFUSED = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})


class NotLoaded(StoreError):
    """The collection is not in the server's memory: somebody has released it."""


def index_missing(address: str, index: str) -> IndexNotFound:
    """What to raise where the index does not exist."""
    return IndexNotFound(f"there is no index {index!r} in {address}; ingest pictures to make it")


def _failure(error: Any, address: str, index: str) -> StoreError | TransientError:
    code, text = error.code, error.message
    if not isinstance(code, int):  # one of gRPC's
        return _refusal(code.name, text, address, index)
    if code == COLLECTION_MISSING:
        return index_missing(address, index)
    if code == NOT_LOADED:
        return NotLoaded(f"index {index!r} is not in the memory of {address} ({one_line(text, 200)})")
    if code == UNREACHABLE:
        tls = "milvus://" if "+https" in address else "milvus+https://"
        unreachable = f"{address} can't be reached; is a Milvus running there, and does it want {tls}?"
        return TransientError(StoreUnavailable(unreachable))
    if code == RATE_LIMIT or error.retriable:
        busy = StoreUnavailable(
            f"{address} is too busy or not ready ({one_line(text, 200)}); try again later"
        )
        return TransientError(busy, overloaded=True)
    return StoreError(f"{address} refused a request for index {index!r}: {one_line(text, 300)}")


def _rpc_failure(error: Any, address: str, index: str) -> StoreError | TransientError:
    return _refusal(error.code().name, error.details() or "", address, index)


def _refusal(code: str, text: str, address: str, index: str) -> StoreError | TransientError:
    reason = f"{code}: {one_line(text, 200)}"
    if code in REFUSED:
        return StoreError(f"{address} does not let you in ({reason})", Hint.CREDENTIALS)
    if code in PASSING:
        unavailable = StoreUnavailable(f"{address} does not answer ({reason}); try again")
        return TransientError(unavailable, overloaded=code == "RESOURCE_EXHAUSTED")
    return StoreError(f"{address} refused a request for index {index!r} ({reason})")


@lru_cache(maxsize=1)
def milvus_errors() -> ErrorTable:
    """What pymilvus raises; the context is the address and the index."""
    import grpc
    from pymilvus.exceptions import MilvusException

    return ((MilvusException, _failure), (grpc.RpcError, _rpc_failure))
