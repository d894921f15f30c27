"""What needs no Milvus: names, expressions, limits of documents, addresses, and what is refused."""

from __future__ import annotations

import logging
import math
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esclip import ConfigError, IndexExists, StoreAuth, StoreError, StoreUnavailable
from esclip._concurrency.retry import StoreTimeouts
from esclip._core.filters import Near, Not
from esclip._core.schema import Field, FieldType
from esclip._core.settings import is_index_name
from esclip._core.types import GeoPoint, StoredDocument
from esclip.stores import open_store
from esclip.stores.filter_eval import compile_filter
from esclip.stores.lance.store import LanceStore
from esclip.stores.milvus.filters import EVERY, compile_expression
from esclip.stores.milvus.names import collection_name, index_name, value_key
from esclip.stores.milvus.rows import document_row, row_problem
from esclip.stores.milvus.store import MilvusStore
from esclip.testing.documents import SCHEMA, axis, document, record
from tests.fuzzing import fuzz_settings
from tests.missing import without

PLACE = Field("place", FieldType.GEO_POINT)


@given(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,199}", fullmatch=True))
@fuzz_settings(60)
def test_each_index_has_a_collection_of_its_own(index: str) -> None:
    """The name of a collection is one that Milvus takes, and tells which index it keeps."""
    collection = collection_name(index)
    assert collection.isascii()
    assert collection.isidentifier()
    assert index_name(collection) == index


@pytest.mark.parametrize("collection", ["Photos", "_photos", "photos.x", "", "_", "D", "1a", "photos_é"])
def test_collections_of_others_keep_no_index(collection: str) -> None:
    """A name that no index's collection has is nobody's of esclip."""
    index = index_name(collection)
    assert index is None or not is_index_name(index)


def test_fields_have_keys_that_stand_in_expressions() -> None:
    """Two fields never share one, whatever letters their names have."""
    names = ["taken_at", "taken-at", "état", "1st", "x", "78", "_x"]
    keys = [value_key(Field(name, FieldType.KEYWORD)) for name in names]
    assert keys[0] == "m_taken_at"
    assert len(set(keys)) == len(names)
    assert all(key.isascii() and key.isidentifier() for key in keys)


@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(0, 2e7), st.floats(0, 2 * math.pi))
@fuzz_settings(60)
def test_the_box_around_a_circle_holds_it(lat: float, lon: float, meters: float, bearing: float) -> None:
    """Each place within the distance is in the box, over the poles and the date line too."""
    angle = meters * 0.999 / 6_371_009
    south = math.asin(
        math.sin(math.radians(lat)) * math.cos(angle)
        + math.cos(math.radians(lat)) * math.sin(angle) * math.cos(bearing)
    )
    east = math.radians(lon) + math.atan2(
        math.sin(bearing) * math.sin(angle) * math.cos(math.radians(lat)),
        math.cos(angle) - math.sin(math.radians(lat)) * math.sin(south),
    )
    point = GeoPoint(math.degrees(south), (math.degrees(east) + 540) % 360 - 180)
    condition = Near(PLACE, lat, lon, meters)
    if not compile_filter([condition])(record("a", {"place": point})):
        return
    expression, exact = compile_expression([condition])
    test = expression.replace("exists lat_place", "True").replace(EVERY, "True")
    assert eval(test, {}, {"lat_place": point.lat, "lon_place": point.lon})
    assert not exact


def test_what_a_box_can_not_exclude_is_not_excluded() -> None:
    """The contrary of what is only nearly tested leaves all documents in."""
    assert compile_expression([Not(Near(PLACE, 0, 0, 5))]) == (EVERY, False)


def test_documents_that_milvus_can_not_keep() -> None:
    """A text or metadata beyond Milvus's limits is told with its size, in one line."""
    long = "ä" * 40_000
    for one, says in [
        (record("a", description=long), "its description has 80,000 bytes, of which Milvus keeps 65,535"),
        (record("a", {"caption": long}), "its metadata has 80,016 bytes as JSON"),
        (record("x" * 513), "longer than 512 bytes"),
    ]:
        problem = row_problem(document_row(StoredDocument(one, axis(0)), SCHEMA))
        assert problem is not None
        assert says in problem
    assert row_problem(document_row(document("a"), SCHEMA)) is None


