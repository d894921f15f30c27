"""Whether the process runs and searches are answered, what is in work, metrics."""

from __future__ import annotations

import time
from typing import Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse, Response

from esclip import __version__
from esclip._errors import EsclipError, IndexNotFound
from esclip._server.problems import Problem, ProblemType, problem_of
from esclip._server.routes.responses import PROBLEMS, json_response
from esclip._server.search_service import SearchService


class HealthResponse(BaseModel):
    """How the service is."""

    status: Literal["ok"]
    version: str
    documents: int
    seconds: int = Field(description="Since it was started.")
    searches: int = Field(description="Those that run and those that wait.")
    max_searches: int
    jobs: int = Field(description="Those that run and those that wait.")


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
        await _count_where_ready(service)
        return Response("ok\n", media_type="text/plain")

    @api.get("/health", responses={200: {"model": HealthResponse}, **PROBLEMS})
    async def health() -> Response:
        """The same with what is in work; 503 where searches are not answered."""
        documents = await _count_where_ready(service)
        answer = HealthResponse(
            status="ok",
            version=__version__,
            documents=documents,
            seconds=round(time.monotonic() - service.began),
            searches=service.searches.calls,
            max_searches=service.options.threads + service.options.max_waiting,
            jobs=service.jobs.running,
        )
        return json_response(answer.model_dump())

    @api.get("/metrics", response_class=PlainTextResponse, responses=PROBLEMS)
    async def metrics() -> Response:
        """Counts and times of requests, for Prometheus."""
        rendered = service.metrics.response()
        return Response(rendered.body, headers={"Content-Type": rendered.content_type})


async def _count_where_ready(service: SearchService) -> int:
    """How many documents the index holds. Raises `Problem` where searches are not answered."""
    if service.stopping:
        raise Problem(ProblemType.OVERLOADED, "the server is stopping")
    try:
        documents = (await service.checks.run(service.index.stats)).documents
    except IndexNotFound:
        documents = 0
    except EsclipError as error:
        raise Problem(ProblemType.STORE_UNAVAILABLE, problem_of(error).detail) from error
    if not documents and not service.options.writable:
        raise Problem(ProblemType.STORE_UNAVAILABLE, "the index is empty")
    return documents
