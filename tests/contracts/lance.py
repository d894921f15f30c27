"""What the stores' contract needs to run on the embedded store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest

from esclip._core.analysis import analyze_record
from esclip._core.types import GeoPoint, MetadataValue, StoredDocument, json_metadata
from esclip._protocols import Store
from esclip.stores.lance.store import LanceStore
from esclip.testing.documents import DIM
from esclip.testing.store import StoreContract


class LanceContract(StoreContract):
    """The stores' contract, with what it needs to look into a Lance folder."""

    tolerance = 1e-6
    changes_level = True

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = LanceStore(tmp_path, "pictures")
        yield store
        store.close()

    def plant(self, store: Store, documents: Sequence[StoredDocument]) -> None:
        schema = lance.dataset(path_of_index(store)).schema.remove_metadata()
        rows = pa.Table.from_pylist([_raw(document) for document in documents], schema=schema)
        lance.write_dataset(rows, path_of_index(store), mode="append")

    def peek(self, store: Store, id: str) -> dict[str, Any] | None:
        rows = lance.dataset(path_of_index(store)).to_table().to_pylist()
        found = [row for row in rows if row["id"] == id]
        assert len(found) <= 1
        return found[0] if found else None

    def plant_words(self, store: Store, id: str, words: Sequence[str]) -> None:
        listed = ", ".join(f"'{word}'" for word in words)
        lance.dataset(path_of_index(store)).update({"words": f"[{listed}]"}, where=f"id = '{id}'")

    def plant_schema(self, store: Store, schema: Mapping[str, Any]) -> None:
        lance.dataset(path_of_index(store)).update_schema_metadata({"esclip": json.dumps(schema)})

    def peek_schema(self, store: Store) -> Mapping[str, Any]:
        kept: dict[str, Any] = json.loads(lance.dataset(path_of_index(store)).schema.metadata[b"esclip"])
        return kept


def path_of_index(store: Store) -> Path:
    """The table of the store's index."""
    return Path(store.address) / f"{store.index}.lance"


def _raw(document: StoredDocument) -> dict[str, Any]:
    record = document.record
    assert document.vector.shape == (DIM,)
    return {
        "id": record.id,
        "_source": json.dumps(
            {
                "location": record.location,
                "page": record.page,
                "description": record.description,
                **json_metadata(record.metadata),
            }
        ),
        "vector": document.vector.tolist(),
        "location": record.location,
        "page": record.page,
        "description": record.description,
        "pixels_fingerprint": record.fingerprint.pixels,
        "record_fingerprint": record.fingerprint.record,
        "words": analyze_record(record),
        **{name: _raw_value(value) for name, value in record.metadata.items()},
    }


def _raw_value(value: MetadataValue) -> Any:
    return {"lat": value.lat, "lon": value.lon} if isinstance(value, GeoPoint) else value
