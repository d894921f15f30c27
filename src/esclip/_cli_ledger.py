"""The commands that show what was rejected, and try it again."""

from __future__ import annotations

from functools import partial
from itertools import islice

from esclip._option_groups import EncoderOptions, StoreOptions
from esclip._options import (
    AllowHosts,
    BatchSize,
    Cache,
    IgnoreRobotsTag,
    Json,
    Limit,
    MaxRejectionRate,
    Reasons,
    RejectionsFile,
    Workers,
    reasons,
)
from esclip._running import run_to_report
from esclip._settings import BATCH_SIZE, FETCH_WORKERS

__all__ = ["rejections", "retry"]


def rejections(
    reason: Reasons = None,
    limit: Limit = None,
    *,
    at: StoreOptions,
    json: Json = False,
) -> None:
    """Show what ingests rejected and the index lacks: the reason, id, location and detail of each."""
    from esclip import _show_rejections

    wanted = reasons(reason)
    with at.open() as held:
        _show_rejections.rejection_counts(held.rejection_counts(wanted))
        _show_rejections.rejections(islice(held.rejections(wanted), limit), json=json)


def retry(
    reason: Reasons = None,
    *,
    at: StoreOptions,
    by: EncoderOptions,
    batch_size: BatchSize = BATCH_SIZE,
    workers: Workers = FETCH_WORKERS,
    allow_host: AllowHosts = None,
    ignore_robots_tag: IgnoreRobotsTag = False,
    rejections: RejectionsFile = None,
    max_rejection_rate: MaxRejectionRate = 1,
    cache: Cache = None,
    json: Json = False,
) -> None:
    """Ingest again just what was rejected; all of it may be rejected again."""
    wanted = reasons(reason)
    with at.open(by) as held:
        run = partial(
            held.retry,
            reasons=wanted,
            batch_size=batch_size,
            workers=workers,
            allow_hosts=allow_host or (),
            ignore_robots_tag=ignore_robots_tag,
            max_rejection_rate=max_rejection_rate,
            cache=cache,
        )
        run_to_report(run, rejections, json=json)
