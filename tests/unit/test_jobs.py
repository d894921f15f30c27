"""Jobs of the search service: how they run, end and are forgotten; near-duplicates of a whole index."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

import esclip
from esclip._errors import StoreError, StoreUnavailable
from esclip._server.http_server import HttpServer
from esclip._server.jobs import MAX_KEPT, MAX_RUNNING, Job, JobResult, Jobs, JobState, Report
from esclip._server.problems import Problem, ProblemType
from esclip._server.search_app import SearchApp
from tests.search_servers import Answer, ask, searching

EMPTY = JobResult([], 0)


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    jobs = Jobs()
    yield jobs
    jobs.close()


class Held:
    """Work that reports once it is released."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.released = threading.Event()

    def __call__(self, report: Report) -> JobResult:
        report(1, 2)
        self.begun.set()
        assert self.released.wait(60)
        report(2, 2)
        return JobResult(["found"], 1)


def ended(job: Job) -> JobState:
    """How a job ends, awaited."""
    until = time.monotonic() + 60
    while job.state is JobState.RUNNING and time.monotonic() < until:
        time.sleep(0.002)
    return job.state


class TestJobs:
    def test_a_job_tells_how_far_it_is_and_keeps_what_it_found(self, jobs: Jobs) -> None:
        """While it runs its progress is known, afterwards its result."""
        held = Held()
        job = jobs.start("held", None, held)
        assert held.begun.wait(60)
        assert (job.state, job.done, job.total) == (JobState.RUNNING, 1, 2)
        held.released.set()
        assert ended(job) is JobState.DONE
        assert jobs.get(job.id).result == JobResult(["found"], 1)

    def test_jobs_run_one_by_one(self, jobs: Jobs) -> None:
        """A job waits for the one before it; so many may wait, and further ones are refused."""
        held = Held()
        first = jobs.start("held", None, held)
        waiting = [jobs.start("next", None, lambda report: EMPTY) for _ in range(MAX_RUNNING - 1)]
        assert held.begun.wait(60)
        with pytest.raises(Problem) as refused:
            jobs.start("more", None, lambda report: EMPTY)
        assert refused.value.kind is ProblemType.OVERLOADED
        assert {job.state for job in waiting} == {JobState.RUNNING}
        held.released.set()
        assert {ended(job) for job in (first, *waiting)} == {JobState.DONE}

    def test_a_cancelled_job_ends_at_its_next_report(self, jobs: Jobs) -> None:
        """A job that runs and one that waits are cancelled, and the next one runs."""
        held = Held()
        running, waiting = jobs.start("held", None, held), jobs.start("never", None, Held())
        assert held.begun.wait(60)
        jobs.cancel(running.id)
        jobs.cancel(waiting.id)
        held.released.set()
        assert {ended(running), ended(waiting)} == {JobState.CANCELLED}
        assert ended(jobs.start("next", None, lambda report: EMPTY)) is JobState.DONE

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (StoreUnavailable("away"), ProblemType.STORE_UNAVAILABLE),
            (StoreError("refused"), ProblemType.STORE_FAILED),
            (KeyError("x"), ProblemType.INTERNAL),
        ],
    )
    def test_an_error_is_the_problem_of_its_job(
        self, jobs: Jobs, error: Exception, kind: ProblemType
    ) -> None:
        """A job that fails keeps its problem, which tells nothing of what is inside."""

        def fail(report: Report) -> JobResult:
            raise error

        job = jobs.start("failing", None, fail)
        assert ended(job) is JobState.FAILED
        assert job.problem is not None
        assert (job.problem.kind, job.problem.detail) == (kind, "")

    def test_ended_jobs_are_forgotten(self, jobs: Jobs) -> None:
        """The first of too many is forgotten."""
        made = []
        for _ in range(MAX_KEPT + 1):
            made.append(jobs.start("quick", None, lambda report: EMPTY))
            assert ended(made[-1]) is JobState.DONE
        assert jobs.get(made[1].id) is made[1]
        with pytest.raises(Problem):
            jobs.get(made[0].id)

    def test_a_shutdown_cancels(self) -> None:
        """Closing ends the job that runs at its next report, within seconds, and takes no more."""
        jobs, held = Jobs(), Held()
        job = jobs.start("held", None, held)
        assert held.begun.wait(60)
        threading.Timer(0.05, held.released.set).start()
        jobs.close()
        assert job.state is JobState.CANCELLED
        with pytest.raises(Problem):
            jobs.start("more", None, lambda report: EMPTY)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer[SearchApp]]:
    """A service of pictures of which three are nearly the same, and two others have the same bytes."""
    folder = tmp_path_factory.mktemp("jobs")
    for number, (color, width) in enumerate(
        [("red", 40), ("red", 80), ("red", 60), ("blue", 30), ("blue", 30), ("green", 50)]
    ):
        Image.new("RGB", (width, 30), color).save(folder / f"{color} {number}.png")
    index = esclip.open_index(folder / "store", encoder="palette")
    index.ingest(folder)
    with searching(index, folder / "cache") as server:
        yield server


