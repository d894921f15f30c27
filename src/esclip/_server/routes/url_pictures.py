"""The pictures of the URLs in a request, fetched before its query is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from anyio import to_thread

from esclip._server import search_messages as messages
from esclip._server.problems import Problem, ProblemType
from esclip._server.search_service import SearchService


@asynccontextmanager
async def fetched_pictures(
    service: SearchService, urls: Mapping[str, str]
) -> AsyncIterator[dict[str, bytes]]:
    """Context manager: the pictures of URLs, by URL; while it lasts, few other requests have some.

    `urls` are JSON pointers by URL. Raises `Problem`.
    """
    if not urls:
        yield {}
        return
    fetcher, pointers = service.options.urls, [*urls.values()]
    if fetcher is None:
        refused = "this server fetches no pictures by URL; send their bytes as image"
        raise Problem(ProblemType.BAD_QUERY, refused, errors=_errors(pointers, refused))
    if len(urls) > messages.MAX_URLS:
        many = f"at most {messages.MAX_URLS} pictures are fetched for a request"
        raise Problem(ProblemType.BAD_QUERY, many, errors=_errors(pointers[messages.MAX_URLS :], many))
    async with service.url_turns.turn():
        yield await to_thread.run_sync(fetcher.fetch_all, urls)


def _errors(pointers: list[str], detail: str) -> list[dict[str, str]]:
    return [{"pointer": pointer, "detail": detail} for pointer in pointers[:20]]
