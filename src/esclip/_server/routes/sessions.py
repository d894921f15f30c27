"""Sessions of browsers, which send no header with pictures."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import Response

from esclip._server import search_messages as messages
from esclip._server.guard import CLOSED_SESSION
from esclip._server.page.login import FORM, login_response, page_location
from esclip._server.problems import Problem, ProblemType
from esclip._server.routes.bodies import content_type, parse_form, parse_json
from esclip._server.routes.responses import PLACE, PROBLEM, PROBLEMS
from esclip._server.search_service import SearchService

MAX_LOGIN_FIELDS = 8
"""Of the form that asks for the token, which has two: whoever sends it is not known yet."""
MAX_LOGIN_BYTES = 1 << 16


def add_sessions(api: FastAPI, service: SearchService) -> None:
    @api.post(
        "/session", status_code=204, responses=_SESSION_ANSWERS, openapi_extra={"requestBody": _SESSION_BODY}
    )
    async def open_session(request: Request) -> Response:
        """Exchange the token for a cookie, which a browser sends with pictures, too."""
        body = await request.body()
        if content_type(request) == FORM:
            return _open_by_form(service, request, body)
        wanted = messages.SessionRequest.model_validate(parse_json(request, body))
        return Response(status_code=204, headers={"Set-Cookie": service.guard.open_session(wanted.token)})

    @api.delete("/session", status_code=204, responses=PROBLEMS)
    async def close_session() -> Response:
        """End the browser's session."""
        return Response(status_code=204, headers={"Set-Cookie": CLOSED_SESSION})


def _open_by_form(service: SearchService, request: Request, body: bytes) -> Response:
    """Lead a browser to the page, or to the form again."""
    form = parse_form(request, body, max_fields=MAX_LOGIN_FIELDS, max_bytes=MAX_LOGIN_BYTES)
    if "token" not in form:
        raise Problem(ProblemType.BAD_BODY, "the form has no token")
    query = form.get("next", "")
    try:
        cookie = service.guard.open_session(form["token"])
    except Problem:
        again, headers = login_response(query, failed=True)
        return Response(again.body, again.status.value, headers, again.content_type)
    return Response(status_code=303, headers={"Set-Cookie": cookie, "Location": page_location(query)})


_SESSION_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {"schema": messages.SessionRequest.model_json_schema()},
        FORM: {
            "schema": {
                "type": "object",
                "properties": {"token": {"type": "string"}, "next": {"type": "string"}},
                "required": ["token"],
            }
        },
    },
}

_HTML: dict[str, Any] = {"content": {"text/html": {"schema": {"type": "string"}}, **PROBLEM}}
_SESSION_ANSWERS: dict[int | str, dict[str, Any]] = {
    303: {"description": "After a form: the page", **PLACE},
    401: {"description": "Another token; after a form: the form again", **_HTML},
    **PROBLEMS,
}
