"""What the routes of the search service share: the index, its options, threads, metrics, thumbnails."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from esclip._core.settings import thumbnail_cache
from esclip._errors.secrets import Secret
from esclip._images.thumbnail_cache import ThumbnailCache
from esclip._index import ImageIndex
from esclip._server.batched_encoder import BatchedEncoder
from esclip._server.guard import LOOPBACK_NAMES, Guard
from esclip._server.jobs import Jobs
from esclip._server.metrics import Metrics
from esclip._server.workers import Workers


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
    thumbnails: Path = field(default_factory=thumbnail_cache)
    """The folder for thumbnails."""


class SearchService:
    """One index, for many requests at once."""

    def __init__(self, index: ImageIndex, options: ServiceOptions) -> None:
        """Search this index. Connects to nothing yet."""
        self.index = index
        self.options = options
        self.jobs = Jobs()
        self._stopping = False
        self.guard = Guard(options.token, options.hosts)
        self.metrics = Metrics()
        self.searches = Workers(options.threads, max_waiting=options.max_waiting)
        self.pictures = Workers(2, max_waiting=512)
        self.checks = Workers(2, max_waiting=64)
        """Threads for health, which must be known also when all others are busy."""
        self.thumbnails = ThumbnailCache(options.thumbnails)
        self._encoder: BatchedEncoder | None = None
        self._encoder_lock = Lock()

    @property
    def stopping(self) -> bool:
        """Whether no new work shall begin."""
        return self._stopping

    def stop(self) -> None:
        """Begin no new work, and cancel jobs."""
        self._stopping = True
        self.jobs.stop()

    def load_encoder(self) -> BatchedEncoder:
        """The index's encoder, loaded on first use. Raises as `ImageIndex.load_encoder`."""
        with self._encoder_lock:
            if self._encoder is None:
                self._encoder = BatchedEncoder(self.index.load_encoder())
            return self._encoder

    def close(self) -> None:
        """End jobs and the threads that encode, and close the index."""
        self.jobs.close()
        if self._encoder is not None:
            self._encoder.close()
        self.index.close()
