"""The page of near-duplicates, what its forms send, and the list of what was decided."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request
from starlette.responses import Response

from esclip._server.http import JSON
from esclip._server.job_messages import DuplicatesJob
from esclip._server.page.duplicates_page import (
    DuplicatesForm,
    DuplicatesPage,
    DuplicatesParameters,
    place_url,
)
from esclip._server.page.login import FORM
from esclip._server.problems import Problem, ProblemType
from esclip._server.routes.bodies import content_type
from esclip._server.routes.errors import problem_of_request
from esclip._server.routes.jobs import start_duplicates
from esclip._server.routes.page import HTML, html_response
from esclip._server.routes.responses import PROBLEMS
from esclip._server.search_service import SearchService

MAX_FORM_FIELDS = 20


def add_duplicates(api: FastAPI, service: SearchService) -> None:
    page = DuplicatesPage(service.index, show_paths=service.options.show_paths)

    @api.get("/duplicates", responses=HTML)
    async def show_duplicates(request: Request) -> Response:
        """A page to decide about near-duplicates: pairs of pictures side by side."""
        return await _respond(service, page, request)

    @api.post("/duplicates", status_code=303, responses=PROBLEMS, openapi_extra={"requestBody": _FORM_BODY})
    async def change_duplicates(request: Request) -> Response:
        """What a form of the page sends: compare, cancel, or a decision, which is saved at once."""
        try:
            location = await _change(service, page, parse_form(request, await request.body()))
        except Exception as error:
            return await _respond(service, page, request, _problem_for_people(error))
        return Response(status_code=303, headers={"Location": location})

    @api.get(
        "/duplicates/decisions",
        responses={200: {"content": {"text/tab-separated-values": {}, JSON: {}}}, **PROBLEMS},
    )
    async def decisions(format: Literal["tsv", "json"] = "json") -> Response:
        """All decisions as a list: JSON, or a table of the pictures to drop."""
        body = await service.searches.run(page.export, format)
        kind = JSON if format == "json" else "text/tab-separated-values; charset=utf-8"
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="duplicates.{format}"',
        }
        return Response(body, headers=headers, media_type=kind)


async def _change(service: SearchService, page: DuplicatesPage, form: DuplicatesForm) -> str:
    """Do what a form asks for. Returns where it leads. Raises `Problem` or `EsclipError`."""
    match form.action:
        case "compare":
            wanted = DuplicatesJob(kind="duplicates", threshold=form.threshold, where=form.where or None)
            return place_url(start_duplicates(service, wanted).id)
        case "cancel":
            service.jobs.cancel(form.job)
            return place_url("")
        case "decide":
            await service.checks.run(page.decide, form)
            return place_url(form.job, form.offset, form.only, form.number)


def parse_form(request: Request, body: bytes) -> DuplicatesForm:
    """The form of a body. Raises `Problem` or `ValidationError`."""
    if content_type(request) != FORM:
        raise Problem(ProblemType.UNSUPPORTED_TYPE, f"a form is sent as {FORM}")
    try:
        pairs = parse_qsl(body.decode("ascii"), errors="strict", max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        raise Problem(ProblemType.BAD_BODY, "the form can't be read") from None
    return DuplicatesForm.model_validate(dict(pairs))


async def _respond(
    service: SearchService, page: DuplicatesPage, request: Request, problem: Problem | None = None
) -> Response:
    """The page of a request's URL, with what is wrong where something is."""
    job = None
    try:
        wanted = DuplicatesParameters.model_validate(dict(request.query_params))
        job = service.jobs.get(wanted.job) if wanted.job else None
        html = await service.searches.run(page.render, wanted, job, problem)
    except Exception as error:
        problem = _problem_for_people(error)
        html = page.render_problem(problem, job)
    headers = {
        "Content-Security-Policy": page.hosts.policy(),
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",  # without a referrer a form's Origin is null
    }
    status, more = (problem.kind.value.status.value, problem.headers) if problem else (200, {})
    return html_response(request, html, status, headers | more)


def _problem_for_people(error: Exception) -> Problem:
    """What is wrong, to be said on the page. Raises an error that is none of the request's."""
    problem = problem_of_request(error)
    if problem.kind is ProblemType.INTERNAL:
        raise error
    return problem


_FORM_BODY: dict[str, Any] = {
    "required": True,
    "content": {FORM: {"schema": DuplicatesForm.model_json_schema()}},
}
