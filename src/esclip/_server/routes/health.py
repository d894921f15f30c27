"""Whether the process runs and searches are answered; metrics."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import PlainTextResponse, Response

from esclip._errors import EsclipError, IndexNotFound
from esclip._server.problems import Problem, ProblemType
from esclip._server.routes.responses import PROBLEMS
from esclip._server.search_service import SearchService


def add_health(api: FastAPI, service: SearchService) -> None:
    @api.get("/livez", response_class=PlainTextResponse, responses=PROBLEMS)
    async def livez() -> Response:
        """Whether the process runs. Needs no token."""
        return Response("ok\n", media_type="text/plain")

    @api.get("/readyz", response_class=PlainTextResponse, responses=PROBLEMS)
    async def readyz() -> Response:
        """Whether searches are answered: the store is there, and the index has documents.

        One that may be written to is ready without documents: they may come from nowhere else.
        """
        if service.stopping:
            raise Problem(ProblemType.OVERLOADED, "the server is stopping")
        try:
            documents = (await service.checks.run(service.index.stats)).documents
        except IndexNotFound:
            documents = 0
        except EsclipError as error:
            raise Problem(ProblemType.STORE_UNAVAILABLE) from error
        if not documents and not service.options.writable:
            raise Problem(ProblemType.STORE_UNAVAILABLE, "the index is empty")
        return Response("ok\n", media_type="text/plain")

    @api.get("/metrics", response_class=PlainTextResponse, responses=PROBLEMS)
    async def metrics() -> Response:
        """Counts and times of requests, for Prometheus."""
        rendered = service.metrics.response()
        return Response(rendered.body, headers={"Content-Type": rendered.content_type})
