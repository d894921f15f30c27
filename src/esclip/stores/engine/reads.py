"""Reads documents by id, vectors by content and all locations; deletes documents.

Searches see what the last refresh has made visible; reads by id see every write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import orjson

from esclip._core.types import Vector
from esclip._errors import StoreUnavailable
from esclip._errors.counts import pluralize
from esclip.stores.engine import answers
from esclip.stores.engine.bulk_errors import error_type, reason_text
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.dialects import decode_vectors
from esclip.stores.engine.errors import index_missing

T = TypeVar("T")

SCAN_PAGE = 5_000
DELETED_STATUSES = (200, 404)
STATUS_ONLY = {"filter_path": "items.*.status"}
NO_PARTIAL_RESULTS = {"allow_partial_search_results": "false"}
"""Without it, documents of a failed shard are silently missing."""


def read_documents(
    client: EngineClient, ids: Sequence[str], read: Callable[[list[Any]], dict[str, T]], **options: Any
) -> dict[str, T]:
    """Parse existing documents by `read`. Ids go in the body: some break a URL."""

    def read_answer(answer: Any) -> dict[str, T]:
        for error in (
            doc["error"] for doc in answers.get_list(answer, "docs") if "error" in answers.get_object(doc)
        ):
            if error_type(error) == "index_not_found_exception":
                raise index_missing(client.address, client.index)
            raise StoreUnavailable(
                f"{client.address} can't read index {client.index!r}: {reason_text(error)}"
            )
        return read(answers.get_found(answer, len(ids)))

    if not ids:
        return {}
    return client.request(client.raw.mget, read=read_answer, index=client.index, body={"ids": ids}, **options)


def read_vectors(client: EngineClient, contents: Sequence[str], dim: int) -> dict[str, Vector]:
    """The vector of one document per content."""
    if not contents:
        return {}
    body = {
        "size": len(contents),
        "query": {"terms": {"content_fingerprint": list(contents)}},
        "collapse": {"field": "content_fingerprint"},
        "_source": {"includes": ["content_fingerprint", "vector"]},  # newer engines leave out unnamed vectors
    }

    def read(answer: Any) -> dict[str, Vector]:
        sources = [answers.get_object(hit, "_source") for hit in answers.get_hits(answer)]
        vectors = decode_vectors([source["vector"] for source in sources], dim)
        contents = [answers.get_text(source, "content_fingerprint") for source in sources]
        return dict(zip(contents, vectors, strict=True))

    return client.request(
        client.raw.search, read=read, index=client.index, body=body, params=NO_PARTIAL_RESULTS
    )


def scan_locations(client: EngineClient) -> Iterator[tuple[str, str]]:
    """Id and location of every document, ordered by id."""
    body: dict[str, Any] = {
        "size": SCAN_PAGE,
        "query": {"match_all": {}},
        "sort": [{"id": "asc"}],
        "_source": ["location"],
        "track_total_hits": False,
    }

    def read(answer: Any) -> tuple[list[tuple[str, str]], list[Any]]:
        hits = answers.get_hits(answer)
        locations = [(hit["_id"], answers.get_text(hit, "_source", "location")) for hit in hits]
        return locations, answers.next_page(hits, SCAN_PAGE, body.get("search_after"))

    after: list[Any] = [None]
    while after:
        locations, after = client.request(
            client.raw.search, read=read, index=client.index, body=body, params=NO_PARTIAL_RESULTS
        )
        yield from locations
        body["search_after"] = after


def delete_documents(client: EngineClient, ids: Sequence[str]) -> None:
    """Delete documents in one bulk request, retried until all are deleted."""
    if not ids:
        return
    payload = b"".join(orjson.dumps({"delete": {"_id": id}}) + b"\n" for id in ids)

    def check(answer: Any) -> None:
        statuses = [answers.get_count(item, "delete", "status") for item in answers.get_list(answer, "items")]
        if len(statuses) != len(ids):
            raise answers.Malformed(f"{pluralize(len(statuses), 'item')} for {len(ids)}")
        if failed := [status for status in statuses if status not in DELETED_STATUSES]:
            raise StoreUnavailable(
                f"{client.address} did not delete {pluralize(len(failed), 'document')} of index "
                f"{client.index!r} (status {failed[0]}); run the same command again"
            )

    client.request(
        client.raw.bulk, client.timeouts.write, check, index=client.index, body=payload, params=STATUS_ONLY
    )
