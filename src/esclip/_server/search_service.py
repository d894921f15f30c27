"""What the routes of the search service share: the index, its options, threads, metrics, thumbnails."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from esclip._core.schema import Field
from esclip._core.settings import thumbnail_cache
from esclip._errors.secrets import Secret
from esclip._fetch.hosts import HostPolicy
from esclip._images.thumbnail_cache import ThumbnailCache
from esclip._index import ImageIndex
from esclip._search.filter_values import require_field
from esclip._server.batched_encoder import BatchedEncoder
from esclip._server.corrections import Corrections, corrections_path
from esclip._server.facet_messages import PATH_FIELDS
from esclip._server.guard import LOOPBACK_NAMES, Guard
from esclip._server.http import Limits
from esclip._server.jobs import Jobs
from esclip._server.metrics import Metrics
from esclip._server.problems import Problem, ProblemType
from esclip._server.url_fetcher import UrlFetcher
from esclip._server.workers import Workers

if TYPE_CHECKING:
    from esclip._server.document_stream import DocumentStream


STORE_PATIENCE_S = 2.0
"""For which a store that does not answer is asked again, while a client waits: it can repeat its request."""


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """What a search service is started with."""

    token: Secret | None = None
    hosts: frozenset[str] = LOOPBACK_NAMES
    """The names that it is reached by."""
    show_paths: bool = False
    """Whether responses name the paths of local files."""
    threads: int = 8
    """Searches at once."""
    max_waiting: int = 128
    """Searches that wait for a thread; further ones are refused with Retry-After."""
    search_seconds: float = 60.0
    """What a search may take with its wait for a thread."""
    thumbnails: Path = field(default_factory=thumbnail_cache)
    """The folder for thumbnails."""
    writable: bool = False
    """Whether documents may be written and deleted."""
    picture_hosts: tuple[str, ...] = ()
    """Hosts that pictures are fetched from by the URLs of documents, at public addresses."""
    agents: bool = False
    """Whether agents get tools at /mcp, which needs the extra `mcp`."""
    originals: bool = False
    """Whether pictures are sent as they are, too."""
    urls: UrlFetcher | None = None
    """Fetches pictures that searches name by URL; None: such searches are refused. The service closes it."""


class SearchService:
    """One index, for many requests at once."""

    def __init__(self, index: ImageIndex, options: ServiceOptions, limits: Limits) -> None:
        """Search this index. Connects to nothing yet. Raises `ConfigError` for what is no host's name."""
        HostPolicy((), options.picture_hosts)
        self.index = index
        self.options = options
        self.limits = limits
        self.jobs = Jobs()
        self._fields: Mapping[str, Field] = {}
        self._corrections: Corrections | None = None
        self._corrections_lock = Lock()
        self.began = time.monotonic()
        self._stopping = False
        self.guard = Guard(options.token, options.hosts)
        self.metrics = Metrics()
        self.searches = Workers(
            options.threads,
            max_waiting=options.max_waiting,
            seconds=options.search_seconds,
            patience=STORE_PATIENCE_S,
        )
        self.pictures = Workers(2, max_waiting=512, patience=STORE_PATIENCE_S)
        self.url_turns = Workers(4, max_waiting=32)
        """Places of requests with URLs: so many pictures are held at most."""
        self.checks = Workers(2, max_waiting=64, patience=STORE_PATIENCE_S)
        """Threads for health, which must be known also when all others are busy."""
        self.thumbnails = ThumbnailCache(options.thumbnails)
        self.writes = Workers(1, max_waiting=64)
        """A thread for documents that are written or deleted one by one."""
        self.streams = Workers(1, max_waiting=0)
        """A thread for a stream of documents, which may take hours: a second one is refused."""
        self._stream: DocumentStream | None = None
        self._encoder: BatchedEncoder | None = None
        self._encoder_lock = Lock()

    @property
    def stopping(self) -> bool:
        """Whether no new work shall begin."""
        return self._stopping

    @contextmanager
    def streaming(self, stream: DocumentStream) -> Iterator[None]:
        """Context manager: within it, `stop` ends this stream."""
        self._stream = self._stream or stream  # a second one is about to be refused
        try:
            yield
        finally:
            self._stream = None if self._stream is stream else self._stream

    def stop(self) -> None:
        """Begin no new work, cancel jobs, end the stream that is written. Called in the event loop."""
        self._stopping = True
        self.jobs.stop()
        if self._stream is not None:
            self._stream.stop()

    def load_encoder(self) -> BatchedEncoder:
        """The index's encoder, loaded on first use. Raises as `ImageIndex.load_encoder`."""
        with self._encoder_lock:
            if self._encoder is None:
                self._encoder = BatchedEncoder(self.index.load_encoder())
            return self._encoder

    def require_fields(self, names: Sequence[str] | None, argument: str) -> list[str] | None:
        """The names of fields that responses may have, as the index has them; None stays None.

        `argument` is where the request has them. Raises `FieldNotFound`, and `Problem` for a field that is
        not shown.
        """
        if not names:
            return names if names is None else []
        if not self._fields.keys() >= set(names):  # others than were known, of another process's ingest
            self._fields = {field.name: field for field in self.index.stats().fields}
        found = []
        for number, name in enumerate(names):
            place = f"{argument}/{number}"
            found.append(require_field(name, self._fields, kind="field", argument=place).name)
            self.require_shown(found[-1], place)
        return found

    def require_shown(self, field: str, argument: str) -> None:
        """Raise `Problem` for a field that responses don't have."""
        if field in PATH_FIELDS and not self.options.show_paths:
            detail = f"{field}: this server shows no paths"
            errors = [{"pointer": f"/{argument}", "detail": detail}]
            raise Problem(ProblemType.UNKNOWN_FIELD, detail, errors=errors)

    def corrections(self) -> Corrections:
        """The labels that people have given, whose file is named when they are first wanted."""
        with self._corrections_lock:
            if self._corrections is None:
                stats = self.index.stats()
                self._corrections = Corrections(corrections_path(stats.store, stats.index))
            return self._corrections

    def with_index(self, index: ImageIndex) -> SearchService:
        """The same service with another index: what it has of this one is begun anew, the rest is shared."""
        other = copy(self)
        other.index = index
        other._fields, other._corrections, other._encoder, other._stream = {}, None, None, None
        other._corrections_lock, other._encoder_lock = Lock(), Lock()
        return other

    def close_index(self) -> None:
        """End the threads that encode, and close the index."""
        if self._encoder is not None:
            self._encoder.close()
        self.index.close()

    def close(self) -> None:
        """End jobs, too."""
        self.jobs.close()
        if self.options.urls is not None:
            self.options.urls.close()
        self.close_index()
