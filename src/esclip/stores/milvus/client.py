"""Requests to Milvus: a server, or Milvus Lite in this process.

request("query", ...) ─► pymilvus ─► retried while unavailable, until a deadline ─► its answer, or an error

pymilvus takes a second to import, and pandas with it: it is, when the first request is made.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import urlsplit

from esclip._concurrency.forks import Unforkable, leave_behind, renew_in_children
from esclip._concurrency.retry import STORE, StoreTimeouts, retry
from esclip._core.index_settings import DEFAULTS
from esclip._errors import ConfigError, IndexNotFound, StoreError, map_errors
from esclip._files.locations import scheme_of
from esclip._net.access import StoreAuth, resolve_access
from esclip.stores.milvus import lite
from esclip.stores.milvus.errors import NotLoaded, index_missing, milvus_errors
from esclip.stores.milvus.names import collection_name

SCHEMES = ("milvus", "milvus+https")

ATTEMPT_S = 30.0
"""The longest timeout of one attempt, which pymilvus repeats within it."""

LITE_OPTIONS = {"grpc.enable_http_proxy": 0, "grpc.keepalive_time_ms": 2**31 - 1}
"""Of gRPC's channel: no proxy to this machine, and no pings, of which its server takes few."""

MILVUS = Unforkable("pymilvus", StoreError, "keep the index in an engine")

log = logging.getLogger("esclip")


class MilvusConnection:
    """Sends requests about one collection. Thread-safe. Connects with the first one."""

    def __init__(self, address: str | Path, index: str, timeouts: StoreTimeouts, auth: StoreAuth) -> None:
        self.index, self.collection, self.timeouts = index, collection_name(index), timeouts
        self.folder: Path | None = None
        self.auth = auth
        if scheme_of(str(address)) in SCHEMES:
            self.address, self.auth = resolve_access(str(address), auth)
            if self.auth.aws_region is not None:
                raise ConfigError(f"{self.address} is no Amazon OpenSearch: leave out the AWS region")
        else:
            self.folder = Path(address).absolute()
            self.address = str(self.folder)
        self._lock = RLock()
        self._raw: Any = None
        self._loaded = False
        self.bulk_loads = 0
        renew_in_children(self)

    def renew(self) -> None:
        """No connection in a forked child."""
        leave_behind(self._raw)
        self._raw, self._lock, self._loaded, self.bulk_loads = None, RLock(), False, 0

    @property
    def exists(self) -> bool:
        """Whether there is something to connect to: a folder is made by the first write."""
        return self.folder is None or self.folder.exists()

    def raw(self) -> Any:
        """pymilvus's client."""
        MILVUS.use()
        with self._lock:
            if self._raw is None:
                self._raw = self._open()
            return self._raw

    def request(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call one of pymilvus's methods about the collection. Raises what `milvus_errors` have."""
        try:
            return self.call(method, self.collection, *arguments, **options)
        except NotLoaded:
            self.forget()
            self.prepare()
            return self.call(method, self.collection, *arguments, **options)

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call one of pymilvus's methods."""
        raw = self.raw()
        timeout = self.timeouts.write if self.bulk_loads else self.timeouts.read
        policy = replace(STORE, timeout=timeout, backoff=self.timeouts.backoff)
        return retry(lambda deadline: self._once(raw, method, deadline, arguments, options), policy)

    def prepare(self) -> None:
        """See that the collection has an index, which one who was killed left out, and is in memory."""
        if self._loaded:
            return
        if not self.request("list_indexes"):
            self.request("create_index", index_params=self._index_params())
        self.request("load_collection")
        self._loaded = True

    def forget(self) -> None:
        """Prepare the collection again: it is another one."""
        self._loaded = False

    def missing(self) -> IndexNotFound:
        """What to raise where the collection does not exist."""
        return index_missing(self.address, self.index)

    @property
    def compares_all(self) -> bool:
        """Whether each search compares all vectors: Milvus Lite does, a server has a graph."""
        return self.folder is not None

    def exclusive(self) -> AbstractContextManager[Any]:
        """Context manager: within it, no other thread sends a request to the same folder."""
        return nullcontext() if self.folder is None else lite.lock_of(self.folder)

    def version(self) -> str:
        """What the server is, for people: `Milvus 2.6.4`, `Milvus Lite 3.2.2`."""
        number = (
            str(self.call("get_server_version")).removeprefix("milvus_lite-").removeprefix("milvus-lite-")
        )
        return f"Milvus {'Lite ' if self.folder else ''}{number.removeprefix('v')}"

    def close(self) -> None:
        """Close the connection. Twice is harmless."""
        with self._lock:
            raw, self._raw, self._loaded = self._raw, None, False
        if raw is not None:
            raw.close()
            if self.folder is not None:
                lite.release(self.folder)

    def _index_params(self) -> Any:
        graph = {"M": DEFAULTS.m, "efConstruction": DEFAULTS.ef_construction}
        kind, params = ("FLAT", {}) if self.compares_all else ("HNSW", graph)
        made = import_pymilvus().MilvusClient.prepare_index_params()
        made.add_index("vector", index_type=kind, metric_type="COSINE", params=params)
        return made

    def _once(
        self, raw: Any, method: str, deadline: float, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        began = time.monotonic()
        timeout = max(0.1, min(ATTEMPT_S, deadline - began))
        try:
            with map_errors(milvus_errors(), self.address, self.index), self.exclusive():
                return getattr(raw, method)(*arguments, **options, timeout=timeout)
        finally:
            log.debug("%s: %s took %.0f ms", self.address, method, (time.monotonic() - began) * 1000)

    def _open(self) -> Any:
        if self.folder is None:
            return self._connect(_server_arguments(self.address, self.auth))
        lite.check(self.folder)
        lite.require_lite()
        import_pymilvus()
        lite.acquire(self.folder)
        try:
            return self._connect({"uri": str(self.folder), "grpc_options": LITE_OPTIONS})
        except BaseException:
            lite.release(self.folder)
            raise

    def _connect(self, arguments: Mapping[str, Any]) -> Any:
        pymilvus = import_pymilvus()

        def connect(_: float) -> Any:
            with map_errors(milvus_errors(), self.address, self.index):
                return pymilvus.MilvusClient(**arguments, timeout=self.timeouts.first)

        return retry(connect, replace(STORE, timeout=self.timeouts.first, backoff=self.timeouts.backoff))


def _server_arguments(address: str, auth: StoreAuth) -> dict[str, Any]:
    """What pymilvus takes for a server's address: a path names one of its databases."""
    parts = urlsplit(address)
    uri = f"{'https' if parts.scheme.endswith('https') else 'http'}://{parts.netloc}"
    token = str(auth.api_key or "")
    if auth.user is not None:
        token = f"{auth.user}:{auth.password}"
    arguments = {"uri": uri, "token": token, "db_name": parts.path.strip("/")}
    if auth.ca_file is not None:
        if not Path(auth.ca_file).is_file():
            raise ConfigError(f"CA file {auth.ca_file}: there is no such file")
        arguments["server_pem_path"] = str(auth.ca_file)
    return arguments


def import_pymilvus() -> Any:
    """The library. Raises `ConfigError` where it isn't installed."""
    try:
        import pymilvus
    except ImportError as error:
        raise ConfigError("a Milvus store needs pymilvus: pip install 'esclip[milvus]'") from error
    for name in ("pymilvus", "pymilvus.milvus_client", "pymilvus.bulk_writer"):
        # it prints each failure with its traceback, besides raising it
        logging.getLogger(name).handlers = [logging.NullHandler()]
    return pymilvus
