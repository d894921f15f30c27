"""Reads and lists what is in buckets, by the credentials that the services' own tools find.

BucketPath ─► pyarrow's file system of its bucket ─► bytes | what is in a folder | a file to read from
                    └─► OSError, by its text ─► FetchError; a transient one again, by the policy `FETCH`

A service is a row of `SERVICES`. Variables of the environment name another one of its protocol.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from errno import EACCES, EIO, ENOENT
from functools import lru_cache
from threading import Event, Lock
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from esclip._concurrency.forks import run_in_children
from esclip._concurrency.retry import FETCH, RetryPolicy, TransientError, retry
from esclip._errors import FetchError, error_text, one_line
from esclip._errors.reasons import Reason
from esclip._files.buckets import BucketPath

T = TypeVar("T")

TIMEOUT_S = 10.0
"""For a connection, and for the next bytes of an answer."""

BLOCK = 4 << 20
"""Bytes that are asked for at once of an object that is read as a file."""

KEPT_SYSTEMS = 64


class Service(NamedTuple):
    """A service that has buckets."""

    variables: tuple[str, ...]
    """Of the environment, by which its file system is made."""
    open: Callable[[BucketPath], Any]
    """pyarrow's file system for a bucket. It tries nothing again by itself, as far as it can be told so."""
    lists_folders: bool = True
    """Whether pyarrow lists folders that are but the beginning of names; else all below is listed."""


def read_object(path: BucketPath, max_bytes: int, cancelled: Event, policy: RetryPolicy = FETCH) -> bytes:
    """The bytes of an object. Raises `FetchError`, and `CancelledError`."""

    def read(system: Any) -> bytes:
        with system.open_input_file(path.path) as file:
            size = file.size()
            if size > max_bytes:
                raise FetchError(Reason.TOO_LARGE, f"more than {max_bytes} bytes")
            data = file.read()
            assert isinstance(data, bytes)
            if len(data) < size:
                raise TransientError(FetchError(Reason.INCOMPLETE_BODY, f"{len(data)} of {size} bytes came"))
            return data

    return _ask(path, read, cancelled, policy)


def find_object(path: BucketPath, cancelled: Event) -> Any:
    """What is at a path, as pyarrow's `FileInfo`. Raises as `read_object`."""
    return _ask(path, lambda system: system.get_file_info(path.path), cancelled)


def list_folder(path: BucketPath, cancelled: Event) -> list[Any]:
    """What is in a folder, as one `FileInfo` each, in the order of the service. Raises as `read_object`.

    Of a service that lists no folders all that is below, at any depth.

    All of it is in memory: pyarrow lists no folder page by page.
    """
    from pyarrow.fs import FileSelector

    is_flat = not SERVICES[path.scheme].lists_folders
    selector = FileSelector(path.path, recursive=is_flat)
    infos = _ask(path, lambda system: list(system.get_file_info(selector)), cancelled)
    return [info for info in infos if info.is_file] if is_flat else infos


def text_names(folder: BucketPath) -> frozenset[str]:
    """The names of text files in a folder. Raises `OSError` where it can't be listed."""
    with _as_os_errors(folder):
        infos = list_folder(folder, Event())
    begin = f"{folder.path}/"
    names = (info.path.removeprefix(begin) for info in infos)
    return frozenset(name for name in names if name.lower().endswith(".txt"))


