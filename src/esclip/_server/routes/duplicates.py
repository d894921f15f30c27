"""The page of near-duplicates, what its forms send, and the list of what was decided."""

from __future__ import annotations

from functools import partial
from typing import Literal

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, Response

from esclip._server.decisions import Keep
from esclip._server.job_messages import DuplicatesJob
from esclip._server.page.duplicates_page import (
    DuplicatesForm,
    DuplicatesPage,
    DuplicatesParameters,
    place_url,
)
from esclip._server.problems import Problem
from esclip._server.routes.bodies import form_body
from esclip._server.routes.errors import problem_for_people
from esclip._server.routes.forms import FORM_ANSWERS, answer_form
from esclip._server.routes.jobs import begin_job
from esclip._server.routes.page import HTML_PROBLEMS, form_page_response
from esclip._server.routes.responses import list_answers, list_response
from esclip._server.search_service import SearchService


class DecisionResponse(BaseModel):
    """What was decided about two near-duplicates."""

    left: str
    right: str
    keep: Keep
    at: str = Field(description="When, as in ISO 8601.")
    left_path: str | None = Field(None, description="Where the server shows paths.")
    right_path: str | None = None


class DecisionsResponse(BaseModel):
    """All decisions."""

    decisions: list[DecisionResponse]


def add_duplicates(api: FastAPI, service: SearchService) -> None:
    page = DuplicatesPage(service.index, show_paths=service.options.show_paths)

    @api.get("/duplicates", response_class=HTMLResponse, responses=HTML_PROBLEMS)
    async def show_duplicates(request: Request) -> Response:
        """A page to decide about near-duplicates: pairs of pictures side by side."""
        return await _respond(service, page, request)

    @api.post(
        "/duplicates",
        status_code=303,
        response_class=Response,
        responses=FORM_ANSWERS,
        openapi_extra={"requestBody": form_body(DuplicatesForm)},
    )
    async def change_duplicates(request: Request) -> Response:
        """What a form of the page sends: compare, cancel, or a decision, which is saved at once."""
        change, respond = partial(_change, service, page), partial(_respond, service, page, request)
        return await answer_form(request, DuplicatesForm, change, respond)

    @api.get("/duplicates/decisions", responses=list_answers(DecisionsResponse))
    async def decisions(format: Literal["tsv", "json"] = "json") -> Response:
        """All decisions as a list: JSON, or a table of the pictures to drop."""
        body = await service.searches.run(page.export, format)
        return list_response(body, "duplicates", format)


async def _change(service: SearchService, page: DuplicatesPage, form: DuplicatesForm) -> str:
    """Do what a form asks for. Returns where it leads. Raises `Problem` or `EsclipError`."""
    match form.action:
        case "compare":
            wanted = DuplicatesJob(kind="duplicates", threshold=form.threshold, where=form.where or None)
            return place_url(begin_job(service, wanted).id)
        case "cancel":
            service.jobs.cancel(form.job)
            return place_url("")
        case "decide":
            await service.checks.run(page.decide, form)
            return place_url(form.job, form.offset, form.only, form.number)


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
        problem = problem_for_people(error)
        html = page.render_problem(problem, job)
    return form_page_response(request, html, page.hosts.policy(), problem)
