"""Tools for agents, by the Model Context Protocol over HTTP: only where the server is started with them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from esclip._server.routes.responses import PROBLEMS
from esclip._server.search_service import SearchService


def add_agents(api: FastAPI, service: SearchService) -> None:
    if not service.options.agents:
        return
    from esclip._server.agents.server import AgentServer
    from esclip._server.agents.tools import AgentTools

    tools = AgentTools(service.index, show_paths=service.options.show_paths, thumbnails=service.thumbnails)
    server = AgentServer(tools, service.searches.run)

    class _Answer(Response):
        """What the protocol's library answers, to the request that it reads itself."""

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await server.respond(scope, receive, send)

    @api.post("/mcp", response_class=_Answer, responses=_ANSWERS, openapi_extra={"requestBody": _BODY})
    async def mcp() -> Response:
        """Answer one message of an agent: JSON-RPC 2.0, as the Model Context Protocol has it."""
        return _Answer()


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": {"type": "object"}}}},
    202: {"description": "A notification, to which there is no answer"},
    **PROBLEMS,
}
_BODY = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
