"""The commands that show what was rejected, and try it again."""

from __future__ import annotations

from functools import partial
from itertools import islice

from esclip._cli.groups import EncoderOptions, FetchOptions, StoreOptions
from esclip._cli.ingest import run_to_report
from esclip._cli.ingest_options import Limit, MaxRejectionRate, Reasons, RejectionsFile, reasons
from esclip._cli.options import Json

__all__ = ["rejections", "retry"]


def rejections(
    reason: Reasons = None,
    limit: Limit = None,
    *,
    at: StoreOptions,
    json: Json = False,
) -> None:
    """Show what ingests rejected and the index lacks: the reason, id, location and detail of each."""
    from esclip._cli.output.reports import print_rejection_counts, print_rejections

    wanted = reasons(reason)
    with at.open() as held:
        print_rejection_counts(held.rejection_counts(wanted))
        print_rejections(islice(held.rejections(wanted), limit), json=json)


def retry(
    reason: Reasons = None,
    *,
    at: StoreOptions,
    by: EncoderOptions,
    having: FetchOptions,
    rejections: RejectionsFile = None,
    max_rejection_rate: MaxRejectionRate = 1,
    json: Json = False,
) -> None:
    """Ingest again just what was rejected; all of it may be rejected again."""
    wanted = reasons(reason)
    with at.open(by) as held:
        run = partial(
            held.retry,
            reasons=wanted,
            max_rejection_rate=max_rejection_rate,
            **having.named(),
        )
        run_to_report(run, rejections, json=json)
