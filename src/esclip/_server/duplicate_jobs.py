"""The job that groups near-duplicates: what is kept of its groups, and their documents when they are read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from esclip._core.types import Hit, document_hit
from esclip._index import ImageIndex
from esclip._search.duplicates import DuplicateGroup
from esclip._search.options import Where
from esclip._server.jobs import JobResult, Report

MAX_ROWS = 10_000
"""Groups that are kept of a job: the largest."""
MAX_MEMBERS = 100
"""Pictures that are kept of a group."""


class GroupRow(NamedTuple):
    """A group without its documents, which may change or go while it is kept."""

    exact: bool
    lowest: float
    highest: float
    size: int
    members: tuple[tuple[str, float], ...]
    """Ids with their cosines with the first one, which is the largest picture."""


def find_groups(index: ImageIndex, threshold: float, where: Where | None, report: Report) -> JobResult:
    """The work of the job: all groups of the index."""
    total = None if where else len(index)
    groups = index.duplicates(
        threshold, where, on_progress=lambda done: report(done, total), show_progress=False
    )
    return JobResult([_row(group) for group in groups[:MAX_ROWS]], len(groups))


def read_pictures(index: ImageIndex, ids: Iterable[str]) -> dict[str, Hit]:
    """The documents of these ids that the index has now."""
    return {document.record.id: document_hit(document, 0.0) for document in index.get(ids)}


def _row(group: DuplicateGroup) -> GroupRow:
    members = tuple((hit.id, hit.score) for hit in group.hits[:MAX_MEMBERS])
    return GroupRow(group.exact, group.lowest, group.highest, len(group.hits), members)
