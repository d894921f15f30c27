"""Documents by id, vectors by the bytes of their pictures, the location of every document, deletes.

Searches see what the last refresh has made visible; documents by id are found at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from esclip._errors import StoreUnavailable
from esclip._types import Vector, unit_rows
from esclip.stores._engine_client import EngineClient
from esclip.stores._engine_errors import index_missing
from esclip.stores._engine_faults import words
from esclip.stores._engine_vectors import kept_vector

__all__ = ["delete_documents", "documents_of", "every_location", "vectors_of"]

PAGE = 5_000
GONE = (200, 404)
STATUSES = {"filter_path": "items.*.status"}
WHOLE = {"allow_partial_search_results": "false"}
"""Without it, what a shard that fails holds is missing, and nobody is told."""


def documents_of(client: EngineClient, ids: Sequence[str], **options: Any) -> list[Any]:
    """Those of the documents that are held. Ids go in the body: some break a URL."""

    def mget(**arguments: Any) -> Any:
        answer = client.raw.mget(**arguments)
        for error in (one["error"] for one in answer["docs"] if "error" in one):
            if error["type"] == "index_not_found_exception":
                raise index_missing(client.address, client.index)
            raise StoreUnavailable(f"{client.address} can't read index {client.index}: {words(error)}")
        return answer

    if not ids:
        return []
    answer = client.ask(mget, index=client.index, body={"ids": ids}, **options)
    return [one for one in answer["docs"] if one["found"]]


def vectors_of(client: EngineClient, contents: Sequence[str]) -> dict[str, Vector]:
    """The vector of one document for each content fingerprint that is held."""
    if not contents:
        return {}
    body = {
        "size": len(contents),
        "query": {"terms": {"content_fingerprint": list(contents)}},
        "collapse": {"field": "content_fingerprint"},
        "_source": {"includes": ["content_fingerprint", "vector"]},  # named, or newer engines leave it out
    }
    answer = client.ask(client.raw.search, index=client.index, body=body, params=WHOLE)
    sources = [hit["_source"] for hit in answer["hits"]["hits"]]
    vectors = unit_rows([kept_vector(source["vector"]) for source in sources]) if sources else ()
    return {source["content_fingerprint"]: row for source, row in zip(sources, vectors, strict=True)}


def every_location(client: EngineClient) -> Iterator[tuple[str, str]]:
    """Id and location of every document, in the order of the ids."""
    body: dict[str, Any] = {
        "size": PAGE,
        "query": {"match_all": {}},
        "sort": [{"id": "asc"}],
        "_source": ["location"],
        "track_total_hits": False,
    }
    while True:
        answer = client.ask(client.raw.search, index=client.index, body=body, params=WHOLE)
        found = answer["hits"]["hits"]
        yield from ((hit["_id"], hit["_source"]["location"]) for hit in found)
        if len(found) < PAGE:
            return
        body["search_after"] = found[-1]["sort"]


def delete_documents(client: EngineClient, ids: Sequence[str]) -> None:
    """Remove documents in one bulk request, which is sent again until all of them are gone."""
    if not ids:
        return
    payload = b"".join(orjson.dumps({"delete": {"_id": id}}) + b"\n" for id in ids)

    def bulk(**arguments: Any) -> None:
        statuses = [item["delete"]["status"] for item in client.raw.bulk(**arguments)["items"]]
        if failed := [status for status in statuses if status not in GONE]:
            raise StoreUnavailable(
                f"{client.address} did not delete {len(failed)} documents of index {client.index} "
                f"(status {failed[0]}); run the same command again."
            )

    client.ask(bulk, client.patience.write, index=client.index, body=payload, params=STATUSES)
