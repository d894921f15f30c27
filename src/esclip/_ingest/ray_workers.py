"""Worker processes by Ray: on this machine, or on the cluster that RAY_ADDRESS names, as for any use of Ray.

open_workers ─► ray.init ─► RayWorkers.map ─► a task for each part, given to another process if its own dies

A cluster that is started here is for this run alone: its ports are on the loopback, behind a token; it has no
dashboard and reports no usage; its files are removed at the end. Ray is imported here only.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from esclip._concurrency.stop import CancelToken
from esclip._concurrency.streams import owned
from esclip._errors import ConfigError, SourceError, StoreUnavailable, error_text
from esclip._ingest.hook_names import hook_name
from esclip._ingest.worker import WorkerTask

T = TypeVar("T")

TRIES = 10
"""How often a part is begun again whose process has died, or couldn't reach the store."""

CONNECT_S = 10.0

POLL_S = 0.5
"""Between looks whether the end was requested."""

OBJECT_STORE_BYTES = 100 << 20
"""Ray's memory for parts under way on this machine: each has less than a megabyte."""


@contextmanager
def open_workers(most: int, *, gpu: bool) -> Iterator[RayWorkers]:
    """Context manager: gives up to `most` processes, each on a CPU, with `gpu` on a GPU of its own where the
    cluster has some: Ray hides them from others.

    Raises `ConfigError` where Ray isn't installed, or the cluster can't be reached.
    """
    with connected() as ray:
        has = ray.cluster_resources()
        gpus = int(has.get("GPU", 0)) if gpu else 0
        count = max(1, min(most, int(has.get("CPU", 1)), gpus or most))
        yield RayWorkers(ray, count, {"num_cpus": 1, "num_gpus": min(gpus, 1)})


class RayWorkers:
    """Implements `distribution.Workers`."""

    def __init__(self, ray: Any, count: int, resources: Mapping[str, int]) -> None:
        self.count = count
        self._ray = ray
        self._resources = resources

    def pack(self, task: WorkerTask) -> WorkerTask:
        """The task with functions as pickles. Raises `ConfigError` for one that can't be pickled."""
        hooks = task.hooks
        captioner = self._pickled("captioner", hooks.captioner)
        detector = self._pickled("detector", hooks.detector)
        return replace(task, hooks=replace(hooks, captioner=captioner, detector=detector))

    def run(self, function: Callable[..., T], task: WorkerTask) -> T:
        """Run a function in one of them."""
        result: T = self._get(self._remote(function).remote(task), function.__name__)
        return result

    def map(
        self,
        function: Callable[..., T],
        task: WorkerTask,
        parts: Iterator[tuple[str, bytes]],
        stop: CancelToken,
    ) -> Iterator[T]:
        """Run it for each part, no more at once than there are processes."""
        remote, shared = self._remote(function), self._ray.put(task)
        under_way: dict[Any, str] = {}
        is_cancelled = False
        with owned(parts), ExitStack() as exits:
            exits.callback(self._cancel, under_way)
            while True:
                while len(under_way) < self.count and not stop.requested and (part := next(parts, None)):
                    under_way[remote.remote(shared, *part)] = part[0]
                if not under_way:
                    return
                if stop.requested and not is_cancelled:
                    is_cancelled = True
                    self._cancel(under_way)
                done, _ = self._ray.wait([*under_way], num_returns=1, timeout=POLL_S)
                for reference in done:
                    place = under_way.pop(reference)
                    try:
                        result: T = self._get(reference, place)
                    except self._ray.exceptions.TaskCancelledError:
                        continue  # it had not begun
                    yield result

    def _cancel(self, references: Mapping[Any, str]) -> None:
        """Request the end of tasks, by SIGINT; those that wait never begin."""
        for reference in references:
            self._ray.cancel(reference)

    def _remote(self, function: Callable[..., Any]) -> Any:
        return self._ray.remote(
            max_retries=TRIES, retry_exceptions=[StoreUnavailable, ConnectionError], **self._resources
        )(function)

    def _pickled(self, option: str, hook: Any) -> Any:
        if not callable(hook):
            return hook
        try:
            return self._ray.cloudpickle.dumps(hook)
        except Exception as error:  # what it is made of may raise any
            raise ConfigError(
                f"{option} {hook_name(hook)}: it can't be sent to other processes: {error_text(error)}; give "
                "a function that makes what it needs when it is called, or a model's name"
            ) from error

    def _get(self, reference: Any, place: str) -> Any:
        """The result of a task. Raises what it raised, and `SourceError` for one that ends its processes."""
        ray = self._ray
        try:
            return ray.get(reference)
        except ray.exceptions.TaskCancelledError:
            raise
        except ray.exceptions.RayTaskError as error:
            raise (error.cause or error) from None
        except ray.exceptions.RayError as error:
            raise SourceError(
                f"{place}: {TRIES + 1} worker processes ended while they ingested it, as where memory runs "
                f"out ({error_text(error, 200)})"
            ) from error


@contextmanager
def connected() -> Iterator[Any]:
    """Context manager: gives Ray, connected to the program's cluster, that of RAY_ADDRESS, or a new one."""
    address = os.environ.get("RAY_ADDRESS")
    is_local = not address
    with variables(_local_variables() if is_local else {}), _temporary_folder(is_local) as folder:
        ray = _import_ray()
        if ray.is_initialized():
            yield ray
            return
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
        own = {
            "address": "local",
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
            "_temp_dir": folder,
        }
        try:
            if address:
                _require_listener(address)
            with _kept_signals():
                ray.init(**quiet, **(own if is_local else {}))
        except Exception as error:  # Ray raises plain ones, too
            where = "on this machine" if is_local else f"at RAY_ADDRESS {address!r:.200}"
            raise ConfigError(f"on: Ray {where} can't be used: {error_text(error)}") from error
        try:
            yield ray
        finally:
            ray.shutdown()


def _require_listener(address: str) -> None:
    """Raise `OSError` where nothing listens at the address's host and port: Ray tries that for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isascii() and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S).close()


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ConfigError("on: workers by Ray need it: pip install 'esclip[ray]'") from error
    return ray


@cache
def _local_variables() -> Mapping[str, str]:
    """Variables for Ray's processes on this machine; the token is read once in a process."""
    return {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # or, on Linux, it listens at all addresses of the machine
    }


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Context manager: within it, the environment has these; Ray has no arguments for them."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _temporary_folder(wanted: bool) -> Iterator[str | None]:
    """Context manager: a folder of this user's own; /tmp/ray may be another one's."""
    if not wanted:
        yield None
        return
    folder = tempfile.mkdtemp(prefix="esclip-ray-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _kept_signals() -> Iterator[None]:
    """Context manager: Ray's own handler of SIGTERM does not stay."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
