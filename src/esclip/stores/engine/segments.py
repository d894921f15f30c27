"""The segments of an index: a graph each, which merges make fewer and larger."""

from __future__ import annotations

from typing import Any

from esclip.stores.engine.answers import get_count, get_list, get_object
from esclip.stores.engine.client import EngineClient

COUNTS_ONLY = {"filter_path": "indices.*.shards.*.segments.*.num_docs"}


def find_largest_segment(client: EngineClient) -> int | None:
    """Documents in the largest segment of the client's index; None: it has none, or we may not see them."""
    return client.request(
        client.raw.indices.segments, read=_read_largest, index=client.index, params=COUNTS_ONLY, ignore=403
    )


def _read_largest(answer: Any) -> int | None:
    if "indices" not in get_object(answer):
        return None
    counts = [
        get_count(segment, "num_docs")
        for index in get_object(answer, "indices").values()
        for copies in get_object(index, "shards").values()
        for copy in get_list(copies)
        for segment in get_object(copy, "segments").values()
    ]
    return max(counts, default=None)
