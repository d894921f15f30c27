"""The routes of the search service."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from esclip import __version__
from esclip._core.types import Hit, document_hit
from esclip._core.urls import is_web_address
from esclip._errors import EsclipError, one_line
from esclip._search.hits import Hits
from esclip._search.query import Query as SearchQuery
from esclip._server import search_messages as messages
from esclip._server.guard import CLOSED_SESSION
from esclip._server.picture_cache import HEIGHTS
from esclip._server.problems import Problem, ProblemType, problem_of
from esclip._server.search_service import SearchService
from esclip.sources import preview_url

FOR_EVER = "private, max-age=31536000, immutable"

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "A problem, as in RFC 9457", "content": {"application/problem+json": {}}},
    "5XX": {"description": "A problem, as in RFC 9457", "content": {"application/problem+json": {}}},
}


def make_routes(service: SearchService) -> FastAPI:
    """The routes, with every error as a problem."""
    api = FastAPI(
        title="esclip",
        version=__version__,
        summary="Finds pictures by what they show.",
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_searches(api, service)
    _add_documents(api, service)
    _add_index(api, service)
    _add_sessions(api, service)
    _add_health(api, service)

    async def to_response(request: Request, error: Exception) -> Response:
        problem = _problem_of(error)
        rendered = problem.response(request.state.request)
        headers = {**problem.headers, "Content-Type": rendered.content_type}
        return Response(rendered.body, rendered.status.value, headers)

    for kind in (Exception, *_EXPECTED):
        api.add_exception_handler(kind, to_response)
    return api


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


def _problem_of(error: Exception) -> Problem:
    """The problem that an error is."""
    if isinstance(error, HTTPException):
        kinds = {404: ProblemType.NOT_FOUND, 405: ProblemType.METHOD_NOT_ALLOWED, 400: ProblemType.BAD_BODY}
        return Problem(kinds.get(error.status_code, ProblemType.INTERNAL), headers=error.headers)
    if not isinstance(error, RequestValidationError | ValidationError):
        return problem_of(error)
    wrong = error.errors()
    if any(one["type"] == "json_invalid" for one in wrong):
        return Problem(ProblemType.BAD_BODY)
    errors = [
        {"pointer": _pointer(error["loc"]), "detail": one_line(error["msg"], 200)} for error in wrong[:20]
    ]
    first = errors[0]
    return Problem(ProblemType.BAD_QUERY, f"{first['pointer']}: {first['detail']}", errors=errors)


def _pointer(place: Sequence[int | str]) -> str:
    """A JSON pointer (RFC 6901) of a place that pydantic names, with where it was and of which type."""
    left_out = ("body", "query", "path", "str", "list[str]")
    return "/" + "/".join(str(step) for step in place if step not in left_out)


def _add_searches(api: FastAPI, service: SearchService) -> None:
    answers: dict[int | str, dict[str, Any]] = {200: {"model": messages.SearchResponse}, **_PROBLEMS}

    @api.get("/v1/search", responses=answers)
    async def search_by_parameters(
        parameters: Annotated[messages.SearchParameters, Query()],
    ) -> Response:
        """Search by parameters of the URL: a text, words, pictures of the index."""
        return await _search(service, parameters.query(), parameters.fields)

    @api.post("/v1/search", responses=answers, openapi_extra={"requestBody": _SEARCH_BODY})
    async def search(request: Request) -> Response:
        """Search by a JSON body; or by a picture as the body, with parameters as for GET."""
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        body = await request.body()
        if kind.startswith("image/"):
            _check_picture(body)
            parameters = messages.SearchParameters.model_validate(_parameters_of(request))
            return await _search(service, parameters.query(body), parameters.fields)
        wanted = messages.SearchRequest.model_validate(_json(kind, body))
        return await _search(service, wanted.query(), wanted.fields)

    @api.post("/v1/search/batch", responses={200: {"model": messages.BatchResponse}, **_PROBLEMS})
    async def search_batch(wanted: messages.BatchRequest) -> Response:
        """Search by several queries at once: encoded together, sent to the store together."""
        queries = [one.query(f"/queries/{number}") for number, one in enumerate(wanted.queries)]
        began = time.perf_counter()
        results = await service.searches.run(service.index.search_many, queries)
        took = _took(service, results[0], began)  # that of all, which were searched together
        show_paths = service.options.show_paths
        rendered = [
            messages.render_hits(hits, query, fields=one.fields, show_paths=show_paths, took=took)
            for hits, query, one in zip(results, queries, wanted.queries, strict=True)
        ]
        return _json_response({"results": rendered}, took)


def _add_documents(api: FastAPI, service: SearchService) -> None:
    show_paths = service.options.show_paths

    @api.get(
        "/v1/documents/{id:path}/similar", responses={200: {"model": messages.SearchResponse}, **_PROBLEMS}
    )
    async def similar(
        id: messages.Id, parameters: Annotated[messages.SimilarParameters, Query()]
    ) -> Response:
        """The pictures most like one of the index."""
        return await _search(service, parameters.query(id), parameters.fields)

    @api.get("/v1/documents/{id:path}", responses={200: {"model": messages.DocumentResponse}, **_PROBLEMS})
    async def document(id: messages.Id) -> Response:
        """A picture of the index, by its id."""
        hit = await service.searches.run(_document, service, id)
        return _json_response(messages.render_document(hit, show_paths=show_paths))

    @api.get("/pictures/{id:path}", responses={200: {"content": {"image/jpeg": {}}}, **_PROBLEMS})
    async def picture(
        request: Request,
        id: messages.Id,
        h: Annotated[
            int, Query(ge=1, le=HEIGHTS[-1], description="Pixels; rounded up to 240, 480 or 1080.")
        ] = HEIGHTS[0],
        v: Annotated[str, Query(max_length=64, description="Its version, so that it may be kept.")] = "",
    ) -> Response:
        """A thumbnail of a picture of the index; a redirect where the picture is on the web."""
        height = next(height for height in HEIGHTS if height >= h)
        return await service.pictures.run(
            _picture, service, id, height, request.headers.get("If-None-Match", "")
        )


def _add_index(api: FastAPI, service: SearchService) -> None:
    @api.get("/v1/index", responses=_PROBLEMS)
    async def index() -> Response:
        """What the index holds, and the limits of requests."""
        stats = await service.checks.run(service.index.stats)
        about = {
            "index": stats.index,
            "engine": stats.engine,
            "documents": stats.documents,
            "bytes": stats.bytes,
            "encoder": Path(stats.encoder).name if Path(stats.encoder).is_absolute() else stats.encoder,
            "dimension": stats.dimension,
            "fields": [{"name": field.name, "type": field.type.value} for field in stats.fields],
            "labels": list(stats.labels),
            "targets": ["pictures", *stats.parts],
            "limits": {
                "k": messages.MAX_K,
                "offset_and_k": messages.MAX_DEPTH,
                "queries": messages.MAX_QUERIES,
                "parts": messages.MAX_PARTS,
                "text_characters": messages.MAX_TEXT,
                "picture_bytes": messages.MAX_PICTURE_BYTES,
            },
        }
        return _json_response(about)

    @api.get("/problems/{slug}", responses=_PROBLEMS)
    async def problem(slug: str) -> Response:
        """What a kind of problem means, and what to do about it."""
        kind = next((kind for kind in ProblemType if kind.slug == slug), None)
        if kind is None:
            raise Problem(ProblemType.NOT_FOUND)
        status, title, advice = kind.value
        return Response(f"{status.value} {title}\n\n{advice}\n", media_type="text/plain")


def _add_sessions(api: FastAPI, service: SearchService) -> None:
    @api.post("/session", status_code=204, responses=_PROBLEMS)
    async def open_session(wanted: messages.SessionRequest) -> Response:
        """Exchange the token for a cookie, which a browser sends with pictures, too."""
        return Response(status_code=204, headers={"Set-Cookie": service.guard.open_session(wanted.token)})

    @api.delete("/session", status_code=204, responses=_PROBLEMS)
    async def close_session() -> Response:
        """End the browser's session."""
        return Response(status_code=204, headers={"Set-Cookie": CLOSED_SESSION})