def finished(server: HttpServer[SearchApp], answer: Answer) -> Any:
    """The job that a response to POST /v1/jobs announces, once it has ended."""
    assert answer.status == 202, answer.json
    location = answer.headers["Location"]
    until = time.monotonic() + 60
    while (job := ask(server, "GET", location).json)["state"] == "running" and time.monotonic() < until:
        time.sleep(0.005)
    return job


class TestDuplicates:
    def test_the_result_is_that_of_the_library(self, server: HttpServer[SearchApp]) -> None:
        """The groups are those of `ImageIndex.duplicates`, page by page; paths stay at home."""
        job = finished(server, ask(server, "POST", "/v1/jobs", {"kind": "duplicates"}))
        assert (job["state"], job["found"], job["problem"]) == ("done", 2, None)
        assert job["progress"] == {"done": 6, "total": 6}
        result = f"/v1/jobs/{job['id']}/result"
        first = ask(server, "GET", f"{result}?k=1").json
        second = ask(server, "GET", f"{result}?k=1&offset={first['next']['offset']}").json
        expected = server.app.service.index.duplicates(show_progress=False)
        for page, group in zip((first, second), expected, strict=True):
            (shown,) = page["groups"]
            assert (shown["exact"], shown["size"]) == (group.exact, len(group.hits))
            assert (shown["lowest"], shown["highest"]) == (group.lowest, group.highest)
            assert [(one["id"], one["score"]) for one in shown["documents"]] == [
                (hit.id, hit.score) for hit in group.hits
            ]
            assert {one["location"] for one in shown["documents"]} == {None}
        assert first["groups"][0]["documents"][0]["width"] == 80
        assert second["next"] is None

    def test_a_filter_leaves_fewer(self, server: HttpServer[SearchApp]) -> None:
        """Only pictures that a filter leaves are compared; the threshold is that of the body."""
        wanted = {"kind": "duplicates", "where": "width<70", "threshold": 0.99}
        job = finished(server, ask(server, "POST", "/v1/jobs", wanted))
        groups = ask(server, "GET", f"/v1/jobs/{job['id']}/result").json["groups"]
        assert [group["size"] for group in groups] == [2, 2]

    @pytest.mark.parametrize(
        "wanted",
        [
            {},
            {"kind": "everything"},
            {"kind": "duplicates", "threshold": 2},
            {"kind": "duplicates", "threshold": "0.9"},
            {"kind": "duplicates", "path": "/etc/passwd"},
            {"kind": "labels"},
            {"kind": "labels", "labels": ["alone"]},
            {"kind": "labels", "labels": ["a", ""]},
            {"kind": "labels", "labels": ["a", "b"], "where": "width>1"},
            {"kind": "labels", "labels": [str(number) for number in range(101)]},
            {"kind": "duplicates", "where": "x" * 5000},
        ],
    )
    def test_what_is_no_job(self, server: HttpServer[SearchApp], wanted: dict[str, Any]) -> None:
        """A body that names no job, or what jobs don't take, is refused and starts none."""
        assert ask(server, "POST", "/v1/jobs", wanted).problem == "bad-query"

    def test_a_filter_that_does_not_fit_fails_the_job(self, server: HttpServer[SearchApp]) -> None:
        """What only the index can tell is the job's problem, and that of its result."""
        job = finished(server, ask(server, "POST", "/v1/jobs", {"kind": "duplicates", "where": "widht>3"}))
        assert job["state"] == "failed"
        assert "did you mean width" in job["problem"]["detail"]
        answer = ask(server, "GET", f"/v1/jobs/{job['id']}/result")
        assert f"/problems/{answer.problem}" == job["problem"]["type"]

    def test_cancelled_and_forgotten(self, server: HttpServer[SearchApp]) -> None:
        """DELETE cancels a job, whose result is none, and then forgets it."""
        held = Held()
        running = server.app.service.jobs.start("held", None, held)
        waiting = ask(server, "POST", "/v1/jobs", {"kind": "duplicates"})
        location = waiting.headers["Location"]
        assert ask(server, "GET", f"{location}/result").problem == "job-not-done"
        assert ask(server, "DELETE", location).status == 204
        held.released.set()
        assert finished(server, waiting)["state"] == "cancelled"
        assert ended(running) is JobState.DONE
        assert ask(server, "GET", f"{location}/result").problem == "job-not-done"
        assert ask(server, "DELETE", location).status == 204
        assert ask(server, "GET", location).problem == "unknown-job"
        assert ask(server, "DELETE", location).problem == "unknown-job"

    def test_documents_that_went_meanwhile_are_left_out(self, server: HttpServer[SearchApp]) -> None:
        """A result names what the index still has; results are of ids, not of old documents."""
        answer = ask(server, "POST", "/v1/jobs", {"kind": "duplicates", "where": "width=30"})
        job = finished(server, answer)
        result = f"/v1/jobs/{job['id']}/result"
        (group,) = ask(server, "GET", result).json["groups"]
        gone, left = (document["id"] for document in group["documents"])
        server.app.service.index.delete([gone])
        (group,) = ask(server, "GET", result).json["groups"]
        assert [document["id"] for document in group["documents"]] == [left]
        assert group["size"] == 2


