"""Jobs: work on the whole index, begun by one request, asked for by others."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import orjson
from fastapi import FastAPI, Query
from starlette.responses import Response

from esclip._server import job_messages as messages
from esclip._server.duplicate_jobs import find_groups, read_pictures
from esclip._server.jobs import Job, JobResult
from esclip._server.problems import Problem, ProblemType
from esclip._server.routes.responses import PROBLEMS, json_response
from esclip._server.search_service import SearchService


def add_jobs(api: FastAPI, service: SearchService) -> None:
    @api.post("/v1/jobs", status_code=202, responses={202: {"model": messages.JobResponse}, **PROBLEMS})
    async def start_job(wanted: messages.DuplicatesJob) -> Response:
        """Begin a job on the whole index; `Location` is where to ask for it."""
        job = start_duplicates(service, wanted)
        headers = {"Location": f"/v1/jobs/{job.id}", "Cache-Control": "no-store"}
        body = orjson.dumps(messages.render_job(job))
        return Response(body, 202, headers, media_type="application/json")

    @api.get("/v1/jobs/{id}", responses={200: {"model": messages.JobResponse}, **PROBLEMS})
    async def job(id: str) -> Response:
        """How far a job is, and what has become of it."""
        return json_response(messages.render_job(service.jobs.get(id)))

    @api.delete("/v1/jobs/{id}", status_code=204, responses=PROBLEMS)
    async def cancel_job(id: str) -> Response:
        """Cancel a job that runs; forget one that has ended."""
        service.jobs.cancel(id)
        return Response(status_code=204)

    @api.get("/v1/jobs/{id}/result", responses={200: {"model": messages.DuplicatesResult}, **PROBLEMS})
    async def job_result(id: str, page: Annotated[messages.ResultParameters, Query()]) -> Response:
        """A page of what a job found."""
        result = result_of(service.jobs.get(id))
        rows = result.rows[page.offset : page.offset + page.k]
        ids = [id for row in rows for id, _ in row.members]
        documents = await service.searches.run(read_pictures, service.index, ids)
        show_paths = service.options.show_paths
        more = page.offset + page.k < len(result.rows)
        rendered = {
            "found": result.found,
            "groups": [messages.render_group(row, documents, show_paths=show_paths) for row in rows],
            "next": {"offset": page.offset + page.k} if more else None,
        }
        return json_response(rendered)


def start_duplicates(service: SearchService, wanted: messages.DuplicatesJob) -> Job:
    """Begin the job that groups near-duplicates. Raises `Problem`."""
    work = partial(find_groups, service.index, wanted.threshold, wanted.where)
    return service.jobs.start(wanted.kind, wanted, work)


def result_of(job: Job) -> JobResult:
    """What a job found. Raises `Problem` when it isn't done, or failed."""
    if job.problem is not None:
        raise job.problem
    if job.result is None:
        raise Problem(ProblemType.JOB_NOT_DONE, f"it is {job.state.value}")
    return job.result
