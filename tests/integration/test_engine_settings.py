"""Settings of indexes on real engines: made, changed in place, moved, refused."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

import esclip
from esclip import ConfigError, IndexMismatch
from esclip._core.index_settings import BIT, FLOAT, INT8, IndexSettings
from esclip._core.searches import KnnSearch
from esclip._core.types import StoredDocument, unit_rows
from esclip.stores.engine.store import EngineStore
from esclip.testing.documents import SCHEMA, random_vectors, record
from tests.engines import engine_access, engine_address, http, opened_store

pytestmark = pytest.mark.engine

DIM = 64
WIDE = replace(SCHEMA, space=replace(SCHEMA.space, dim=DIM))
KINDS = ("opensearch", "opensearch2", "elasticsearch")


def settings(store: EngineStore) -> dict[str, Any]:
    """The index's settings, read around the store."""
    (found,) = http("GET", f"{store.address}/{store.index}/_settings").values()
    index: dict[str, Any] = found["settings"]["index"]
    return index


def wanted(**values: Any) -> esclip.IndexSchema:
    """A schema with settings."""
    return replace(WIDE, settings=IndexSettings(**values))


@pytest.mark.parametrize("kind", KINDS)
def test_settings_of_a_new_index(kind: str) -> None:
    """Shards, copies, refreshes and graph are as asked for, and stay; an ingest with other ones changes what
    can be, and is refused for what can't.
    """
    with opened_store(engine_address(kind)) as store:
        store.ensure_index(wanted(shards=2, replicas=0, refresh=30, m=8, ef_construction=40))
        made = settings(store)
        assert made["number_of_shards"] == "2"
        assert (made["number_of_replicas"], made["refresh_interval"]) == ("0", "30s")
        with store.bulk_load():
            assert settings(store)["refresh_interval"] == "-1"
        assert settings(store)["refresh_interval"] == "30s"
        store.ensure_index(wanted(shards=2, m=8))
        for change in ({"shards": 3}, {"m": 16}, {"ef_construction": 100}):
            with pytest.raises(IndexMismatch, match=next(iter(change))):
                store.ensure_index(wanted(**change))
        store.ensure_index(wanted(replicas=1, refresh=10))
        changed = settings(store)
        assert (changed["number_of_replicas"], changed["refresh_interval"]) == ("1", "10s")
        schema = store.schema()
        assert schema is not None
        assert schema.settings == IndexSettings(shards=2, replicas=1, refresh=10, m=8, ef_construction=40)


@pytest.mark.parametrize("kind", ["opensearch2", "elasticsearch"])
def test_an_index_can_be_split(kind: str) -> None:
    """The cluster's own split makes an index of twice as many shards, which is known for what it is."""
    with opened_store(engine_address(kind)) as store, store.open_other(f"{store.index}-4") as split:
        store.ensure_index(wanted(shards=2))
        url = f"{store.address}/{store.index}"
        http("PUT", f"{url}/_settings", {"index": {"blocks.write": True}})
        body = {"settings": {"index": {"number_of_shards": 4, "blocks.write": None}}}
        try:
            http("POST", f"{url}/_split/{split.index}", body)
            split.ensure_index(wanted(shards=4))
            with pytest.raises(IndexMismatch, match="shards 4, not 2"):
                split.ensure_index(wanted(shards=2))
        finally:
            http("DELETE", f"{split.address}/{split.index}", ok=(200, 404))


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_load_leaves_the_refreshes_of_the_index(kind: str) -> None:
    """After a load that was killed, the next one turns refreshes on as often as the index has them."""
    with opened_store(engine_address(kind)) as store:
        store.ensure_index(wanted(refresh=7))
        http("PUT", f"{store.address}/{store.index}/_settings", {"index": {"refresh_interval": "-1"}})
        with store.bulk_load():
            pass
        assert settings(store)["refresh_interval"] == "7s"


@pytest.mark.parametrize("kind", ["opensearch", "opensearch2"])
def test_one_bit_is_refused_before_it_harms(kind: str) -> None:
    """Nodes without native libraries would end: OpenSearch isn't tried, and says what to do."""
    with opened_store(engine_address(kind)) as store:
        with pytest.raises(ConfigError, match="int8"):
            store.ensure_index(wanted(vectors=BIT))
        assert store.schema() is None
        store.ensure_index(WIDE)
        with pytest.raises(IndexMismatch, match="another index"):
            store.ensure_index(wanted(vectors=INT8))


def test_elasticsearch_is_moved_in_place(caplog: pytest.LogCaptureFixture) -> None:
    """Down to int8 and to bits, with the documents that it has; scores stay cosines; never back. A graph of
    its own stays, and what a move takes to reach old segments is said.
    """
    with opened_store(engine_address("elasticsearch")) as store:
        store.ensure_index(wanted(m=24))
        vectors = random_vectors(300, 5, DIM)
        _write(store, vectors[:200], 0)
        for level, more in ((INT8, vectors[200:250]), (BIT, vectors[250:])):
            with caplog.at_level(logging.WARNING):
                store.ensure_index(wanted(vectors=level))
            assert "force merge" in caplog.text
            _write(store, more, 200 if level == INT8 else 250)
            schema, info = store.schema(), store.info()
            assert schema is not None
            assert info is not None
            assert schema.settings == IndexSettings(level, m=24)
            held = vectors[: info.documents]
            query = unit_rows(vectors[:1] + 0.2 * random_vectors(1, 6, DIM))[0]
            for exact in (False, True):
                (hits,) = store.search(KnnSearch(query, 10, exact=exact))
                best = np.argsort(-(held @ query))[:10]
                assert [int(hit.id) for hit in hits] == best.tolist()
                assert np.allclose([hit.score for hit in hits], (held @ query)[best], atol=1e-5)
        for level in (INT8, FLOAT):
            with pytest.raises(IndexMismatch, match="back"):
                store.ensure_index(wanted(vectors=level))


def _write(store: EngineStore, vectors: Any, first: int) -> None:
    documents = [StoredDocument(record(str(first + n)), vector) for n, vector in enumerate(vectors)]
    with store.bulk_load():
        assert store.upsert(documents) == []


@pytest.mark.parametrize("kind", ["opensearch2", "elasticsearch"])
def test_all_indexes_of_one_are_alike(kind: str, tmp_path: Path) -> None:
    """Parts and texts are kept as the pictures are, also when they come later; the stats say how."""
    address, name = engine_address(kind), f"esclip-test-{uuid4().hex}"
    Image.effect_noise((64, 64), 80).convert("RGB").save(tmp_path / "one.png")
    (tmp_path / "note.txt").write_text("a grey picture")
    options: Sequence[dict[str, Any]] = ({"vectors": INT8, "shards": 1}, {"parts": ["crops"], "texts": True})
    auth = engine_access(address)
    with esclip.open_index(address, name, "palette", auth=auth) as index:
        try:
            for more in options:
                index.ingest(tmp_path, **more)
            assert index.stats().vectors == INT8
            (hit,) = index.search_text("grey", k=1)
            found = http("GET", f"{address}/{name}*/_mapping")
            assert len(found) == 3
            for mapping in found.values():
                kept = mapping["mappings"]["_meta"]["esclip"]["settings"]
                assert kept == {"vectors": INT8, "shards": 1}
            assert -1 <= hit.score <= 1
        finally:
            index.drop()
