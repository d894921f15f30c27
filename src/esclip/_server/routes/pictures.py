"""Pictures of documents by their ids alone, for no request names a file: thumbnails, and originals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, Query, Request
from starlette.responses import RedirectResponse, Response

from esclip._core.types import PICTURE, Hit
from esclip._core.urls import is_web_address
from esclip._files.buckets import is_bucket_address
from esclip._images.formats import MEDIA_TYPES, ImageFormat, detect_format, file_name_of
from esclip._images.thumbnail_cache import HEIGHTS, thumbnail
from esclip._images.thumbnails import read_indexed
from esclip._search.gallery import file_name
from esclip._server import search_messages as messages
from esclip._server.problems import Problem, ProblemType
from esclip._server.routes.responses import PLACE, PROBLEMS, document_hit_of
from esclip._server.search_service import SearchService
from esclip.sources import preview_url

FOR_EVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"

Version = Annotated[str, Query(max_length=64, description="Its version, so that it may be kept.")]


def _bytes_of(*kinds: str) -> dict[str, Any]:
    """How OpenAPI describes a picture of these types."""
    schema = {"type": "string", "format": "binary"}
    return {
        "headers": {"ETag": {"schema": {"type": "string"}}},
        "content": {k: {"schema": schema} for k in kinds},
    }


_ELSEWHERE: dict[int | str, dict[str, Any]] = {
    302: {"description": "The picture is on the web", **PLACE},
    304: {"description": "It is the one that If-None-Match names"},
}


def add_pictures(api: FastAPI, service: SearchService) -> None:
    if service.options.originals:
        _add_originals(api, service)

    @api.get(
        "/pictures/{id:path}",
        response_class=Response,
        responses={200: _bytes_of("image/jpeg"), **_ELSEWHERE, **PROBLEMS},
    )
    async def picture(
        request: Request,
        id: messages.PathId,
        h: Annotated[
            int, Query(ge=1, le=HEIGHTS[-1], description="Pixels; rounded up to 240, 480 or 1080.")
        ] = HEIGHTS[0],
        v: Version = "",
    ) -> Response:
        """A thumbnail of a picture of the index; a redirect where the picture is on the web."""
        height = next(height for height in HEIGHTS if height >= h)
        etags = request.headers.get("If-None-Match", "")
        return await service.pictures.run(_thumbnail, service, id, height, v, etags)


def _add_originals(api: FastAPI, service: SearchService) -> None:
    @api.get(
        "/pictures/{id:path}/original",
        response_class=Response,
        responses={200: _bytes_of(*MEDIA_TYPES.values()), **_ELSEWHERE, **PROBLEMS},
    )
    async def original(request: Request, id: messages.PathId, v: Version = "") -> Response:
        """A picture of the index with the very bytes that were encoded; a redirect where it is on the web."""
        etags = request.headers.get("If-None-Match", "")
        return await service.pictures.run(_original, service, id, v, etags)


def _thumbnail(service: SearchService, id: str, height: int, version: str, etags: str) -> Response:
    hit = _picture_of(service, id)
    if is_web_address(hit.location):
        return RedirectResponse(preview_url(hit.location, height), 302)
    headers = _caching(hit, str(height), version)
    if headers.get("ETag", '""') in etags:
        return Response(status_code=304, headers=headers)
    small = thumbnail(hit, height, service.thumbnails)
    if small is None:
        raise _is_gone()
    return Response(small.jpeg, media_type="image/jpeg", headers=headers)


def _original(service: SearchService, id: str, version: str, etags: str) -> Response:
    hit = _picture_of(service, id)
    if is_web_address(hit.location):
        return RedirectResponse(hit.location, 302)
    headers = _caching(hit, "original", version)
    if headers.get("ETag", '""') in etags:
        return Response(status_code=304, headers=headers)
    data = read_indexed(Path(hit.location), hit.content or "") if "://" not in hit.location else None
    format = detect_format(data or b"")
    if data is None or format is None:
        raise _is_gone()
    headers["Content-Disposition"] = _disposition(file_name(hit), format)
    return Response(data, media_type=MEDIA_TYPES[format], headers=headers)


def _picture_of(service: SearchService, id: str) -> Hit:
    hit = document_hit_of(service, id)
    if hit.kind != PICTURE:
        raise Problem(ProblemType.UNKNOWN_DOCUMENT, "it is a text, of which there is no picture")
    if is_bucket_address(hit.location):
        raise Problem(ProblemType.UNKNOWN_DOCUMENT, "it is in a bucket, whose pictures are not shown here")
    return hit


def _is_gone() -> Problem:
    return Problem(ProblemType.UNKNOWN_DOCUMENT, "its file is not there any more, or is another")


def _caching(hit: Hit, rendition: str, version: str) -> dict[str, str]:
    """Headers by which a browser keeps a picture: for ever where the URL has its version."""
    if not hit.content:
        return {"Cache-Control": ASK_AGAIN}
    kept = FOR_EVER if version and hit.content.startswith(version) else ASK_AGAIN
    return {"ETag": f'"{hit.content[:24]}-{rendition}"', "Cache-Control": kept}


def _disposition(name: str, format: ImageFormat) -> str:
    """The header that names a file, by RFC 6266: in ASCII, and as it is called."""
    name = file_name_of(name, format)
    plain = "".join(character if character.isalnum() or character in " ._-" else "_" for character in name)
    return f'inline; filename="{plain.encode("ascii", "replace").decode().replace("?", "_")}"; ' + (
        f"filename*=UTF-8''{quote(name, safe='', errors='replace')}"
    )
