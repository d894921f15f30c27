"""Bodies of the routes for jobs.

JSON ─► DuplicatesJob | LabelsJob        Job ─► JobResponse        its rows ─► DuplicatesResult | LabelsResult
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field

from esclip._core.labels import MAX_LABEL_LENGTH
from esclip._core.types import Hit
from esclip._search.options import THRESHOLD
from esclip._server.duplicate_jobs import GroupRow
from esclip._server.jobs import Job
from esclip._server.label_jobs import LabelRow
from esclip._server.search_messages import DocumentResponse, Lenient, ShortText, Strict, render_document

MAX_GROUPS = 100
"""Groups, or pictures, of a response."""
MAX_JOB_LABELS = 100


class DuplicatesJob(Strict):
    """Group the pictures of the whole index, or of those that a filter leaves, that show nearly the same."""

    kind: Literal["duplicates"]
    threshold: float = Field(
        default=THRESHOLD.default, ge=THRESHOLD.minimum, le=THRESHOLD.maximum, description=THRESHOLD.help
    )
    where: ShortText | list[ShortText] | None = Field(default=None, description="A filter, as of searches.")


class LabelsJob(Strict):
    """Label all pictures of the index by their vectors. Nothing is written."""

    kind: Literal["labels"]
    labels: list[Annotated[str, Field(min_length=1, max_length=MAX_LABEL_LENGTH)]] = Field(
        min_length=2, max_length=MAX_JOB_LABELS, description="Texts in any language that the model knows."
    )


AnyJob: TypeAlias = DuplicatesJob | LabelsJob


class _AnyKind(BaseModel):
    kind: Literal["duplicates", "labels"]


def parse_job(said: Any) -> AnyJob:
    """The job of a body. Raises `ValidationError`."""
    is_labels = _AnyKind.model_validate(said).kind == "labels"
    return LabelsJob.model_validate(said) if is_labels else DuplicatesJob.model_validate(said)


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
    found: int | None = Field(description="Groups or pictures of the result; null before it is done.")
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


class LabelledPicture(DocumentResponse):
    """A picture with its labels."""

    label: str
    probability: float
    other: str = Field(description="The second label.")
    other_probability: float
    corrected: str | None = Field(description="The label that a person has given it on the page.")


class LabelsResult(BaseModel):
    """Pictures with their labels, the most doubtful first."""

    found: int = Field(description="Pictures of the index; at most 200,000 are labelled.")
    counts: dict[str, int] = Field(description="Pictures by label; corrections count.")
    pictures: list[LabelledPicture] = Field(description="Without those that were deleted meanwhile.")
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


def render_labelled(
    row: LabelRow, hit: Hit, corrections: Mapping[str, str], *, show_paths: bool
) -> dict[str, Any]:
    """A labelled picture as the service sends it: a `LabelledPicture`."""
    return {
        **render_document(hit, show_paths=show_paths),
        **{name: value for name, value in row._asdict().items() if name != "id"},
        "corrected": corrections.get(row.id),
    }


def count_labels(
    rows: Sequence[LabelRow], labels: Sequence[str], corrections: Mapping[str, str]
) -> dict[str, int]:
    """How many pictures have each label, as people have corrected them, in the order of the labels."""
    counted = Counter(corrections.get(row.id, row.label) for row in rows)
    return {label: counted[label] for label in (*labels, *(one for one in counted if one not in labels))}
