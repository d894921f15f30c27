"""An exact store in memory, lost with the process: for experiments, and the oracle of the other stores.

Every search compares the query with every document, in float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from heapq import nsmallest
from threading import RLock
from typing import assert_never

import numpy as np

from esclip._concurrency.forks import renew_in_children
from esclip._core.analysis import analyze_record
from esclip._core.facet_counting import NO_SPANS, Spans, columns_of, count_facets
from esclip._core.facets import Facets
from esclip._core.filter_limits import simplify, simplify_searches
from esclip._core.filters import Condition
from esclip._core.index_settings import VECTOR_LEVELS
from esclip._core.ordering import order_hits
from esclip._core.rejections import Rejection
from esclip._core.schema import Field, IndexInfo, IndexSchema
from esclip._core.searches import KeywordSearch, KnnSearch, Order, Scan, Search
from esclip._core.types import (
    Fingerprint,
    Hit,
    ImageRecord,
    Metadata,
    StoredDocument,
    Vector,
    cosines,
    document_hit,
    number_hits,
    rank_hits,
    truncate_date,
)
from esclip._errors import IndexMismatch, IndexNotFound
from esclip._protocols import Store
from esclip.stores import aliases, validation
from esclip.stores.filter_eval import compile_filter
from esclip.stores.idf import idf_weights, score_hit


class MemoryStore(Store):
    """Keeps documents in a dictionary."""

    def __init__(self, index: str) -> None:
        super().__init__("memory:", index)
        self._stores = {index: self}
        self._aliases: dict[str, str] = {}
        """Names of indexes by name of their aliases; of all stores that `open_other` gave."""
        self._lock = RLock()
        self._schema: IndexSchema | None = None
        self._documents: dict[str, StoredDocument] = {}
        renew_in_children(self)

    def renew(self) -> None:
        """A new lock in a forked child."""
        self._lock = RLock()

    def schema(self) -> IndexSchema | None:
        """The schema that it keeps."""
        with self._lock:
            self._require_no_alias()
            return self._schema

    def info(self) -> IndexInfo | None:
        """The schema and the number of documents."""
        with self._lock:
            self._require_no_alias()
            if self._schema is None:
                return None
            return IndexInfo(self._schema, len(self._documents), engine="memory", bytes=None)

    def list_indexes(self) -> Mapping[str, IndexInfo]:
        """Those of all stores that `open_other` gave."""
        stores = [store for name, store in sorted(self._stores.items()) if name not in self._aliases]
        infos = {store.index: store.info() for store in stores}
        return {
            name: replace(info, aliases=self.open_other(name).aliases())
            for name, info in infos.items()
            if info is not None
        }

    def ensure_index(self, schema: IndexSchema) -> None:
        """Keep the schema, or merge it into the present one."""
        validation.check_field_names(schema.fields)
        validation.check_settings(schema.settings, "an index in memory", VECTOR_LEVELS)
        with self._lock:
            self._require_no_alias()
            present = self._schema or schema
            conflict = validation.schema_conflict(present, schema)
            conflict = conflict or validation.settings_conflict(present.settings, schema.settings)
            if conflict:
                raise IndexMismatch(
                    f"index {self.index!r} can't take this data: {conflict}; use another index"
                )
            self._schema = validation.merge_schemas(present, schema)

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        """The fingerprints of the documents, computed anew."""
        with self._lock:
            self._require_schema()
            return {id: self._documents[id].fingerprint for id in ids if id in self._documents}

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        """Keep valid documents, each under its id."""
        with self._lock:
            valid, rejections = validation.validate_documents(documents, self._require_schema())
            for id, document in valid.items():
                vector = document.vector.astype(np.float32)
                self._documents[id] = replace(document, vector=vector, crops=())
            return rejections

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """Replace records and keep their vectors."""
        with self._lock:
            valid, rejections = validation.validate_records(records, self._require_schema(), self._documents)
            for id, record in valid.items():
                self._documents[id] = replace(self._documents[id], record=record)
            return rejections

    def delete(self, ids: Sequence[str]) -> None:
        """Remove the documents."""
        with self._lock:
            self._require_schema()
            for id in ids:
                self._documents.pop(id, None)

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        """A pass over all documents."""
        with self._lock:
            self._require_schema()
            wanted = set(contents)
            return {d.content: d.vector for d in self._documents.values() if d.content in wanted}

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        """A pass over all documents."""
        with self._lock:
            self._require_schema()
            return iter([(id, document.record.location) for id, document in self._documents.items()])

    def search(self, *searches: Search) -> list[list[Hit]]:
        """Compare every document that fulfils the conditions of each search."""
        with self._lock:
            self._require_schema()
            documents = list(self._documents.values())
        return [_search(documents, search) for search in simplify_searches(searches)]

    def facets(
        self,
        fields: Sequence[Field],
        where: Sequence[Condition] = (),
        limit: int = 20,
        spans: Spans = NO_SPANS,
    ) -> Facets:
        """Passes over all documents that fulfil the conditions."""
        matches = compile_filter(simplify(where))
        with self._lock:
            self._require_schema()
            documents = list(self._documents.values())
        matching = [one.record.all_metadata for one in documents if matches(one.record)]
        return count_facets(lambda some: [(len(matching), columns_of(matching, some))], fields, limit, spans)

    def documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        """Copies, so that callers can't change the stored documents."""
        with self._lock:
            self._require_schema()
            found = [self._documents[id] for id in ids if id in self._documents]
        return {d.record.id: replace(d, record=_stored(d.record), vector=d.vector.copy()) for d in found}

    def drop(self) -> None:
        """Remove schema, documents and aliases."""
        with self._lock:
            self._require_schema()
            for alias in self.aliases():
                del self._aliases[alias]
            self._schema = None
            self._documents = {}

    def alias_target(self) -> str | None:
        """The index that the name points to."""
        return self._aliases.get(self.index)

    def aliases(self) -> tuple[str, ...]:
        """The names that point to this one."""
        return tuple(sorted(name for name, index in self._aliases.items() if index == self.index))

    def point_alias(self, index: str) -> None:
        """Keep the name of the index."""
        self.open_other(index)._require_schema()
        with self._lock:
            if self._schema is not None:
                raise aliases.name_taken(self.address, self.index)
            self._aliases[self.index] = index

    def rename(self, index: str, beside: Mapping[str, str]) -> None:
        """Hand schema and documents over to other stores."""
        with self._lock:
            self._require_schema()
            for old, new in ((self.index, index), *beside.items()):
                source, target = self.open_other(old), self.open_other(new)
                if target._schema is not None or new in self._aliases:
                    raise aliases.name_taken(self.address, new)
                target._schema, target._documents = source._schema, source._documents
                source._schema, source._documents = None, {}
            self._aliases[self.index] = index

    def open_other(self, index: str) -> MemoryStore:
        """The same object for the same name."""
        if index not in self._stores:
            self._stores[index] = MemoryStore(index)
            self._stores[index]._stores, self._stores[index]._aliases = self._stores, self._aliases
        return self._stores[index]

    def _require_no_alias(self) -> None:
        if (target := self.alias_target()) is not None:
            raise aliases.is_alias(self.address, self.index, target)

    def _require_schema(self) -> IndexSchema:
        self._require_no_alias()
        if self._schema is None:
            raise IndexNotFound(f"there is no index {self.index!r} in memory; ingest pictures to make it")
        return self._schema


