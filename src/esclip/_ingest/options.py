"""How pictures are had and encoded, in an ingest and in a retry."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypedDict

from esclip._concurrency.stop import CancelToken
from esclip._core.rejections import Rejection
from esclip._ingest.progress import Progress

__all__ = ["IngestOptions"]


class IngestOptions(TypedDict, total=False):
    """Options of `ImageIndex.ingest` and `ImageIndex.retry`. The callbacks are called from any thread,
    one call at a time.
    """

    batch_size: int
    """Pictures in a forward pass. [32]"""
    workers: int
    """Fetches at once. [16]"""
    allow_hosts: Collection[str]
    """Further hosts that may be fetched from, also at private addresses."""
    ignore_robots_tag: bool
    """Take pictures whose server opts out by `X-Robots-Tag`. [False]"""
    max_rejection_rate: float
    """The share of rejected records above which the run fails: looked at from the 100th on, and at the end.
    [0.5; of a retry 1]"""
    cache: str | Path | None
    """The folder for fetched pictures. [in the user's cache directory]"""
    stop: CancelToken | None
    """How the run can be asked to end early, which takes seconds; its report then says `stopped`."""
    on_rejection: Callable[[Rejection], None] | None
    """Told of each record that is rejected."""
    on_progress: Callable[[Progress], None] | None
    """Told how far the run is."""
