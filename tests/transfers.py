"""Vector caches for tests, and stores compared by all that they hand over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from esclip import GeoPoint, IndexSchema, Store, StoredDocument
from esclip._core.document_tables import document_table, table_documents
from esclip._core.types import Metadata
from esclip.stores.vector_cache import parts
from esclip.testing.documents import EVERYTHING, SCHEMA, document, random_vectors

__all__ = ["COUNT", "assert_equal", "write_cache", "write_mixed_cache"]

COUNT = 40


def write_cache(folder: Path, *pages: Sequence[StoredDocument], schema: IndexSchema = SCHEMA) -> Path:
    """A cache with a part for each page."""
    folder.mkdir(parents=True)
    writer = parts.PartWriter(folder, schema)
    for page in pages:
        writer.write(document_table(page, schema))
        writer.finish_part()
    parts.write_summary(folder, writer.finish())
    return folder


def documents_of(store: Store) -> dict[str, StoredDocument]:
    """All that a store hands over, by id."""
    schema = store.schema()
    assert schema
    return {one.record.id: one for table in store.scan_tables() for one in table_documents(table, schema)}


def write_mixed_cache(folder: Path) -> Path:
    """A cache of documents with all kinds of metadata, in two parts."""
    vectors, place = random_vectors(COUNT, 4), GeoPoint(-89.5, 179.9)
    some: Metadata = {"country": "Chile", "place": place, "colors": ("a", ""), "likes": -(2**63)}
    page = [document(f"d{n:03}", vectors[n], (EVERYTHING, some, {})[n % 3]) for n in range(COUNT)]
    page = [replace(one, content=f"sha{n}") if n % 2 else one for n, one in enumerate(page)]
    return write_cache(folder, page[:25], page[25:])


def assert_equal(left: Store, right: Store) -> None:
    """Both hold the same documents, with the same values, byte by byte; vectors to a digit of float32."""
    ours, theirs = documents_of(left), documents_of(right)
    assert ours.keys() == theirs.keys()
    for id, one in ours.items():
        other = theirs[id]
        assert (one.record, one.content, one.fingerprint) == (other.record, other.content, other.fingerprint)
        np.testing.assert_allclose(one.vector, other.vector, rtol=0, atol=1e-7)
