"""Bodies of the routes for jobs.

JSON ─► DuplicatesJob                    Job ─► JobResponse           its rows ─► DuplicatesResult
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from esclip._core.types import Hit
from esclip._search.options import THRESHOLD
from esclip._server.duplicate_jobs import GroupRow
from esclip._server.jobs import Job
from esclip._server.search_messages import DocumentResponse, Lenient, ShortText, Strict, render_document

MAX_GROUPS = 100
"""Groups of a response."""


class DuplicatesJob(Strict):
    """Group the pictures of the whole index, or of those that a filter leaves, that show nearly the same."""

    kind: Literal["duplicates"]
    threshold: float = Field(
        default=THRESHOLD.default, ge=THRESHOLD.minimum, le=THRESHOLD.maximum, description=THRESHOLD.help
    )
    where: ShortText | list[ShortText] | None = Field(default=None, description="A filter, as of searches.")


class JobProgress(BaseModel):
    """Pictures."""

    done: int
    total: int | None = Field(description="null: not known.")


class JobResponse(BaseModel):
    """A job."""

    id: str
    kind: str
    state: Literal["running", "done", "failed", "cancelled"] = Field(
        description="running: also while it waits for another job."
    )
    progress: JobProgress
    found: int | None = Field(description="Groups that were found; null before it is done.")
    problem: dict[str, str] | None = Field(description="Why it failed: type, title and detail.")


class GroupMember(DocumentResponse):
    """A picture of a group."""

    score: float = Field(description="Its cosine with the first one.")


class GroupResponse(BaseModel):
    """Pictures that show nearly the same: the largest first, then by their cosine with it."""

    exact: bool = Field(description="Whether all have the same bytes.")
    lowest: float = Field(description="The lowest cosine with the first one.")
    highest: float
    size: int = Field(description="Pictures of the group; at most 100 are named.")
    documents: list[GroupMember] = Field(description="Without those that were deleted meanwhile.")


class NextGroups(BaseModel):
    """Where the next page begins."""

    offset: int


class DuplicatesResult(BaseModel):
    """Groups, the largest first."""

    found: int = Field(description="Groups that were found; at most 10,000 are kept.")
    groups: list[GroupResponse]
    next: NextGroups | None


class ResultParameters(Lenient):
    """A page of a result."""

    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    k: Annotated[int, Field(ge=1, le=MAX_GROUPS)] = 20


def render_job(job: Job) -> dict[str, Any]:
    """A job as the service sends it: a `JobResponse`."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state.value,
        "progress": {"done": job.done, "total": job.total},
        "found": job.result.found if job.result else None,
        "problem": job.problem and job.problem.summary(),
    }


def render_group(row: GroupRow, documents: Mapping[str, Hit], *, show_paths: bool) -> dict[str, Any]:
    """A group as the service sends it: a `GroupResponse`."""
    members = [(documents[id], score) for id, score in row.members if id in documents]
    return {
        "exact": row.exact,
        "lowest": row.lowest,
        "highest": row.highest,
        "size": row.size,
        "documents": [
            {**render_document(hit, show_paths=show_paths), "score": score} for hit, score in members
        ],
    }
