"""Searches in an engine: all in one `_msearch`, each answered whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from esclip._errors import IndexMismatch, StoreError, StoreUnavailable
from esclip._schema import IndexSchema
from esclip._searches import Search
from esclip._types import Hit, ranked
from esclip.stores import _documents as stored
from esclip.stores._dialects import cosine, search_body
from esclip.stores._engine_client import EngineClient
from esclip.stores._engine_errors import BUSY, index_missing

__all__ = ["searched"]


def searched(client: EngineClient, schema: IndexSchema, searches: Sequence[Search]) -> list[list[Hit]]:
    """The hits of each search.

    Raises `IndexMismatch` for a vector of another dimension than the index's, and what the client raises.
    """
    for search in searches:
        if search.vector.shape != (schema.space.dim,):
            raise IndexMismatch(
                f"Index {client.index} at {client.address} has vectors of {schema.space.dim} dimensions; "
                f"this query's shape is {search.vector.shape}."
            )
    engine = client.server().engine
    # without this, the hits of a shard that fails are missing and nobody is told
    head = orjson.dumps({"allow_partial_search_results": False})
    lines = (head + b"\n" + orjson.dumps(search_body(engine, search)) + b"\n" for search in searches)
    answers = _answers(client, b"".join(lines))
    return [
        ranked(
            stored.hit(found["_id"], cosine(found["_score"]), found["_source"], schema.fields)
            for found in answer["hits"]["hits"]
        )
        for answer in answers
    ]


def _answers(client: EngineClient, payload: bytes) -> list[Any]:
    """What the engine says to each; asked again as a whole while one of them may still be answered."""

    def msearch(**arguments: Any) -> list[Any]:
        answers: list[Any] = client.raw.msearch(**arguments)["responses"]
        for answer in answers:
            if error := answer.get("error"):
                raise _failure(client, answer["status"], error)
        return answers

    found: list[Any] = client.ask(msearch, index=client.index, body=payload)
    return found


def _failure(client: EngineClient, status: int, error: Any) -> StoreError:
    if error.get("type") == "index_not_found_exception":
        return index_missing(client.address, client.index)
    causes = [error, *error.get("root_cause", ())]
    words = " ".join(str(cause.get("reason")) for cause in causes[-1:])[:500]
    if status in BUSY:
        return StoreUnavailable(f"{client.address} is too busy or not ready ({words}); try again later.")
    return StoreError(f"{client.address} refused a search in index {client.index}: {status} {words}")
