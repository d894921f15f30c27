"""Thumbnails of documents, by their ids alone: no request names a file."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query, Request
from starlette.responses import RedirectResponse, Response

from esclip._core.types import PICTURE
from esclip._core.urls import is_web_address
from esclip._images.thumbnail_cache import HEIGHTS, thumbnail
from esclip._server import search_messages as messages
from esclip._server.problems import Problem, ProblemType
from esclip._server.routes.responses import PROBLEMS, document_hit_of
from esclip._server.search_service import SearchService
from esclip.sources import preview_url

FOR_EVER = "private, max-age=31536000, immutable"


def add_pictures(api: FastAPI, service: SearchService) -> None:
    @api.get("/pictures/{id:path}", responses={200: {"content": {"image/jpeg": {}}}, **PROBLEMS})
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


def _picture(service: SearchService, id: str, height: int, known: str) -> Response:
    """The thumbnail of a document, by its id alone: no request names a file."""
    hit = document_hit_of(service, id)
    if hit.kind != PICTURE:
        raise Problem(ProblemType.UNKNOWN_DOCUMENT, "it is a text, of which there is no picture")
    if is_web_address(hit.location):
        return RedirectResponse(preview_url(hit.location, height), 302)
    etag = f'"{hit.content[:24]}-{height}"' if hit.content else ""
    if etag and etag in known:
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": FOR_EVER})
    small = thumbnail(hit, height, service.thumbnails)
    if small is None:
        raise Problem(ProblemType.UNKNOWN_DOCUMENT, "its file is not there any more, or is another")
    return Response(small.jpeg, media_type="image/jpeg", headers={"ETag": etag, "Cache-Control": FOR_EVER})
