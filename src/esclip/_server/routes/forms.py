"""Forms of pages: what they send is done, and leads to a page, which says so where something is wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from esclip._server.problems import Problem
from esclip._server.routes.bodies import parse_form
from esclip._server.routes.errors import problem_for_people
from esclip._server.routes.page import HTML_PROBLEMS
from esclip._server.routes.responses import PLACE

Form = TypeVar("Form", bound=BaseModel)

FORM_ANSWERS: dict[int | str, dict[str, Any]] = {
    303: {"description": "The page as it is then", **PLACE},
    **HTML_PROBLEMS,
}


async def answer_form(
    request: Request,
    form: type[Form],
    change: Callable[[Form], Awaitable[str]],
    respond: Callable[[Problem], Awaitable[Response]],
) -> Response:
    """Lead to where `change` says that a form leads; any error is the page that `respond` makes of it."""
    try:
        location = await change(form.model_validate(parse_form(request, await request.body())))
    except Exception as error:
        return await respond(problem_for_people(error))
    return Response(status_code=303, headers={"Location": location})
