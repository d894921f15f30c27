"""Jobs of the search service: work on the whole index, one at a time, beside the searches.

work ─► Job, running ─► queue ─► a thread ─┬─► done: rows, kept for a while
                                           ├─► failed: a problem
        cancel, shutdown ─► at the next ───┴─► cancelled
                            report of progress
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, NamedTuple, TypeAlias

from esclip._server.problems import Problem, ProblemType, problem_of

MAX_RUNNING = 4
"""Jobs that run or wait; further ones are refused."""
MAX_KEPT = 16
"""Jobs that have ended and are kept."""
KEEP_S = 3600.0
"""Seconds that a job is kept after its end."""
CLOSE_S = 10.0
"""Seconds that `close` waits for a job's next report of progress."""

_log = logging.getLogger("esclip")


class JobState(StrEnum):
    """What has become of a job."""

    RUNNING = "running"
    """Also while it waits for those before it."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobResult(NamedTuple):
    """What a job found."""

    rows: Sequence[Any]
    """Of the job's kind; at most so many as are kept."""
    found: int
    """The number of rows, with those that are not kept."""


Report: TypeAlias = Callable[[int, int | None], None]
"""Called with what is done and, where it is known, all there is to do. Raises in a job that was cancelled."""
Work: TypeAlias = Callable[[Report], JobResult]


class _CancelledError(Exception):
    """Ends the work of a job."""


@dataclass(slots=True, eq=False)
class Job:
    """A job, running or ended."""

    kind: str
    parameters: Any
    """What it was asked for."""
    work: Work | None
    """None once it has ended."""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    state: JobState = JobState.RUNNING
    done: int = 0
    total: int | None = None
    result: JobResult | None = None
    problem: Problem | None = None
    ended: float = 0.0
    """Of the monotonic clock."""
    cancel_requested: bool = False

    def report(self, done: int, total: int | None) -> None:
        """Keep the progress. Raises when the job was cancelled."""
        if self.cancel_requested:
            raise _CancelledError
        self.done, self.total = done, total

    def end(self, state: JobState, result: JobResult | None = None, problem: Problem | None = None) -> None:
        """Keep how it ended."""
        self.result, self.problem, self.work = result, problem, None
        self.ended = time.monotonic()
        self.state = state  # last: who sees that it has ended finds the rest


class Jobs:
    """The jobs of a service. Thread-safe; their thread starts with the first one."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._lock = Lock()
        self._closed = False

    def start(self, kind: str, parameters: Any, work: Work) -> Job:
        """Begin a job, or let it wait. Raises `Problem` when too many wait, or the service is stopping."""
        with self._lock:
            self._forget()
            running = self._count_running()
            if self._closed or running >= MAX_RUNNING:
                raise Problem(ProblemType.OVERLOADED, f"{running} jobs run or wait")
            job = Job(kind, parameters, work)
            self._jobs[job.id] = job
            if self._thread is None:
                self._thread = Thread(target=self._run, name="esclip-jobs", daemon=True)
                self._thread.start()
        self._queue.put(job)
        return job

    @property
    def running(self) -> int:
        """How many run or wait."""
        with self._lock:
            return self._count_running()

    def _count_running(self) -> int:
        return sum(job.state is JobState.RUNNING for job in self._jobs.values())

    def get(self, id: str) -> Job:
        """A job by its id. Raises `Problem` when there is none, or it is kept no longer."""
        with self._lock:
            self._forget()
            job = self._jobs.get(id)
        if job is None:
            raise Problem(ProblemType.UNKNOWN_JOB)
        return job

    def cancel(self, id: str) -> None:
        """End a running job at its next report of progress; forget one that has ended."""
        job = self.get(id)
        job.cancel_requested = True
        if job.state is not JobState.RUNNING:
            with self._lock:
                self._jobs.pop(id, None)

    def stop(self) -> None:
        """Begin no further job, and cancel all."""
        with self._lock:
            self._closed = True
            for job in self._jobs.values():
                job.cancel_requested = True
        self._queue.put(None)

    def close(self) -> None:
        """Stop, and wait a while for the job that runs. Closing twice is harmless."""
        self.stop()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _forget(self) -> None:
        """Forget what ended long ago, and the first of too many."""
        ended = [job for job in self._jobs.values() if job.state is not JobState.RUNNING]
        ended.sort(key=lambda job: job.ended)
        oldest = time.monotonic() - KEEP_S
        for number, job in enumerate(ended):
            if job.ended < oldest or len(ended) - number > MAX_KEPT:
                del self._jobs[job.id]

    def _run(self) -> None:
        while job := self._queue.get():
            _finish(job)


def _finish(job: Job) -> None:
    """Do the work of a job; whatever happens, it ends."""
    try:
        job.report(0, None)
        assert job.work is not None
        job.end(JobState.DONE, job.work(job.report))
    except _CancelledError:
        job.end(JobState.CANCELLED)
    except Exception as error:  # any: it is the job's, and the thread goes on with the next
        if job.cancel_requested:  # also what an index that is closed meanwhile raises
            job.end(JobState.CANCELLED)
            return
        problem = problem_of(error)
        if problem.kind is ProblemType.INTERNAL:
            _log.exception("job %s failed", job.id)
        job.end(JobState.FAILED, problem=problem)
