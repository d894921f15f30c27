"""Reads documents by id, vectors by content and all locations; deletes documents.

Searches see what the last refresh has made visible; reads by id see every write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import orjson

from esclip._concurrency.streams import batches
from esclip._core.types import Vector
from esclip._errors import StoreUnavailable
from esclip._errors.counts import pluralize
from esclip.stores.engine import answers
from esclip.stores.engine.bulk_errors import error_type, reason_text
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.dialects import decode_vectors
from esclip.stores.engine.errors import index_missing
from esclip.stores.engine.layout import Layout
from esclip.stores.engine.paths import value_at
from esclip.stores.engine.queries import MAX_HITS

T = TypeVar("T")

SCAN_PAGE = 5_000

SEARCHED_IDS = 1_000
"""In one search for them, whose answer has room for ten documents of each."""
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
        found = answers.get_found(answer, len(ids))
        client.require_own(found)
        return read(found)

    if not ids:
        return {}
    return client.request(client.raw.mget, read=read_answer, index=client.index, body={"ids": ids}, **options)


def read_vectors(client: EngineClient, layout: Layout, contents: Sequence[str]) -> dict[str, Vector]:
    """The vector of one document per content."""
    if not contents or not layout.has_words:
        return {}
    content, vector = layout.names.content_fingerprint, layout.names.vector
    body = {
        "size": len(contents),
        "query": {"terms": {content: list(contents)}},
        "collapse": {"field": content},
        "_source": {"includes": [content, vector]},  # newer engines leave out unnamed vectors
    }

    def read(answer: Any) -> dict[str, Vector]:
        hits = _own_hits(client, answer)
        sources = [answers.get_object(hit, "_source") for hit in hits]
        vectors = decode_vectors([value_at(source, vector) for source in sources], layout.schema.space.dim)
        contents = [answers.get_text(source, content) for source in sources]
        return dict(zip(contents, vectors, strict=True))

    return client.request(
        client.raw.search, read=read, index=client.index, body=body, params=NO_PARTIAL_RESULTS
    )


def scan_locations(client: EngineClient, layout: Layout) -> Iterator[tuple[str, str]]:
    """Id and location of every document, ordered by id."""
    names = layout.names
    body: dict[str, Any] = {
        "size": SCAN_PAGE,
        "query": {"bool": {"filter": names.required}},
        "sort": [{names.path(names.id): "asc"}],
        "_source": [names.location, *layout.id_fields],
        "track_total_hits": False,
    }

    def read(answer: Any) -> tuple[list[tuple[str, str]], list[Any]]:
        hits = _own_hits(client, answer)
        locations = [(layout.id_of(hit), answers.get_text(layout.source_of(hit), "location")) for hit in hits]
        return locations, answers.next_page(hits, SCAN_PAGE, body.get("search_after"))

    after: list[Any] = [None]
    while after:
        locations, after = client.request(
            client.raw.search, read=read, index=client.index, body=body, params=NO_PARTIAL_RESULTS
        )
        yield from locations
        body["search_after"] = after


def find_documents(
    client: EngineClient,
    layout: Layout,
    ids: Sequence[str],
    read: Callable[[list[Any]], dict[str, T]],
    fields: Sequence[str],
) -> dict[str, T]:
    """Parse existing documents by `read`, of whose sources it gets these fields.

    In an adopted index, a document's `_id` may be another one than its id. Then it is searched for, among
    what the last refresh has made visible. What esclip writes has its id as `_id`, and is read by that.
    """
    includes = [*fields, *layout.id_fields]
    if not layout.id_fields:
        return read_documents(client, ids, read, _source_includes=",".join(includes))
    found = read_documents(
        client,
        ids,
        lambda documents: read([one for one in documents if layout.id_of(one) == one["_id"]]),
        _source_includes=",".join(includes),
    )
    others = layout.names.id_values(id for id in ids if id not in found)
    for batch in batches(others, SEARCHED_IDS):
        found = _search_ids(client, layout, batch, read, includes) | found
    return found


def document_keys(client: EngineClient, layout: Layout, ids: Sequence[str]) -> dict[str, str]:
    """The `_id` by id: of each document that is there, and the one that a new document gets.

    Ids that are the `_id` of another document are left out.
    """
    keys = {id: id for id in ids}
    if not layout.id_fields:
        return keys
    found = find_documents(
        client, layout, ids, lambda documents: {layout.id_of(one): one["_id"] for one in documents}, ()
    )
    missing = [id for id in ids if id not in found]
    others = read_documents(
        client, missing, lambda documents: {one["_id"]: one for one in documents}, _source=False
    )
    return {id: key for id, key in keys.items() if id not in others} | found


def _search_ids(
    client: EngineClient,
    layout: Layout,
    ids: Sequence[str],
    read: Callable[[list[Any]], dict[str, T]],
    fields: Sequence[str],
) -> dict[str, T]:
    """Parse visible documents whose field of ids has one of these; of several with one id the first `_id`."""
    body = {
        "size": MAX_HITS,
        "query": {"terms": {layout.names.path(layout.names.id): list(ids)}},
        "_source": {"includes": list(fields)},
        "track_total_hits": False,
    }

    def read_answer(answer: Any) -> dict[str, T]:
        return read(sorted(_own_hits(client, answer), key=lambda hit: str(hit["_id"]), reverse=True))

    return client.request(
        client.raw.search, read=read_answer, index=client.index, body=body, params=NO_PARTIAL_RESULTS
    )


def _own_hits(client: EngineClient, answer: Any) -> list[dict[str, Any]]:
    hits = answers.get_hits(answer)
    client.require_own(hits)
    return hits


def delete_documents(client: EngineClient, layout: Layout, ids: Sequence[str]) -> None:
    """Delete documents in one bulk request, retried until all are deleted."""
    if not ids:
        return
    keys = document_keys(client, layout, ids).values()
    payload = b"".join(orjson.dumps({"delete": {"_id": key}}) + b"\n" for key in keys)

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
