"""The page on which people label pictures: counts of labels, the most doubtful pictures first, corrections.

?job&label&only&offset ─► Job ─┬─ running ─► how far it is
                               └─ done ─► its rows, corrected ─► a page of them ─► labels.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, urlencode

import orjson
from pydantic import Field

from esclip._core.labels import MAX_LABEL_LENGTH
from esclip._errors.escaping import escape
from esclip._index import ImageIndex
from esclip._search.gallery import file_name
from esclip._server.corrections import Corrections
from esclip._server.duplicate_jobs import read_pictures
from esclip._server.job_messages import MAX_JOB_LABELS, count_labels
from esclip._server.jobs import Job
from esclip._server.label_jobs import LabelRow
from esclip._server.page.hosts import PictureHosts
from esclip._server.page.rendering import render
from esclip._server.page.tiles import HEIGHT, SHARP_HEIGHT, Size, picture_url, size_of, title_of
from esclip._server.problems import Problem, ProblemType
from esclip._server.search_messages import Id, Lenient, render_document

PAGE_SIZE = 24
PAGE = 500
"""Pictures that are read at once for the list."""
KEYS = "123456789"
"""Of the first labels."""


class LabelsParameters(Lenient):
    """What the page shows."""

    job: str = Field(default="", max_length=64, description="A job that was begun here, or by POST /v1/jobs.")
    offset: int = Field(default=0, ge=0, le=1_000_000, description="Pictures before the first one shown.")
    label: str = Field(default="", max_length=MAX_LABEL_LENGTH, description="Only pictures with this label.")
    only: Literal["", "unchecked"] = ""


class LabelsForm(Lenient):
    """What a form of the page sends."""

    action: Literal["label", "cancel", "correct"]
    job: str = Field(default="", max_length=64)
    offset: int = Field(default=0, ge=0, le=1_000_000)
    only: Literal["", "unchecked"] = ""
    filter: str = Field(default="", max_length=MAX_LABEL_LENGTH)
    labels: str = Field(default="", max_length=MAX_JOB_LABELS * (MAX_LABEL_LENGTH + 2))
    id: Id | None = None
    correction: str = Field(default="", max_length=MAX_LABEL_LENGTH)


class LabelCount(NamedTuple):
    """A label above the pictures."""

    label: str
    pictures: int
    url: str
    key: str
    """That gives it to a picture; empty: none does."""
    is_shown: bool


class Labelled(NamedTuple):
    """A picture as the page shows it."""

    id: str
    title: str
    picture: str
    sharp: str
    size: Size
    label: str
    """That counts."""
    checked: bool
    """Whether a person has given it."""
    first: str
    """What the model says."""
    guess: str
    """The same in words."""


class LabelReview(NamedTuple):
    """What is shown of a job."""

    labels: list[LabelCount]
    pictures: list[Labelled]
    listed: int
    total: int
    found: int
    checked: int
    next: str
    previous: str


def place_url(wanted: LabelsParameters, **changes: str | int) -> str:
    """The page at another place, relative to it."""
    given = {
        "job": wanted.job,
        "label": wanted.label,
        "only": wanted.only,
        "offset": wanted.offset,
        **changes,
    }
    query = urlencode({name: value for name, value in given.items() if value})
    return f"labels?{query}" if query else "labels"


class LabelsPage:
    """Makes the page. Thread-safe."""

    def __init__(self, index: ImageIndex, *, show_paths: bool) -> None:
        self.hosts = PictureHosts()
        self._index = index
        self._show_paths = show_paths

    def render(
        self, wanted: LabelsParameters, job: Job | None, problem: Problem | None, corrections: Corrections
    ) -> str:
        """The page of a job, or without one. Raises `Problem` or `EsclipError`."""
        if job is not None and job.problem is not None:
            raise job.problem
        is_done = job is not None and job.result is not None
        review = self._review(job, wanted, corrections.all()) if job is not None and is_done else None
        return self._render(wanted, job, problem, review)

    def render_problem(self, problem: Problem, job: Job | None) -> str:
        """The page with what is wrong alone; asks no store."""
        return self._render(LabelsParameters(), job, problem, None)

    def correct(self, form: LabelsForm, corrections: Corrections) -> None:
        """Save the correction of a form. Raises `EsclipError`, or `Problem` for an unknown picture."""
        if not read_pictures(self._index, [form.id or ""]):
            raise Problem(ProblemType.UNKNOWN_DOCUMENT)
        corrections.save(form.id or "", form.correction)

    def export(self, job: Job, corrections: Mapping[str, str], format: Literal["tsv", "json"]) -> bytes:
        """The labels of all pictures of a job that is done. Raises `EsclipError`."""
        assert job.result is not None
        said = [self._said(row, corrections) for row in job.result.rows]
        if self._show_paths:
            for start in range(0, len(said), PAGE):
                page = said[start : start + PAGE]
                hits = read_pictures(self._index, [one["id"] for one in page])
                for one in page:
                    one["path"] = hits[one["id"]].location if one["id"] in hits else None
        if format == "json":
            return orjson.dumps({"pictures": said})
        names = ["id", "label", "by", "probability", *(["path"] if self._show_paths else [])]
        lines = ["\t".join(escape(str(one[name] or "")) for name in names) for one in said]
        return ("\n".join(["\t".join(names), *lines]) + "\n").encode("utf-8", "replace")

    def _said(self, row: LabelRow, corrections: Mapping[str, str]) -> dict[str, Any]:
        corrected = corrections.get(row.id)
        by = "model" if corrected is None else "person"
        probability = round(row.probability, 6) if corrected is None else 1.0
        return {"id": row.id, "label": corrected or row.label, "by": by, "probability": probability}

    def _render(
        self, wanted: LabelsParameters, job: Job | None, problem: Problem | None, review: LabelReview | None
    ) -> str:
        asked = job.parameters.labels if job is not None else ()
        values = {
            "here": place_url(wanted),
            "all_url": place_url(wanted, only="", label="", offset=0),
            "unchecked_url": place_url(wanted, only="unchecked", offset=0),
            "export": f"labels/list?job={quote(wanted.job)}&format=",
        }
        return render(
            "labels.html",
            index=self._index.store.index,
            wanted=wanted,
            job=job,
            review=review,
            asked="\n".join(asked),
            error=problem and problem.for_people(),
            **values,
        )

    def _review(self, job: Job, wanted: LabelsParameters, corrections: Mapping[str, str]) -> LabelReview:
        assert job.result is not None
        rows: Sequence[LabelRow] = job.result.rows
        counts = count_labels(rows, job.parameters.labels, corrections)
        listed = [
            row
            for row in rows
            if (not wanted.label or corrections.get(row.id, row.label) == wanted.label)
            and not (wanted.only and row.id in corrections)
        ]
        after, before = wanted.offset + PAGE_SIZE, max(wanted.offset - PAGE_SIZE, 0)
        return LabelReview(
            labels=[
                LabelCount(
                    label,
                    pictures,
                    place_url(wanted, label="" if label == wanted.label else label, offset=0),
                    KEYS[number] if number < len(KEYS) else "",
                    label == wanted.label,
                )
                for number, (label, pictures) in enumerate(counts.items())
            ],
            pictures=self._view(listed[wanted.offset : after], corrections),
            listed=len(listed),
            total=len(rows),
            found=job.result.found,
            checked=sum(row.id in corrections for row in rows),
            next=place_url(wanted, offset=after) if after < len(listed) else "",
            previous=place_url(wanted, offset=before) if wanted.offset else "",
        )

    def _view(self, rows: Sequence[LabelRow], corrections: Mapping[str, str]) -> list[Labelled]:
        """Those that the index still has."""
        hits = read_pictures(self._index, [row.id for row in rows])
        self.hosts.remember(hit.location for hit in hits.values())
        shown = []
        for row in rows:
            if row.id not in hits:
                continue
            document = render_document(hits[row.id], show_paths=self._show_paths)
            guess = f"{row.label} {row.probability:.0%}, or {row.other} {row.other_probability:.0%}"
            shown.append(
                Labelled(
                    id=row.id,
                    title=title_of(document, file_name(hits[row.id])),
                    picture=picture_url(document, HEIGHT),
                    sharp=picture_url(document, SHARP_HEIGHT),
                    size=size_of(document).fit(HEIGHT),
                    label=corrections.get(row.id, row.label),
                    checked=row.id in corrections,
                    first=row.label,
                    guess=guess,
                )
            )
        return shown


def labels_of(text: str) -> list[str]:
    """The labels of a text: one a line, or with commas between them; each once."""
    parts = [part.strip() for line in text.splitlines() for part in line.split(",")]
    return list(dict.fromkeys(part for part in parts if part))
