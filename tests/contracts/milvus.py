"""What the stores' contract needs to run on Milvus Lite, in a folder and as a server."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from milvus_lite.adapter.grpc.server import start_server_in_thread
from pymilvus import MilvusClient

from esclip._core.analysis import analyze_record
from esclip._core.index_settings import FLOAT
from esclip._core.types import GeoPoint, StoredDocument
from esclip._protocols import Store
from esclip.stores.milvus.store import MilvusStore
from esclip.testing.documents import SCHEMA
from esclip.testing.store_case import StoreCase

MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SEPARATOR = "\x1f"

_numbers = count()


class OfMilvus(StoreCase):
    """A folder of Milvus Lite, and ways around the store."""

    tolerance = 1e-6

    @pytest.fixture(scope="class")
    @classmethod
    def address(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | str]:
        """A folder that stays open: to open one takes longer than most tests."""
        folder = tmp_path_factory.mktemp("milvus") / "photos.db"
        with MilvusStore(folder, "open") as store:
            store.ensure_index(SCHEMA)
            yield folder

    @pytest.fixture
    def store(self, address: Path | str) -> Iterator[Store]:
        store = MilvusStore(address, f"pictures{next(_numbers)}")
        yield store
        store.close()

    def levels(self, store: Store) -> Collection[str]:
        return (FLOAT,)

    def plant(self, store: Store, documents: Sequence[StoredDocument]) -> None:
        raw_client(store).upsert(store.index, [_raw(document) for document in documents])

    def peek(self, store: Store, id: str) -> dict[str, Any] | None:
        rows = raw_client(store).query(store.index, filter='id != ""', output_fields=["*"])
        found = [row for row in rows if row["id"] == id]
        assert len(found) <= 1
        if not found:
            return None
        row = {name.removeprefix("m_"): value for name, value in found[0].items()}
        return row | {"words": row["words"].split()}

    def plant_words(self, store: Store, id: str, words: Sequence[str]) -> None:
        row = {"id": id, "words": f" {' '.join(words)} "}
        raw_client(store).upsert(store.index, [row], partial_update=True)

    def plant_schema(self, store: Store, schema: Mapping[str, Any]) -> None:
        raw_client(store).alter_collection_properties(store.index, {"esclip": json.dumps(schema)})

    def peek_schema(self, store: Store) -> Mapping[str, Any]:
        kept: dict[str, Any] = json.loads(
            raw_client(store).describe_collection(store.index)["properties"]["esclip"]
        )
        return kept


class OfMilvusServer(OfMilvus):
    """The server of Milvus Lite, at a port: its index of vectors is a graph."""

    @pytest.fixture(scope="class")
    @classmethod
    def address(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | str]:
        """Where it listens."""
        server, data, port = start_server_in_thread(str(tmp_path_factory.mktemp("milvus") / "data"))
        yield f"milvus://127.0.0.1:{port}"
        server.stop(grace=0)
        data.close()


def raw_client(store: Store) -> MilvusClient:
    """pymilvus's own client of the store's folder or server."""
    return MilvusClient(store.address.replace("milvus://", "http://"))


def _raw(document: StoredDocument) -> dict[str, Any]:
    record = document.record
    row: dict[str, Any] = {
        "id": record.id,
        "vector": document.vector,
        "location": record.location,
        "page": record.page,
        "description": record.description,
        "pixels_fingerprint": record.fingerprint.pixels,
        "record_fingerprint": record.fingerprint.record,
        "content_fingerprint": document.content,
        "words": f" {' '.join(analyze_record(record))} ",
    }
    for name, value in record.metadata.items():
        if isinstance(value, GeoPoint):
            row |= {f"lat_{name}": value.lat, f"lon_{name}": value.lon}
        elif isinstance(value, tuple):
            codes = {"\x1e": "\x1ee", "\x1f": "\x1es", "%": "\x1ep", "_": "\x1eu", "\\": "\x1eb"}
            texts = ["".join(codes.get(letter, letter) for letter in text) for text in map(str, value)]
            joined = SEPARATOR + SEPARATOR.join(texts) + SEPARATOR
            row |= {f"m_{name}": list(value), f"j_{name}": joined} if value else {}
        else:
            row[f"m_{name}"] = (value - EPOCH) // MILLISECOND if isinstance(value, datetime) else value
    return row
