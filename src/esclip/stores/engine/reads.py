"""Documents by id, vectors by the bytes of their pictures, the location of every document, deletes.

Searches see what the last refresh has made visible; documents by id are found at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import orjson

from esclip._core.types import Vector
from esclip._errors import StoreUnavailable
from esclip.stores.engine.answers import (
    Malformed,
    found_of,
    further,
    hits_of,
    integer_of,
    list_of,
    object_of,
    text_of,
)
from esclip.stores.engine.bulk_errors import kind_of, reason_text
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.errors import index_missing
from esclip.stores.engine.vectors import decode_vectors

__all__ = ["delete_documents", "documents_of", "every_location", "vectors_of"]

T = TypeVar("T")

PAGE = 5_000
GONE = (200, 404)
STATUSES = {"filter_path": "items.*.status"}
WHOLE = {"allow_partial_search_results": "false"}
"""Without it, what a shard that fails holds is missing, and nobody is told."""


def documents_of(
    client: EngineClient, ids: Sequence[str], read: Callable[[list[Any]], dict[str, T]], **options: Any
) -> dict[str, T]:
    """What `read` makes of those of the documents that are held. Ids go in the body: some break a URL."""

    def found(answer: Any) -> dict[str, T]:
        for error in (one["error"] for one in list_of(answer, "docs") if "error" in object_of(one)):
            if kind_of(error) == "index_not_found_exception":
                raise index_missing(client.address, client.index)
            raise StoreUnavailable(f"{client.address} can't read index {client.index}: {reason_text(error)}")
        return read(found_of(answer, asked))

    if not ids:
        return {}
    asked = list(dict.fromkeys(ids))
    return client.ask(client.raw.mget, read=found, index=client.index, body={"ids": asked}, **options)


def vectors_of(client: EngineClient, contents: Sequence[str], dim: int) -> dict[str, Vector]:
    """The vector of one document for each content fingerprint that is held."""
    if not contents:
        return {}
    body = {
        "size": len(contents),
        "query": {"terms": {"content_fingerprint": list(contents)}},
        "collapse": {"field": "content_fingerprint"},
        "_source": {"includes": ["content_fingerprint", "vector"]},  # named, or newer engines leave it out
    }

    def read(answer: Any) -> dict[str, Vector]:
        sources = [object_of(hit, "_source") for hit in hits_of(answer)]
        vectors = decode_vectors([source["vector"] for source in sources], dim)
        names = [text_of(source, "content_fingerprint") for source in sources]
        return dict(zip(names, vectors, strict=True))

    return client.ask(client.raw.search, read=read, index=client.index, body=body, params=WHOLE)


def every_location(client: EngineClient) -> Iterator[tuple[str, str]]:
    """Id and location of every document, in the order of the ids."""
    body: dict[str, Any] = {
        "size": PAGE,
        "query": {"match_all": {}},
        "sort": [{"id": "asc"}],
        "_source": ["location"],
        "track_total_hits": False,
    }

    def read(answer: Any) -> tuple[list[tuple[str, str]], list[Any]]:
        hits = hits_of(answer)
        found = [(hit["_id"], text_of(hit, "_source", "location")) for hit in hits]
        return found, further(hits, PAGE, body.get("search_after"))

    after: list[Any] = [None]
    while after:
        found, after = client.ask(client.raw.search, read=read, index=client.index, body=body, params=WHOLE)
        yield from found
        body["search_after"] = after


def delete_documents(client: EngineClient, ids: Sequence[str]) -> None:
    """Remove documents in one bulk request, which is sent again until all of them are gone."""
    if not ids:
        return
    payload = b"".join(orjson.dumps({"delete": {"_id": id}}) + b"\n" for id in ids)

    def deleted(answer: Any) -> None:
        statuses = [integer_of(item, "delete", "status") for item in list_of(answer, "items")]
        if len(statuses) != len(ids):
            raise Malformed(f"{len(statuses)} items where {len(ids)} were sent")
        if failed := [status for status in statuses if status not in GONE]:
            raise StoreUnavailable(
                f"{client.address} did not delete {len(failed)} documents of index {client.index} "
                f"(status {failed[0]}); run the same command again."
            )

    client.ask(
        client.raw.bulk, client.timeouts.write, deleted, index=client.index, body=payload, params=STATUSES
    )
