"""Sessions of browsers, which send no header with pictures."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import Response

from esclip._server import search_messages as messages
from esclip._server.guard import CLOSED_SESSION
from esclip._server.routes.responses import PROBLEMS
from esclip._server.search_service import SearchService


def add_sessions(api: FastAPI, service: SearchService) -> None:
    @api.post("/session", status_code=204, responses=PROBLEMS)
    async def open_session(wanted: messages.SessionRequest) -> Response:
        """Exchange the token for a cookie, which a browser sends with pictures, too."""
        return Response(status_code=204, headers={"Set-Cookie": service.guard.open_session(wanted.token)})

    @api.delete("/session", status_code=204, responses=PROBLEMS)
    async def close_session() -> Response:
        """End the browser's session."""
        return Response(status_code=204, headers={"Set-Cookie": CLOSED_SESSION})
