"""The page for people, and its styles and scripts."""

from __future__ import annotations

import gzip
import time
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, Response

from esclip._search.query import Clause
from esclip._server import search_messages as messages
from esclip._server.page.address import ASIDE, PageAddress
from esclip._server.page.search_page import SearchPage
from esclip._server.problems import Problem, ProblemType
from esclip._server.routes.errors import problem_of_request
from esclip._server.routes.pictures import FOR_EVER
from esclip._server.routes.responses import PROBLEMS
from esclip._server.routes.url_pictures import fetched_pictures
from esclip._server.search_service import SearchService

HTML_PROBLEMS: dict[int | str, dict[str, Any]] = {
    kind: {**about, "content": {"text/html": {"schema": {"type": "string"}}, **about["content"]}}
    for kind, about in PROBLEMS.items()
}
_ASSET: dict[str, Any] = {
    "content": {kind: {"schema": {"type": "string"}} for kind in ("text/css", "text/javascript")}
}


def add_page(api: FastAPI, service: SearchService) -> None:
    options = service.options
    page = SearchPage(
        service.index,
        service.metrics.observe_stage,
        show_paths=options.show_paths,
        originals=options.originals,
    )

    @api.get("/", response_class=HTMLResponse, responses=HTML_PROBLEMS)
    async def show_page(request: Request) -> Response:
        """The page for people: a search by the parameters of GET /v1/search, and its pictures."""
        return await _respond(service, page, request)

    @api.post("/", response_class=HTMLResponse, responses=HTML_PROBLEMS)
    async def show_page_for_parts(request: Request, wanted: messages.PartsRequest) -> Response:
        """The same for further parts in the body, such as a picture that was dropped onto the page."""
        async with fetched_pictures(service, wanted.urls()) as fetched:
            return await _respond(service, page, request, wanted.clauses(fetched))

    @api.get("/static/{name}", response_class=Response, responses={200: _ASSET, **PROBLEMS})
    async def static(request: Request, name: str, v: str = "") -> Response:
        """A style or a script of the page."""
        asset = page.assets.by_name.get(name)
        if asset is None:
            raise Problem(ProblemType.NOT_FOUND)
        kept = FOR_EVER if v == page.assets.version else "no-cache"
        headers = {"Cache-Control": kept, "Content-Type": asset.content_type, "Vary": "Accept-Encoding"}
        if not _takes_gzip(request):
            return Response(asset.body, headers=headers)
        return Response(asset.gzipped, headers={**headers, "Content-Encoding": "gzip"})


async def _respond(
    service: SearchService, page: SearchPage, request: Request, more: Sequence[Clause] = ()
) -> Response:
    """The page of a request's URL; what is wrong is a page, too."""
    address = PageAddress(request.query_params.multi_items())
    aside = {name: request.query_params[name] for name in ASIDE if name in request.query_params}
    status, headers = 200, {}
    began = time.perf_counter()
    try:
        html = await service.searches.run(page.answer, address, aside, more)
    except Exception as error:
        problem = problem_of_request(error)
        if problem.kind is ProblemType.INTERNAL:
            raise
        html = page.error(address, problem, aside.get("part", ""))
        status, headers = problem.kind.value.status.value, problem.headers
    headers |= {
        "Content-Security-Policy": page.hosts.policy(),
        "Cache-Control": "private, no-cache",
        "Server-Timing": f"total;dur={1000 * (time.perf_counter() - began):.1f}",
    }
    return html_response(request, html, status, headers)


def form_page_response(request: Request, html: str, policy: str, problem: Problem | None) -> Response:
    """A page with forms, and what is wrong where something is."""
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",  # without a referrer a form's Origin is null
    }
    status, more = (problem.kind.value.status.value, problem.headers) if problem else (200, {})
    return html_response(request, html, status, headers | more)


def html_response(request: Request, html: str, status: int, headers: dict[str, str]) -> Response:
    """HTML, compressed for who takes it."""
    body = html.encode("utf-8", "replace")
    headers = {**headers, "Vary": "Accept-Encoding"}
    if not _takes_gzip(request):
        return HTMLResponse(body, status, headers)
    return HTMLResponse(gzip.compress(body, 5, mtime=0), status, {**headers, "Content-Encoding": "gzip"})


def _takes_gzip(request: Request) -> bool:
    return "gzip" in request.headers.get("Accept-Encoding", "")
