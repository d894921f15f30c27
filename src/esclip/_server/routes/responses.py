"""What routes respond with: JSON with its times, and problems as OpenAPI describes them."""

from __future__ import annotations

import time
from typing import Any, Literal

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from esclip._core.types import Hit, document_hit
from esclip._errors import FieldNotFound
from esclip._search.hits import Hits
from esclip._search.options import FACET_VALUES, Where
from esclip._search.query import Query
from esclip._server import search_messages as messages
from esclip._server.facet_messages import render_facets
from esclip._server.http import JSON
from esclip._server.problems import PROBLEM_JSON, Problem, ProblemType
from esclip._server.search_service import SearchService

TABLE = "text/tab-separated-values"

PROBLEM: dict[str, Any] = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemResponse"}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "A problem, as in RFC 9457", "content": PROBLEM},
    "5XX": {"description": "A problem, as in RFC 9457; 503 with Retry-After", "content": PROBLEM},
}

PLACE: dict[str, Any] = {"headers": {"Location": {"schema": {"type": "string"}}}}
"""What leads elsewhere has."""


async def respond_to_query(
    service: SearchService, query: Query, fields: list[str] | None, facets: list[str] | None = None
) -> Response:
    """Search for a query in a thread of the searches; `fields` of the metadata are sent, `facets` counted."""

    def search() -> tuple[list[str] | None, Hits, dict[str, Any]]:
        shown = service.require_fields(fields, "fields")
        hits = service.index.search(query)
        return shown, hits, facets_of_query(service, query, facets)

    began = time.perf_counter()
    shown, hits, counts = await service.searches.run(search)
    took = milliseconds(service, hits, began)
    rendered = messages.render_hits(
        hits, query, fields=shown, show_paths=service.options.show_paths, took=took
    )
    return json_response(rendered | counts, took)


def facets_of_query(
    service: SearchService, query: Query, facets: list[str] | None, pointer: str = ""
) -> dict[str, Any]:
    """The facets that are sent with the hits of a query; empty where it asks for none."""
    if facets is None:
        return {}
    return count_facets(service, facets, query.options["where"], pointer=f"{pointer}facets")


def count_facets(
    service: SearchService,
    fields: list[str] | None,
    where: Where | None,
    *,
    limit: int = FACET_VALUES.default,
    pointer: str = "fields",
) -> dict[str, Any]:
    """Facets as the service sends them. Raises `Problem` for a field that it does not show.

    `pointer` is where the request has the names.
    """
    for number, name in enumerate(fields or ()):
        service.require_shown(name, f"{pointer}/{number}")
    try:
        facets = service.index.facets(fields, where, limit)
    except FieldNotFound as error:
        error.argument = error.argument.replace("fields", pointer)
        raise
    return render_facets(facets, show_paths=service.options.show_paths)


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


def list_answers(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """What a route that sends a list as a file responds with; `model` is what the JSON of it has."""
    return {200: {"model": model, "content": {TABLE: {"schema": {"type": "string"}}}}, **PROBLEMS}


def list_response(body: bytes | str, name: str, format: Literal["tsv", "json"]) -> Response:
    """A list as a file that a browser saves."""
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}.{format}"'}
    kind = JSON if format == "json" else f"{TABLE}; charset=utf-8"
    return Response(body, headers=headers, media_type=kind)
