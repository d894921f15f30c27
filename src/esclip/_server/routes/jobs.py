"""Jobs: work on the whole index, begun by one request, asked for by others."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Query, Request
from starlette.responses import Response

from esclip._server import job_messages as messages
from esclip._server.duplicate_jobs import find_groups, read_pictures
from esclip._server.jobs import Job, JobResult
from esclip._server.label_jobs import label_pictures
from esclip._server.problems import Problem, ProblemType
from esclip._server.routes.bodies import parse_json
from esclip._server.routes.responses import PROBLEMS, json_response
from esclip._server.search_service import SearchService


def add_jobs(api: FastAPI, service: SearchService) -> None:
    @api.post(
        "/v1/jobs",
        status_code=202,
        responses={202: {"model": messages.JobResponse}, **PROBLEMS},
        openapi_extra={"requestBody": _JOB_BODY},
    )
    async def start_job(request: Request) -> Response:
        """Begin a job on the whole index; `Location` is where to ask for it."""
        job = begin_job(service, messages.parse_job(parse_json(request, await request.body())))
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

    @api.get(
        "/v1/jobs/{id}/result",
        responses={200: {"model": messages.DuplicatesResult | messages.LabelsResult}, **PROBLEMS},
    )
    async def job_result(id: str, page: Annotated[messages.ResultParameters, Query()]) -> Response:
        """A page of what a job found: groups of near-duplicates, or labelled pictures."""
        job = service.jobs.get(id)
        result = result_of(job)
        rows = result.rows[page.offset : page.offset + page.k]
        render = _render_groups if isinstance(job.parameters, messages.DuplicatesJob) else _render_labels
        rendered = await service.searches.run(render, service, job, rows)
        more = page.offset + page.k < len(result.rows)
        following = {"offset": page.offset + page.k} if more else None
        return json_response({"found": result.found, **rendered, "next": following})


def begin_job(service: SearchService, wanted: messages.AnyJob) -> Job:
    """Begin a job. Raises `Problem`."""
    if isinstance(wanted, messages.DuplicatesJob):
        work = partial(find_groups, service.index, wanted.threshold, wanted.where)
    else:
        work = partial(label_pictures, service.index, service.load_encoder, wanted.labels)
    return service.jobs.start(wanted.kind, wanted, work)


def result_of(job: Job) -> JobResult:
    """What a job found. Raises `Problem` when it isn't done, or failed."""
    if job.problem is not None:
        raise job.problem
    if job.result is None:
        raise Problem(ProblemType.JOB_NOT_DONE, f"it is {job.state.value}")
    return job.result


def _render_groups(service: SearchService, job: Job, rows: Any) -> dict[str, Any]:
    hits = read_pictures(service.index, [id for row in rows for id, _ in row.members])
    show_paths = service.options.show_paths
    return {"groups": [messages.render_group(row, hits, show_paths=show_paths) for row in rows]}


def _render_labels(service: SearchService, job: Job, rows: Any) -> dict[str, Any]:
    hits = read_pictures(service.index, [row.id for row in rows])
    corrections = service.corrections().all()
    show_paths = service.options.show_paths
    return {
        "counts": messages.count_labels(result_of(job).rows, job.parameters.labels, corrections),
        "pictures": [
            messages.render_labelled(row, hits[row.id], corrections, show_paths=show_paths)
            for row in rows
            if row.id in hits
        ],
    }


_JOB_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "oneOf": [
                    messages.DuplicatesJob.model_json_schema(),
                    messages.LabelsJob.model_json_schema(),
                ]
            }
        }
    },
}
