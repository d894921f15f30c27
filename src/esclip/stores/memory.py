"""An exact store in memory, gone with the process: for trying things out, and the oracle of the other stores.

Every search compares the query with every document, in float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from heapq import nsmallest
from threading import RLock
from typing import assert_never

import numpy as np

from esclip._concurrency.forks import renew_in_children
from esclip._core.analysis import analyze_record
from esclip._core.filter_limits import simplify_searches
from esclip._core.rejections import Rejection
from esclip._core.schema import IndexInfo, IndexSchema
from esclip._core.searches import KeywordSearch, KnnSearch, Scan, Search
from esclip._core.types import Document, Fingerprint, Hit, ImageRecord, Vector, cosines, document_hit, ranked
from esclip._errors import IndexMismatch, IndexNotFound
from esclip.stores.filter_eval import matcher
from esclip.stores.idf import idf_weights, score_hit
from esclip.stores.validation import (
    check_field_names,
    merge_schemas,
    schema_conflict,
    stored_date,
    validation_error,
    write_rejection,
)

__all__ = ["MemoryStore"]


class MemoryStore:
    """A `Store` that is a dictionary."""

    address = "memory:"
    write_concurrency = 1

    def __init__(self, index: str) -> None:
        self.index = index
        self._siblings = {index: self}
        self._lock = RLock()
        self._schema: IndexSchema | None = None
        self._documents: dict[str, Document] = {}
        renew_in_children(self)

    def renew(self) -> None:
        """A lock of a forked child's own."""
        self._lock = RLock()

    def schema(self) -> IndexSchema | None:
        """The schema that it was prepared with."""
        return self._schema

    def info(self) -> IndexInfo | None:
        """What the dictionary holds, and the schema that it was prepared with."""
        with self._lock:
            if self._schema is None:
                return None
            return IndexInfo(self._schema, len(self._documents), engine="memory", bytes=None)

    def ensure_index(self, schema: IndexSchema) -> None:
        """Keep the schema, or add what is new in it."""
        check_field_names(schema.fields)
        with self._lock:
            held = self._schema or schema
            if why := schema_conflict(held, schema):
                raise IndexMismatch(f"Index {self.index} can't take this data: {why}.")
            self._schema = merge_schemas(held, schema) or held

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        """The held records' fingerprints, computed anew."""
        with self._lock:
            self._existing()
            return {id: self._documents[id].record.fingerprint for id in ids if id in self._documents}

    def upsert(self, documents: Sequence[Document]) -> list[Rejection]:
        """Keep documents with no fault, each under its id."""
        with self._lock:
            schema, rejected = self._existing(), []
            for document in documents:
                if found := validation_error(document.record, document.vector, schema):
                    rejected.append(write_rejection(document.record, found))
                else:
                    vector = document.vector.astype(np.float32)
                    self._documents[document.record.id] = replace(document, vector=vector, crops=())
            return rejected

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """Exchange records and keep their vectors."""
        with self._lock:
            schema, rejected = self._existing(), []
            for record in records:
                held = self._documents.get(record.id)
                found = validation_error(record, None, schema) if held else "no document has this id"
                if held is None or found:
                    rejected.append(write_rejection(record, found or ""))
                else:
                    self._documents[record.id] = replace(held, record=record)
            return rejected

    def delete(self, ids: Sequence[str]) -> None:
        """Forget the documents."""
        with self._lock:
            self._existing()
            for id in ids:
                self._documents.pop(id, None)

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        """Look through all documents."""
        with self._lock:
            self._existing()
            wanted = set(contents)
            return {d.content: d.vector for d in self._documents.values() if d.content in wanted}

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        """A list of what is held now."""
        with self._lock:
            self._existing()
            return iter([(id, document.record.location) for id, document in self._documents.items()])

    @contextmanager
    def bulk_load(self) -> Iterator[None]:
        """All is found at once in memory: nothing to do."""
        yield

    def search(self, *searches: Search) -> list[list[Hit]]:
        """Look at every document that fulfils the conditions of each search."""
        with self._lock:
            self._existing()
            documents = list(self._documents.values())
        return [_search(documents, search) for search in simplify_searches(searches)]

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """Copies of what is held, so that the caller can't change it."""
        with self._lock:
            self._existing()
            held = [self._documents[id] for id in ids if id in self._documents]
        return {d.record.id: replace(d, record=_kept(d.record), vector=d.vector.copy()) for d in held}

    def drop(self) -> None:
        """Forget schema and documents."""
        with self._lock:
            self._existing()
            self._schema = None
            self._documents = {}

    def open_other(self, index: str) -> MemoryStore:
        """The same object for the same name."""
        if index not in self._siblings:
            self._siblings[index] = MemoryStore(index)
            self._siblings[index]._siblings = self._siblings
        return self._siblings[index]

    def close(self) -> None:
        """Nothing to free: what is held lives as long as the store."""

    def _existing(self) -> IndexSchema:
        if self._schema is None:
            raise IndexNotFound(f"There is no index {self.index} in memory; ingest pictures to make it.")
        return self._schema


def _search(documents: Sequence[Document], search: Search) -> list[Hit]:
    fulfils = matcher(search.where)
    found = [d for d in documents if fulfils(d.record)]
    match search:
        case KnnSearch(vector=vector):
            scores = cosines(np.stack([d.vector for d in found]), vector).tolist() if found else []
            nearest = nsmallest(search.k, zip(scores, found, strict=True), key=_by_score_and_id)
            hits = ranked(_hit(d, score) for score, d in nearest)
        case KeywordSearch(words=words):
            hits = ranked(hit for hit in _word_hits(documents, found, words) if hit.score)
        case Scan(after=after):
            hits = ranked(_hit(d, 1.0) for d in found if d.record.id > after)
        case _:
            assert_never(search)
    return hits[: search.k]


def _by_score_and_id(scored: tuple[float, Document]) -> tuple[float, str]:
    score, document = scored
    return -score, document.record.id


def _word_hits(documents: Sequence[Document], found: Sequence[Document], words: Sequence[str]) -> list[Hit]:
    held = {d.record.id: set(analyze_record(d.record)) for d in documents}
    holders = [sum(word in of_one for of_one in held.values()) for word in words]
    weights = idf_weights(words, holders, len(documents))
    return [score_hit(_hit(d, 0.0), weights, held[d.record.id]) for d in found]


def _hit(document: Document, score: float) -> Hit:
    return document_hit(replace(document, record=_kept(document.record)), score)


def _kept(record: ImageRecord) -> ImageRecord:
    """The record as every store gives it back: dates in UTC and to the millisecond."""
    metadata = {
        name: stored_date(value) if isinstance(value, datetime) else value
        for name, value in record.all_metadata.items()
    }
    return replace(record, metadata=metadata, derived={}, derivation="")
