"""What routes respond with: JSON with its times, and problems as OpenAPI describes them."""

from __future__ import annotations

import time
from typing import Any

import orjson
from starlette.responses import Response

from esclip._core.types import Hit, document_hit
from esclip._search.hits import Hits
from esclip._search.query import Query
from esclip._server import search_messages as messages
from esclip._server.problems import Problem, ProblemType
from esclip._server.search_service import SearchService

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "A problem, as in RFC 9457", "content": {"application/problem+json": {}}},
    "5XX": {"description": "A problem, as in RFC 9457", "content": {"application/problem+json": {}}},
}


async def respond_to_query(service: SearchService, query: Query, fields: list[str] | None) -> Response:
    """Search for a query in a thread of the searches; `fields` of the metadata are sent."""
    began = time.perf_counter()
    hits = await service.searches.run(service.index.search, query)
    took = milliseconds(service, hits, began)
    rendered = messages.render_hits(
        hits, query, fields=fields, show_paths=service.options.show_paths, took=took
    )
    return json_response(rendered, took)


def milliseconds(service: SearchService, hits: Hits, began: float) -> dict[str, float]:
    """Milliseconds of the stages, which are counted as metrics, and of all since `began`."""
    for stage, seconds in hits.took.items():
        service.metrics.observe_stage(stage, seconds)
    stages = {"encode": 0.0, "store": 0.0, **hits.took, "total": time.perf_counter() - began}
    return {stage: round(1000 * value, 2) for stage, value in stages.items()}


def json_response(value: Any, took: dict[str, float] | None = None) -> Response:
    """A value as JSON; with the milliseconds of its stages as `Server-Timing`."""
    headers = {"Cache-Control": "no-store"}
    if took:
        headers["Server-Timing"] = ", ".join(f"{stage};dur={value:g}" for stage, value in took.items())
    return Response(orjson.dumps(value), media_type="application/json", headers=headers)


def document_hit_of(service: SearchService, id: str) -> Hit:
    """A document by its id. Raises `Problem` for one that the index lacks."""
    documents = service.index.get(id)
    if not documents:
        raise Problem(ProblemType.UNKNOWN_DOCUMENT)
    return document_hit(documents[0], 0.0)
