"""Every error of a route as a problem."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from esclip._errors import EsclipError, one_line
from esclip._server.problems import Problem, ProblemType, problem_of


def add_error_handlers(api: FastAPI) -> None:
    """Respond to errors with problems."""

    async def to_response(request: Request, error: Exception) -> Response:
        problem = problem_of_request(error)
        if problem.kind is ProblemType.METHOD_NOT_ALLOWED:
            problem.headers["Allow"] = _allowed_methods(request)
        rendered = problem.response(request.state.request, request.url.path)
        headers = {**problem.headers, "Content-Type": rendered.content_type}
        return Response(rendered.body, rendered.status.value, headers)

    for kind in (Exception, *_EXPECTED):
        api.add_exception_handler(kind, to_response)


def _allowed_methods(request: Request) -> str:
    """The methods of all routes of a path: Starlette names those of the first."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    same = [route for route in routes if route.path == routes[0].path]
    return ", ".join(sorted({method for route in same for method in route.methods}))


_EXPECTED = (
    Problem,
    EsclipError,
    ValueError,
    TypeError,
    RequestValidationError,
    ValidationError,
    HTTPException,
)
"""Errors of requests. Any other is answered, too, and then raised to the application, which logs it."""


def problem_of_request(error: Exception) -> Problem:
    """The problem that an error of a route, of its parameters or of its body is."""
    if isinstance(error, HTTPException):
        kinds = {404: ProblemType.NOT_FOUND, 405: ProblemType.METHOD_NOT_ALLOWED, 400: ProblemType.BAD_BODY}
        return Problem(kinds.get(error.status_code, ProblemType.INTERNAL), headers=error.headers)
    if not isinstance(error, RequestValidationError | ValidationError):
        return problem_of(error)
    wrong = error.errors()
    if any(one["type"] == "json_invalid" for one in wrong):
        return Problem(ProblemType.BAD_BODY)
    errors = [
        {
            "pointer": _pointer(error["loc"]),
            "detail": one_line(error["msg"].removeprefix("Value error, "), 200),
        }
        for error in wrong[:20]
    ]
    first = errors[0]
    return Problem(ProblemType.BAD_QUERY, f"{first['pointer']}: {first['detail']}", errors=errors)


def problem_for_people(error: Exception) -> Problem:
    """What is wrong with a request, to be said on a page. Raises an error that is none of the request's."""
    problem = problem_of_request(error)
    if problem.kind is ProblemType.INTERNAL:
        raise error
    return problem


def _pointer(place: Sequence[int | str]) -> str:
    """A JSON pointer (RFC 6901) of a place that pydantic names, with where it was and of which type."""
    left_out = ("body", "query", "path", "str")
    steps = (str(step) for step in place if step not in left_out)
    return "/" + "/".join(step for step in steps if not step.startswith(("list[", "dict[")))