def test_which_stores_are_milvus(tmp_path: Path) -> None:
    """Addresses of Milvus, and folders of its name; not one of that name that holds embedded indexes."""
    for address in (
        "milvus://host",
        "MILVUS+HTTPS://host:443/archive",
        tmp_path / "a.db",
        str(tmp_path / "a.db"),
    ):
        assert isinstance(open_store(address, "photos"), MilvusStore)
    (tmp_path / "b.db" / "photos.lance").mkdir(parents=True)
    assert isinstance(open_store(tmp_path / "b.db", "photos"), LanceStore)
    assert not (tmp_path / "a.db").exists()


def test_nothing_shows_a_password(caplog: pytest.LogCaptureFixture) -> None:
    """The address of a store has none, nor has a warning, and encrypted ones warn of nothing."""
    store = open_store("milvus://alice:s3cret@milvus.example:19530/archive", "photos")
    assert store.address == "milvus://milvus.example:19530/archive"
    assert "milvus+https:// would encrypt them" in caplog.text
    caplog.clear()
    encrypted = open_store("milvus+https://host", "photos", StoreAuth(api_key="s3cret"))
    assert "s3cret" not in repr([store, encrypted, vars(store), vars(encrypted)]) + caplog.text
    assert not caplog.records


@pytest.mark.parametrize(
    ("address", "auth", "says"),
    [
        ("milvus://", StoreAuth(), "like milvus://host:19530"),
        ("milvus://host", StoreAuth(ca_file="ca.pem"), r"begins with milvus\+https://"),
        ("milvus://localhost", StoreAuth(aws_region="eu-north-1"), "leave out the AWS region"),
        ("milvis://host:19530", StoreAuth(), "write milvus://host:19530"),
        ("photos.db", StoreAuth(user="a", password="b"), "is a folder, which has no lock"),
    ],
)
def test_addresses_that_can_not_be_meant(address: str, auth: StoreAuth, says: str) -> None:
    """Each is one error that says how it is written."""
    with pytest.raises(ConfigError, match=says):
        open_store(address, "photos", auth)


def test_without_pymilvus(tmp_path: Path) -> None:
    """Where the extra isn't installed, the first request says how to get it; nothing is made."""
    for package in ("pymilvus", "milvus_lite"):
        with without(package), pytest.raises(ConfigError, match=r"pip install 'esclip\[milvus\]'"):
            open_store(tmp_path / "a.db", "photos").ensure_index(SCHEMA)
    with without("pymilvus"), pytest.raises(ConfigError, match=r"esclip\[milvus\]"):
        open_store("milvus://127.0.0.1:1", "photos").schema()
    assert not (tmp_path / "a.db").exists()


def test_nothing_listens() -> None:
    """A server that isn't there is an error within the time of a first request, and is said in one line."""
    store = MilvusStore("milvus://127.0.0.1:1", "photos", StoreTimeouts(first=0.3, backoff=0.01))
    with pytest.raises(StoreUnavailable, match=r"milvus://127.0.0.1:1 can't be reached; is a Milvus running"):
        store.info()
    store.close()


def test_what_is_no_folder_of_milvus_lite(tmp_path: Path) -> None:
    """A file of Milvus Lite 2, another file and a folder of others are refused, and left as they are."""
    with sqlite3.connect(tmp_path / "old.db") as former:
        former.execute("CREATE TABLE t (a)")
    former.close()
    (tmp_path / "text.db").write_text("hello")
    (tmp_path / "pictures.db").mkdir()
    (tmp_path / "pictures.db" / "a.png").write_text("x")
    for name, error, says in [
        ("old", StoreError, "SQLite, as Milvus Lite 2 kept its data"),
        ("text", IndexExists, "is a file"),
        ("pictures", IndexExists, "not one of Milvus Lite"),
    ]:
        store = open_store(tmp_path / f"{name}.db", "photos")
        for call in (store.info, lambda store=store: store.ensure_index(SCHEMA)):
            with pytest.raises(error, match=says):
                call()
    assert [path.name for path in (tmp_path / "pictures.db").iterdir()] == ["a.png"]


def test_it_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """pymilvus prints each failure with its traceback where it is let; a store raises one error."""
    with MilvusStore(tmp_path / "a.db", "photos") as store:
        assert store.schema() is None
        store.ensure_index(SCHEMA)
        assert store.upsert([document("a")]) == []
        np.testing.assert_array_equal(store.documents(["a"])["a"].vector, axis(0))
        with store.open_other("ghost") as other, pytest.raises(StoreError, match="no index 'ghost'"):
            other.fingerprints(["a"])
    assert capfd.readouterr() == ("", "")
    assert not any(isinstance(one, logging.StreamHandler) for one in logging.getLogger("pymilvus").handlers)