class ObjectFile(io.RawIOBase):
    """An object as a file: a request for each read, of the bytes where it stands. It raises `OSError`.

    Whoever reads its end is told where it isn't the object any more that was opened: what pyarrow then gives
    beyond the new one's end is anything.
    """

    def __init__(self, path: BucketPath) -> None:
        """Ask for its size. Raises `OSError` where it can't be opened, of one line."""
        self._path = path
        self._place = 0
        self._file = self._open()
        self.size = int(self._file.size())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        self._place = max(0, begin + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """As many bytes as there are, up to the buffer's."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self.size - self._place)
        if wanted <= 0:
            return 0
        data = self._ask(lambda system: self._file.read_at(wanted, self._place))
        if self._place + wanted == self.size:
            self._check_unchanged()
        view[: len(data)] = data
        self._place += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed and (file := getattr(self, "_file", None)) is not None:
            file.close()
        super().close()

    def _check_unchanged(self) -> None:
        with self._open() as now:
            if now.metadata() != self._file.metadata():
                raise OSError(EIO, "it was replaced while it was read", str(self._path))

    def _open(self) -> Any:
        return self._ask(lambda system: system.open_input_file(self._path.path))

    def _ask(self, ask: Callable[[Any], Any]) -> Any:
        with _as_os_errors(self._path):
            return _ask(self._path, ask, Event())


def open_object(path: BucketPath, block: int = BLOCK) -> io.BufferedReader:
    """The object, read in blocks: what is passed over within one costs no request. Raises `OSError`."""
    return io.BufferedReader(ObjectFile(path), block)


def stamp_object(path: BucketPath) -> tuple[int, int]:
    """The size of an object, and when it was changed, in ns. Raises `OSError`."""
    with _as_os_errors(path):
        info = find_object(path, Event())
    if not info.is_file:
        raise FileNotFoundError(ENOENT, "there is no such object", str(path))
    return info.size, info.mtime_ns


@contextmanager
def _as_os_errors(path: BucketPath) -> Iterator[None]:
    try:
        yield
    except FetchError as error:
        raise OSError(_NUMBERS.get(error.reason, EIO), error.detail, str(path)) from error


def _ask(path: BucketPath, ask: Callable[[Any], T], cancelled: Event, policy: RetryPolicy = FETCH) -> T:
    def attempt(deadline: float) -> T:
        try:
            from pyarrow import ArrowException
        except ImportError as error:
            raise explain_failure(error, path) from error
        try:
            return ask(_system_of(path))
        except (OSError, ValueError, ImportError, ArrowException) as error:
            raise explain_failure(error, path) from error

    return retry(attempt, policy, cancelled)


def _system_of(path: BucketPath) -> Any:
    """The file system of its bucket, kept as long as the environment says the same."""
    variables = tuple(map(os.environ.get, SERVICES[path.scheme].variables))
    with _opening:
        return _system(path.root, variables, os.getpid())


_opening = Lock()


def _renew() -> None:
    global _opening
    _opening = Lock()


run_in_children(_renew)


@lru_cache(KEPT_SYSTEMS)
def _system(root: BucketPath, variables: tuple[str | None, ...], process: int) -> Any:
    return SERVICES[root.scheme].open(root)


def _given(*names: str) -> str | None:
    """The first of these variables of the environment that says something."""
    return next(filter(None, map(os.environ.get, names)), None)


def _open_s3(root: BucketPath) -> Any:
    """By AWS's credentials. A bucket's region is asked of AWS where no other service is named."""
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem, resolve_s3_region

    endpoint = _given("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    region = None
    if endpoint is None:
        with suppress(OSError):  # then that of the environment or profile
            region = resolve_s3_region(root.bucket)
    return S3FileSystem(
        region=region,
        endpoint_override=endpoint,
        connect_timeout=TIMEOUT_S,
        request_timeout=TIMEOUT_S,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=1),
    )


def _open_gcs(root: BucketPath) -> Any:
    """By Google's default credentials; without any where an emulator is named, or none are wanted."""
    from pyarrow.fs import GcsFileSystem

    emulator = _given("STORAGE_EMULATOR_HOST")
    address = urlsplit(emulator if "://" in (emulator or "") else f"http://{emulator}")
    return GcsFileSystem(
        anonymous=emulator is not None or _given("CLOUDSDK_AUTH_DISABLE_CREDENTIALS") == "true",
        scheme=address.scheme if emulator else None,
        endpoint_override=address.netloc if emulator else None,
        retry_time_limit=timedelta(seconds=1),
    )


def _open_azure(root: BucketPath) -> Any:
    """By a key, a shared access signature, or what Azure's default credential finds."""
    from pyarrow.fs import AzureFileSystem

    account, cloud = root.account or (_given("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"), None)
    if account is None:
        raise ValueError("no account: set AZURE_STORAGE_ACCOUNT, or write abfss://container@account...")
    places: dict[str, Any] = {}
    endpoint = None if root.account else _given("AZURE_STORAGE_SERVICE_ENDPOINT")
    if endpoint or cloud:
        address = urlsplit(endpoint or "https:")
        for kind in ("blob", "dfs"):
            places[f"{kind}_storage_authority"] = address.netloc or f".{kind}{cloud}"
            places[f"{kind}_storage_scheme"] = address.scheme
    key = _given("AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY")
    signature = None if key else _given("AZURE_STORAGE_SAS_TOKEN")
    return AzureFileSystem(account, account_key=key, sas_token=signature, **places)


_AZURE = Service(
    (
        "AZURE_STORAGE_ACCOUNT",
        "AZURE_STORAGE_ACCOUNT_NAME",
        "AZURE_STORAGE_SERVICE_ENDPOINT",
        "AZURE_STORAGE_KEY",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
    ),
    _open_azure,
)
SERVICES: Mapping[str, Service] = {
    "s3": Service(("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), _open_s3),
    "gs": Service(
        ("STORAGE_EMULATOR_HOST", "CLOUDSDK_AUTH_DISABLE_CREDENTIALS"), _open_gcs, lists_folders=False
    ),
    "az": _AZURE,
    "abfss": _AZURE,
}
"""By the schemes of addresses. A new service is a row."""


_FEW = 3
"""Attempts at failures that hardly ever pass."""

_SAID = (
    re.compile(
        r"AWS Error (?P<name>[A-Z_0-9]+)(?: \(HTTP status (?P<status>\d+)\))?"
        r" during \w+ operation: (?P<said>.*)",
        re.DOTALL,
    ),
    re.compile(
        r"google::cloud::Status\((?P<name>[A-Z_]+): (?P<said>.*?)(?: error_info=.*)?(?P<status>)$", re.DOTALL
    ),
    re.compile(r"Azure Error: \[(?P<name>\w*)\] (?:(?P<status>\d{3}) )?(?P<said>.*)", re.DOTALL),
)
"""How services' failures stand in the text of pyarrow's errors."""
_CURL = re.compile(r"(?:curlCode: |CURL error \[)(\d+)")

_REASONS = {
    "ACCESS_DENIED": Reason.HTTP_403,
    "INVALID_ACCESS_KEY_ID": Reason.HTTP_403,
    "SIGNATURE_DOES_NOT_MATCH": Reason.HTTP_403,
    "PERMISSION_DENIED": Reason.HTTP_403,
    "UNAUTHENTICATED": Reason.HTTP_403,
    "NO_SUCH_BUCKET": Reason.HTTP_404,
    "NO_SUCH_KEY": Reason.HTTP_404,
    "RESOURCE_NOT_FOUND": Reason.HTTP_404,
    "NOT_FOUND": Reason.HTTP_404,
    "SLOW_DOWN": Reason.HTTP_429,
    "THROTTLING": Reason.HTTP_429,
    "RESOURCE_EXHAUSTED": Reason.HTTP_429,
    "REQUEST_TIMEOUT": Reason.TIMEOUT,
    "DEADLINE_EXCEEDED": Reason.TIMEOUT,
    "INTERNAL_FAILURE": Reason.HTTP_5XX,
    "INTERNAL": Reason.HTTP_5XX,
    "SERVICE_UNAVAILABLE": Reason.HTTP_5XX,
    "UNAVAILABLE": Reason.HTTP_5XX,
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

_NUMBERS = {Reason.HTTP_403: EACCES, Reason.HTTP_404: ENOENT}
"""Those of the system's errors that say the same."""

_ADVICE = {
    "301": "it is in another region: name it by AWS_DEFAULT_REGION",
    "400": "credentials that have expired, or those of another region, are refused so",
    "403": "access denied: the credentials are not valid, or don't allow it",
}
"""What an answer means that has no text, as those to a HEAD request."""
_NO_TEXT = "No response body"


def explain_failure(error: Exception, path: BucketPath) -> Exception:
    """What an error of pyarrow means."""
    if isinstance(error, FileNotFoundError):
        return FetchError(Reason.HTTP_404, f"there is no such object in the bucket {path.root.path}")
    if isinstance(error, ImportError):
        return FetchError(Reason.BAD_URL, "the installed pyarrow can't read buckets of this service")
    match = next((match for one in _SAID if (match := one.search(str(error)))), None)
    if match is None:
        reason = Reason.UNREADABLE_FILE if isinstance(error, OSError) else Reason.BAD_URL
        return FetchError(reason, error_text(error, 200))
    name, status, said = match["name"], match["status"] or "", match["said"]
    curl = _CURL.search(said)
    if curl or name in ("NETWORK_CONNECTION", ""):
        reason = _CURL_REASONS.get(curl[1] if curl else "", Reason.CONNECTION_ERROR)
        failure = FetchError(reason, one_line(said.rpartition("Details: ")[2], 200))
        return TransientError(failure, max_attempts=_FEW)
    failed = Reason.HTTP_5XX if status.startswith("5") else Reason.HTTP_4XX
    reason = _REASONS.get(name) or _STATUSES.get(status, failed)
    shown = f"status {status}" if status else name.lower().replace("_", " ")
    meant = _ADVICE.get(status, said) if _NO_TEXT in said else said
    failure = FetchError(reason, f"the service of the bucket answered {shown}: {one_line(meant, 200)}")
    return TransientError(failure) if reason in _TRANSIENT else failure