class TestLabels:
    def test_all_pictures_are_labelled(self, server: HttpServer[SearchApp]) -> None:
        """Each picture has the label that fits best, the most doubtful come first, corrections count."""
        labels = ["red", "green", "blue"]
        job = finished(server, ask(server, "POST", "/v1/jobs", {"kind": "labels", "labels": labels}))
        assert job["state"] == "done", job
        result = ask(server, "GET", f"/v1/jobs/{job['id']}/result?k=100").json
        shown = {one["metadata"]["file_name"].split()[0]: one["label"] for one in result["pictures"]}
        assert shown == {"red": "red", "green": "green", "blue": "blue"}
        doubts = [one["probability"] - one["other_probability"] for one in result["pictures"]]
        assert doubts == sorted(doubts)
        assert sum(result["counts"].values()) == result["found"] == len(result["pictures"])
        corrected = result["pictures"][0]
        server.app.service.corrections().save(corrected["id"], "blue")
        again = ask(server, "GET", f"/v1/jobs/{job['id']}/result?k=1").json
        assert again["pictures"][0]["corrected"] == "blue"
        assert again["next"] == {"offset": 1}
        server.app.service.corrections().save(corrected["id"], "")

    def test_labels_given_twice_fail_the_job(self, server: HttpServer[SearchApp]) -> None:
        """What only the library can tell is the job's problem."""
        job = finished(server, ask(server, "POST", "/v1/jobs", {"kind": "labels", "labels": ["a", "a"]}))
        assert (job["state"], job["problem"]["type"]) == ("failed", "/problems/bad-query")