def _search(documents: Sequence[StoredDocument], search: Search) -> list[Hit]:
    matches = compile_filter(search.where)
    matching = [document for document in documents if matches(document.record)]
    match search:
        case KnnSearch(vector=vector):
            scores = cosines(np.stack([d.vector for d in matching]), vector).tolist() if matching else []
            nearest = nsmallest(search.k, zip(scores, matching, strict=True), key=_by_score_and_id)
            hits = rank_hits(_hit(document, score) for score, document in nearest)
        case KeywordSearch(words=words):
            hits = rank_hits(hit for hit in _keyword_hits(documents, matching, words) if hit.score)
        case Scan(order=Order() as order):
            hits = number_hits(order_hits((_hit(document, 1.0) for document in matching), order))
        case Scan(after=after):
            hits = rank_hits(_hit(document, 1.0) for document in matching if document.record.id > after)
        case _:
            assert_never(search)
    return hits[: search.k]


def _by_score_and_id(scored: tuple[float, StoredDocument]) -> tuple[float, str]:
    score, document = scored
    return -score, document.record.id


def _keyword_hits(
    documents: Sequence[StoredDocument], matching: Sequence[StoredDocument], words: Sequence[str]
) -> list[Hit]:
    words_by_id = {document.record.id: set(analyze_record(document.record)) for document in documents}
    counts = [sum(word in document_words for document_words in words_by_id.values()) for word in words]
    weights = idf_weights(words, counts, len(documents))
    return [score_hit(_hit(document, 0.0), weights, words_by_id[document.record.id]) for document in matching]


def _hit(document: StoredDocument, score: float) -> Hit:
    return replace(document_hit(document, score), metadata=_stored_metadata(document.record))


def _stored(record: ImageRecord) -> ImageRecord:
    """The record as every store gives it back."""
    return replace(
        record,
        metadata=_stored_metadata(record),
        derived={},
        derivation="",
        content=None,
        stored_as=None,
    )


def _stored_metadata(record: ImageRecord) -> Metadata:
    """A copy, dates in UTC and truncated to milliseconds."""
    return {
        name: truncate_date(value) if isinstance(value, datetime) else value
        for name, value in record.all_metadata.items()
    }
