"""Searches: by parameters, by JSON, by a picture, several at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from starlette.responses import Response

from esclip._errors import FieldNotFound
from esclip._search.hits import Hits
from esclip._search.query import ImageQuery
from esclip._search.query import Query as IndexQuery
from esclip._server import search_messages as messages
from esclip._server.problems import Problem, ProblemType
from esclip._server.routes.bodies import content_type, parse_json
from esclip._server.routes.responses import (
    PROBLEMS,
    facets_of_query,
    json_response,
    milliseconds,
    respond_to_query,
)
from esclip._server.routes.url_pictures import fetched_pictures
from esclip._server.search_service import SearchService


def add_searches(api: FastAPI, service: SearchService) -> None:
    answers: dict[int | str, dict[str, Any]] = {200: {"model": messages.SearchResponse}, **PROBLEMS}

    @api.get("/v1/search", responses=answers)
    async def search_by_parameters(
        parameters: Annotated[messages.SearchParameters, Query()],
    ) -> Response:
        """Search by parameters of the URL: a text, words, pictures of the index."""
        return await respond_to_query(service, parameters.query(), parameters.fields, parameters.facets)

    @api.post("/v1/search", responses=answers, openapi_extra={"requestBody": _SEARCH_BODY})
    async def search(request: Request) -> Response:
        """Search by a JSON body; or by a picture as the body, with parameters as for GET."""
        body = await request.body()
        if content_type(request).startswith("image/"):
            _check_picture(body)
            parameters = messages.SearchParameters.model_validate(_parameters_of(request))
            return await respond_to_query(
                service, parameters.query(ImageQuery(body)), parameters.fields, parameters.facets
            )
        wanted = messages.SearchRequest.model_validate(parse_json(request, body))
        async with fetched_pictures(service, wanted.urls()) as fetched:
            return await respond_to_query(service, wanted.query(fetched), wanted.fields, wanted.facets)

    @api.post("/v1/search/batch", responses={200: {"model": messages.BatchResponse}, **PROBLEMS})
    async def search_batch(wanted: messages.BatchRequest) -> Response:
        """Search by several queries at once: encoded together, sent to the store together."""
        pointers = [f"/queries/{number}" for number in range(len(wanted.queries))]
        numbered = list(zip(wanted.queries, pointers, strict=True))
        urls = {url: place for one, pointer in numbered for url, place in one.urls(pointer).items()}
        async with fetched_pictures(service, urls) as fetched:
            queries = [one.query(fetched, pointer) for one, pointer in numbered]
            began = time.perf_counter()
            shown, results, counts = await service.searches.run(_search_many, service, queries, wanted)
        took = milliseconds(service, results[0], began)  # that of all, which were searched together
        show_paths = service.options.show_paths
        rendered = [
            messages.render_hits(hits, query, fields=fields, show_paths=show_paths, took=took) | counted
            for hits, query, fields, counted in zip(results, queries, shown, counts, strict=True)
        ]
        return json_response({"results": rendered}, took)


def _search_many(
    service: SearchService, queries: Sequence[IndexQuery], wanted: messages.BatchRequest
) -> tuple[list[list[str] | None], list[Hits], list[dict[str, Any]]]:
    """The fields that each query asks for, its hits, and its facets."""
    shown = [
        service.require_fields(one.fields, f"queries/{number}/fields")
        for number, one in enumerate(wanted.queries)
    ]
    try:
        results = service.index.search_many(queries)
    except FieldNotFound as error:
        error.argument = f"queries/{error.query}/{error.argument}"
        raise
    counts = [
        facets_of_query(service, query, one.facets, f"queries/{number}/")
        for number, (query, one) in enumerate(zip(queries, wanted.queries, strict=True))
    ]
    return shown, results, counts


def _check_picture(body: bytes) -> None:
    if len(body) > messages.MAX_PICTURE_BYTES:
        raise Problem(ProblemType.TOO_LARGE, f"a picture has at most {messages.MAX_PICTURE_BYTES} bytes")


def _parameters_of(request: Request) -> dict[str, Any]:
    """The parameters of a URL: those that may be repeated as lists."""
    listed = {"where", "like", "unlike", "targets", "fields", "facets"}
    given = request.query_params
    return {name: given.getlist(name) if name in listed else given[name] for name in given}


_SEARCH_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/SearchRequest"}},
        "image/*": {"schema": {"type": "string", "format": "binary"}},
    },
}