def _add_health(api: FastAPI, service: SearchService) -> None:
    @api.get("/livez", responses=_PROBLEMS)
    async def livez() -> Response:
        """Whether the process runs. Needs no token."""
        return Response("ok\n", media_type="text/plain")

    @api.get("/readyz", responses=_PROBLEMS)
    async def readyz() -> Response:
        """Whether searches are answered: the store is there, and the index has documents."""
        if service.stopping:
            raise Problem(ProblemType.OVERLOADED, "the server is stopping")
        try:
            stats = await service.checks.run(service.index.stats)
        except EsclipError as error:
            raise Problem(ProblemType.STORE_UNAVAILABLE) from error
        if not stats.documents:
            raise Problem(ProblemType.STORE_UNAVAILABLE, "the index is empty")
        return Response("ok\n", media_type="text/plain")

    @api.get("/metrics", responses=_PROBLEMS)
    async def metrics() -> Response:
        """Counts and times of requests, for Prometheus."""
        rendered = service.metrics.response()
        return Response(rendered.body, headers={"Content-Type": rendered.content_type})


async def _search(service: SearchService, query: SearchQuery, fields: list[str] | None) -> Response:
    began = time.perf_counter()
    hits = await service.searches.run(service.index.search, query)
    took = _took(service, hits, began)
    rendered = messages.render_hits(
        hits, query, fields=fields, show_paths=service.options.show_paths, took=took
    )
    return _json_response(rendered, took)


