"""Reads and lists what is in buckets, by the credentials that AWS's own tools find in the environment.

BucketPath ─► pyarrow's file system of its bucket ─► bytes | what is in a folder
                    └─► OSError, by its text ─► FetchError; a transient one again, by the policy `FETCH`

`AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL` name another service of the protocol. A bucket's region is asked
of AWS where neither does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock
from typing import Any, TypeVar

from esclip._concurrency.retry import FETCH, RetryPolicy, TransientError, retry
from esclip._errors import FetchError, error_text, one_line
from esclip._errors.reasons import Reason
from esclip._files.buckets import BucketPath

T = TypeVar("T")

TIMEOUT_S = 10.0
"""For a connection, and for the next bytes of an answer."""

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")

_FAILED = re.compile(
    r"AWS Error ([A-Z_0-9]+)(?: \(HTTP status (\d+)\))? during \w+ operation: (.*)", re.DOTALL
)
_CURL = re.compile(r"curlCode: (\d+)")


class Buckets:
    """The file systems of buckets. Thread-safe."""

    def __init__(self) -> None:
        self._systems: dict[str, Any] = {}
        self._lock = Lock()

    def read(self, path: BucketPath, max_bytes: int, cancelled: Event, policy: RetryPolicy = FETCH) -> bytes:
        """The bytes of an object. Raises `FetchError`, and `CancelledError`."""

        def read(system: Any) -> bytes:
            with system.open_input_file(path.path) as file:
                if file.size() > max_bytes:
                    raise FetchError(Reason.TOO_LARGE, f"more than {max_bytes} bytes")
                data = file.read()
                assert isinstance(data, bytes)
                return data

        return self._ask(path, read, cancelled, policy)

    def find(self, path: BucketPath, cancelled: Event) -> Any:
        """What is at a path, as pyarrow's `FileInfo`. Raises as `read`."""
        return self._ask(path, lambda system: system.get_file_info(path.path), cancelled)

    def entries(self, path: BucketPath, cancelled: Event) -> list[Any]:
        """What is in a folder, as one `FileInfo` each, in the order of the service. Raises as `read`.

        All of it is in memory: pyarrow lists no folder page by page.
        """
        from pyarrow.fs import FileSelector

        selector = FileSelector(path.path)
        return self._ask(path, lambda system: list(system.get_file_info(selector)), cancelled)

    def _ask(
        self, path: BucketPath, ask: Callable[[Any], T], cancelled: Event, policy: RetryPolicy = FETCH
    ) -> T:
        def attempt(deadline: float) -> T:
            try:
                return ask(self._system(path.bucket))
            except (OSError, ValueError, ImportError) as error:  # pyarrow's own errors are of these, too
                raise _failure(error, path) from error

        return retry(attempt, policy, cancelled)

    def _system(self, bucket: str) -> Any:
        with self._lock:
            if bucket not in self._systems:
                self._systems[bucket] = _open(bucket)
            return self._systems[bucket]


def _open(bucket: str) -> Any:
    """pyarrow's file system for a bucket. It tries nothing again by itself."""
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem, resolve_s3_region

    endpoint = next(filter(None, map(os.environ.get, ENDPOINTS)), None)
    region = None
    if endpoint is None:
        with suppress(OSError):  # then that of the environment or profile
            region = resolve_s3_region(bucket)
    return S3FileSystem(
        region=region,
        endpoint_override=endpoint,
        connect_timeout=TIMEOUT_S,
        request_timeout=TIMEOUT_S,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=1),
    )


_FEW = 3
"""Attempts at failures that hardly ever pass."""

_REASONS = {
    "ACCESS_DENIED": Reason.HTTP_403,
    "INVALID_ACCESS_KEY_ID": Reason.HTTP_403,
    "SIGNATURE_DOES_NOT_MATCH": Reason.HTTP_403,
    "NO_SUCH_BUCKET": Reason.HTTP_404,
    "NO_SUCH_KEY": Reason.HTTP_404,
    "RESOURCE_NOT_FOUND": Reason.HTTP_404,
    "SLOW_DOWN": Reason.HTTP_429,
    "THROTTLING": Reason.HTTP_429,
    "REQUEST_TIMEOUT": Reason.TIMEOUT,
    "INTERNAL_FAILURE": Reason.HTTP_5XX,
    "SERVICE_UNAVAILABLE": Reason.HTTP_5XX,
}
_STATUSES = {
    "401": Reason.HTTP_403,
    "403": Reason.HTTP_403,
    "404": Reason.HTTP_404,
    "408": Reason.TIMEOUT,
    "429": Reason.HTTP_429,
}
_TRANSIENT = (Reason.HTTP_429, Reason.HTTP_5XX, Reason.TIMEOUT)

_CURL_REASONS = {"6": Reason.DNS_ERROR, "28": Reason.TIMEOUT, "35": Reason.TLS_ERROR, "60": Reason.TLS_ERROR}


def _failure(error: Exception, path: BucketPath) -> Exception:
    """What an error of pyarrow means."""
    if isinstance(error, FileNotFoundError):
        return FetchError(Reason.HTTP_404, f"there is no such object in the bucket {path.bucket}")
    if isinstance(error, ImportError):
        return FetchError(Reason.BAD_URL, "the installed pyarrow can't read buckets")
    match = _FAILED.search(str(error))
    if match is None:
        reason = Reason.UNREADABLE_FILE if isinstance(error, OSError) else Reason.BAD_URL
        return FetchError(reason, error_text(error, 200))
    name, status, said = match.groups()
    if name == "NETWORK_CONNECTION":
        curl = _CURL.search(said)
        reason = _CURL_REASONS.get(curl[1] if curl else "", Reason.CONNECTION_ERROR)
        failure = FetchError(reason, one_line(said.rpartition("Details: ")[2], 200))
        return TransientError(failure, max_attempts=_FEW)
    failed = Reason.HTTP_5XX if status and status.startswith("5") else Reason.HTTP_4XX
    reason = _REASONS.get(name) or _STATUSES.get(status or "", failed)
    shown = f"status {status}" if status else name.lower().replace("_", " ")
    failure = FetchError(reason, f"the service of the bucket answered {shown}: {one_line(said, 200)}")
    return TransientError(failure) if reason in _TRANSIENT else failure
