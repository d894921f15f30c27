"""The page on which people decide about near-duplicates: two pictures side by side, and which to keep.

?job&offset&only ─► Job ─┬─ running ─► how far it is
                         └─ done ─► pairs of its groups ─► documents, decisions ─► duplicates.html
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlencode

from pydantic import Field

from esclip._index import ImageIndex
from esclip._search.options import THRESHOLD
from esclip._server.decision_list import as_json, as_table
from esclip._server.decisions import Decisions, Keep, decisions_path
from esclip._server.duplicate_jobs import read_pictures
from esclip._server.job_messages import DuplicatesJob
from esclip._server.jobs import Job, JobResult
from esclip._server.page.hosts import PictureHosts
from esclip._server.page.pairs import Pair, PairView, iter_pairs, kept_side, view_pair
from esclip._server.page.rendering import render
from esclip._server.problems import Problem, ProblemType
from esclip._server.search_messages import Id, Lenient, ShortText, render_document

PAGE_PAIRS = 10


class DuplicatesParameters(Lenient):
    """What the page shows."""

    job: str = Field(default="", max_length=64, description="A job that was begun here, or by POST /v1/jobs.")
    offset: int = Field(default=0, ge=0, le=1_000_000, description="Pairs before the first one shown.")
    only: Literal["", "undecided"] = ""


class DuplicatesForm(Lenient):
    """What a form of the page sends."""

    action: Literal["compare", "cancel", "decide"]
    job: str = Field(default="", max_length=64)
    offset: int = Field(default=0, ge=0, le=1_000_000)
    only: Literal["", "undecided"] = ""
    threshold: float = Field(default=THRESHOLD.default, ge=THRESHOLD.minimum, le=THRESHOLD.maximum)
    where: ShortText = ""
    number: Annotated[int, Field(ge=0, le=2_000_000)] = 0
    left: Id | None = None
    right: Id | None = None
    keep: Literal["left", "right", "both", "undecided"] = "undecided"


class Review(NamedTuple):
    """The pairs of a job that are shown."""

    pairs: list[PairView]
    first: int
    """Number of the first pair shown, among those that are listed."""
    listed: int
    """Pairs that the page goes through: all, or those that are undecided."""
    total: int
    decided: int
    groups: int
    found: int
    """Groups that were found; more than those kept in a very large index."""
    next: str
    previous: str


def place_url(job: str, offset: int = 0, only: str = "", number: int = 0) -> str:
    """The page at a place, relative to it."""
    given = {"job": job, "offset": offset or "", "only": only}
    query = urlencode({name: value for name, value in given.items() if value})
    return f"duplicates{'?' if query else ''}{query}{f'#pair-{number}' if number else ''}"


class DuplicatesPage:
    """Makes the page. Thread-safe."""

    def __init__(self, index: ImageIndex, *, show_paths: bool) -> None:
        self.hosts = PictureHosts()
        self._index = index
        self._show_paths = show_paths
        self._lock = Lock()
        self._name = ""
        """The index's; empty while it isn't known."""
        self._decisions: Decisions | None = None

    def render(self, wanted: DuplicatesParameters, job: Job | None, problem: Problem | None) -> str:
        """The page of a job, or without one. Raises `Problem` or `EsclipError`."""
        if job is not None and job.problem is not None:
            raise job.problem
        values: dict[str, Any] = {
            "review": self._review(job.result, wanted) if job and job.result else None,
            "decided": bool(self._open_decisions().all()),
            "here": place_url(wanted.job),
            "all_url": place_url(wanted.job),
            "undecided_url": place_url(wanted.job, only="undecided"),
        }
        return self._render(wanted, job, problem, **values)

    def render_problem(self, problem: Problem, job: Job | None) -> str:
        """The page with what is wrong, and what a failed job was asked for; asks no store."""
        return self._render(DuplicatesParameters(), job, problem, review=None, decided=False)

    def decide(self, form: DuplicatesForm) -> None:
        """Save the decision of a form. Raises `EsclipError`, or `Problem` for unknown pictures."""
        left, right = form.left or "", form.right or ""
        if len(read_pictures(self._index, [left, right])) != 2:
            raise Problem(ProblemType.UNKNOWN_DOCUMENT)
        self._open_decisions().save(left, right, Keep(form.keep))

    def export(self, format: Literal["tsv", "json"]) -> bytes:
        """All decisions as a list. Raises `EsclipError`."""
        write = as_table if format == "tsv" else as_json
        return write(self._index, self._open_decisions().all(), show_paths=self._show_paths)

    def _render(
        self, wanted: DuplicatesParameters, job: Job | None, problem: Problem | None, **values: Any
    ) -> str:
        asked = job.parameters if job else DuplicatesJob(kind="duplicates")
        return render(
            "duplicates.html",
            index=self._name,
            wanted=wanted,
            job=job,
            error=problem and problem.for_people(),
            threshold=asked.threshold,
            where=asked.where if isinstance(asked.where, str) else "",
            **values,
        )

    def _open_decisions(self) -> Decisions:
        """The decisions about the index, whose store is asked for its name once."""
        with self._lock:
            if self._decisions is None:
                stats = self._index.stats()
                self._name = stats.index
                self._decisions = Decisions(decisions_path(stats.store, stats.index))
            return self._decisions

    def _review(self, result: JobResult, wanted: DuplicatesParameters) -> Review:
        """A page of the pairs of a job that is done. Raises `EsclipError`."""
        pairs = list(iter_pairs(result.rows))
        found = self._open_decisions().about([(pair.left, pair.right) for pair in pairs])
        kept = {pair: kept_side(pair, decision) for pair, decision in zip(pairs, found, strict=True)}
        listed = [pair for pair in pairs if not wanted.only or kept[pair] is Keep.UNDECIDED]
        shown = listed[wanted.offset : wanted.offset + PAGE_PAIRS]
        before, after = max(wanted.offset - PAGE_PAIRS, 0), wanted.offset + PAGE_PAIRS
        return Review(
            pairs=self._view(shown, kept),
            first=wanted.offset + 1,
            listed=len(listed),
            total=len(pairs),
            decided=sum(keep is not Keep.UNDECIDED for keep in kept.values()),
            groups=len(result.rows),
            found=result.found,
            next=place_url(wanted.job, after, wanted.only) if after < len(listed) else "",
            previous=place_url(wanted.job, before, wanted.only) if wanted.offset else "",
        )

    def _view(self, pairs: Sequence[Pair], kept: dict[Pair, Keep]) -> list[PairView]:
        """Those whose pictures the index still has."""
        hits = read_pictures(self._index, (id for pair in pairs for id in (pair.left, pair.right)))
        self.hosts.remember(hit.location for hit in hits.values())
        documents = {id: render_document(hit, show_paths=self._show_paths) for id, hit in hits.items()}
        return [
            view_pair(pair, documents[pair.left], documents[pair.right], kept[pair])
            for pair in pairs
            if pair.left in documents and pair.right in documents
        ]