def _took(service: SearchService, hits: Hits, began: float) -> dict[str, float]:
    """Milliseconds of the stages, which are counted as metrics, and of all since `began`."""
    for stage, seconds in hits.took.items():
        service.metrics.observe_stage(stage, seconds)
    stages = {"encode": 0.0, "store": 0.0, **hits.took, "total": time.perf_counter() - began}
    return {stage: round(1000 * value, 2) for stage, value in stages.items()}


def _json_response(value: Any, took: dict[str, float] | None = None) -> Response:
    headers = {"Cache-Control": "no-store"}
    if took:
        headers["Server-Timing"] = ", ".join(f"{stage};dur={value:g}" for stage, value in took.items())
    return Response(orjson.dumps(value), media_type="application/json", headers=headers)


def _json(kind: str, body: bytes) -> Any:
    if kind != "application/json":
        raise Problem(ProblemType.UNSUPPORTED_TYPE)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Problem(ProblemType.BAD_BODY) from None


def _check_picture(body: bytes) -> None:
    if len(body) > messages.MAX_PICTURE_BYTES:
        raise Problem(ProblemType.TOO_LARGE, f"a picture has at most {messages.MAX_PICTURE_BYTES} bytes")


def _parameters_of(request: Request) -> dict[str, Any]:
    """The parameters of a URL: those that may be repeated as lists."""
    listed = {"where", "like", "unlike", "targets", "fields"}
    given = request.query_params
    return {name: given.getlist(name) if name in listed else given[name] for name in given}


def _document(service: SearchService, id: str) -> Hit:
    """A document by its id. Raises `Problem` for one that the index lacks."""
    documents = service.index.get(id)
    if not documents:
        raise Problem(ProblemType.UNKNOWN_DOCUMENT)
    return document_hit(documents[0], 0.0)


def _picture(service: SearchService, id: str, height: int, known: str) -> Response:
    """The thumbnail of a document, by its id alone: no request names a file."""
    hit = _document(service, id)
    if is_web_address(hit.location):
        return RedirectResponse(preview_url(hit.location, height), 302)
    etag = f'"{hit.content[:24]}-{height}"' if hit.content else ""
    if etag and etag in known:
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": FOR_EVER})
    data = service.cache.thumbnail(Path(hit.location), hit.content or "", height)
    if data is None:
        raise Problem(ProblemType.UNKNOWN_DOCUMENT, "its file is not there any more, or is another")
    return Response(data, media_type="image/jpeg", headers={"ETag": etag, "Cache-Control": FOR_EVER})


_SEARCH_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/SearchRequest"}},
        "image/*": {"schema": {"type": "string", "format": "binary"}},
    },
}
