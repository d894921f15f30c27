"""The page of labels, what its forms send, and the labels of all pictures as a list."""

from __future__ import annotations

from functools import partial
from typing import Literal

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, Response

from esclip._server.job_messages import LabelsJob
from esclip._server.jobs import Job
from esclip._server.page.labels_page import LabelsForm, LabelsPage, LabelsParameters, labels_of, place_url
from esclip._server.problems import Problem, ProblemType
from esclip._server.routes.bodies import form_body
from esclip._server.routes.errors import problem_for_people
from esclip._server.routes.forms import FORM_ANSWERS, answer_form
from esclip._server.routes.jobs import begin_job, result_of
from esclip._server.routes.page import HTML_PROBLEMS, form_page_response
from esclip._server.routes.responses import list_answers, list_response
from esclip._server.search_service import SearchService


class PictureLabelResponse(BaseModel):
    """The label of a picture."""

    id: str
    label: str
    by: Literal["model", "person"]
    probability: float = Field(description="That of the model; 1 where a person has given the label.")
    path: str | None = Field(None, description="Where the server shows paths.")


class LabelsResponse(BaseModel):
    """The labels of all pictures."""

    pictures: list[PictureLabelResponse]


def add_labels(api: FastAPI, service: SearchService) -> None:
    page = LabelsPage(service.index, show_paths=service.options.show_paths)

    @api.get("/labels", response_class=HTMLResponse, responses=HTML_PROBLEMS)
    async def show_labels(request: Request) -> Response:
        """A page to label pictures: the most doubtful first."""
        return await _respond(service, page, request)

    @api.post(
        "/labels",
        status_code=303,
        response_class=Response,
        responses=FORM_ANSWERS,
        openapi_extra={"requestBody": form_body(LabelsForm)},
    )
    async def change_labels(request: Request) -> Response:
        """What a form of the page sends: label all, cancel, or a correction, which is saved at once."""
        change, respond = partial(_change, service, page), partial(_respond, service, page, request)
        return await answer_form(request, LabelsForm, change, respond)

    @api.get("/labels/list", responses=list_answers(LabelsResponse))
    async def list_labels(job: str, format: Literal["tsv", "json"] = "json") -> Response:
        """The labels of all pictures of a job, with corrections."""
        done = _labels_job(service, job)
        result_of(done)
        corrections = await service.checks.run(service.corrections)
        body = await service.searches.run(page.export, done, corrections.all(), format)
        return list_response(body, "labels", format)


def _labels_job(service: SearchService, id: str) -> Job:
    """A job of this kind. Raises `Problem`."""
    job = service.jobs.get(id)
    if not isinstance(job.parameters, LabelsJob):
        raise Problem(ProblemType.UNKNOWN_JOB)
    return job


async def _change(service: SearchService, page: LabelsPage, form: LabelsForm) -> str:
    """Do what a form asks for. Returns where it leads. Raises the errors of a request."""
    match form.action:
        case "label":
            wanted = LabelsJob(kind="labels", labels=labels_of(form.labels))
            return place_url(LabelsParameters(job=begin_job(service, wanted).id))
        case "cancel":
            service.jobs.cancel(form.job)
            return place_url(LabelsParameters())
        case "correct":
            corrections = await service.checks.run(service.corrections)
            await service.checks.run(page.correct, form, corrections)
            shown = LabelsParameters(job=form.job, offset=form.offset, label=form.filter, only=form.only)
            return place_url(shown)


async def _respond(
    service: SearchService, page: LabelsPage, request: Request, problem: Problem | None = None
) -> Response:
    """The page of a request's URL, with what is wrong where something is."""
    job = None
    try:
        wanted = LabelsParameters.model_validate(dict(request.query_params))
        job = _labels_job(service, wanted.job) if wanted.job else None
        corrections = await service.checks.run(service.corrections)
        html = await service.searches.run(page.render, wanted, job, problem, corrections)
    except Exception as error:
        problem = problem_for_people(error)
        html = page.render_problem(problem, job)
    return form_page_response(request, html, page.hosts.policy(), problem)
