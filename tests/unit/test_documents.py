"""What an index holds, by id: got, looked into, counted, gone through; and results as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import esclip
from esclip import Box, ConfigError, Documents, GeoPoint, Hit, Hits, ImageIndex, IndexNotFound, ScoreDetail
from esclip.stores.memory import MemoryStore
from tests.missing import without

AT = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["memory", "lance"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ImageIndex]:
    """An index that does not exist yet."""
    store = MemoryStore("documents") if request.param == "memory" else tmp_path / "store"
    with esclip.open_index(store, encoder="palette") as index:
        yield index


@pytest.fixture
def index(empty: ImageIndex) -> ImageIndex:
    """An index of three pictures."""
    empty.add(
        [
            {"id": "b", "image": Image.new("RGB", (8, 8), "blue"), "at": AT, "tags": ["x", "y"]},
            {"id": "a", "image": Image.new("RGB", (8, 8), "red"), "description": "a red one", "n": 2**62},
            {"id": "ü", "image": Image.new("RGB", (8, 8), "green"), "place": GeoPoint(60.0, 10.5)},
        ]
    )
    return empty


def ids(documents: Documents) -> list[str]:
    """The documents' ids."""
    return [document.record.id for document in documents]


def test_documents_come_in_the_order_asked(index: ImageIndex) -> None:
    """As often as they are asked for, by ids or hits; the missing ones are named, each once."""
    got = index.get(["ü", "gone", "a", "gone", "a", "\ud800"])
    assert (ids(got), got.missing) == (["ü", "a", "a"], ("gone", "\ud800"))
    assert repr(got) == r"<3 documents: ü, a, a; missing: gone, \ud800>"
    assert ids(got[1:]) == ["a", "a"]
    assert ids(index.get(index.search_text("blue", k=1))) == ids(index.get("b")) == ["b"]
    (document,) = index.get("a")
    shown = {"width": 8, "height": 8, "color": "#ff0000"}
    assert (document.record.description, document.record.metadata) == ("a red one", {"n": 2**62, **shown})
    np.testing.assert_allclose(np.linalg.norm(document.vector), 1, atol=1e-6)
    assert not index.get([])
    assert repr(index.get([])) == "<0 documents>"


def test_an_index_is_a_collection_of_ids(index: ImageIndex) -> None:
    """It has a length, members and an order, and is true."""
    assert len(index) == 3
    assert list(index) == ["a", "b", "ü"]
    assert index.search_text("red", k=1)[0] in index
    assert "ü" in index
    for other in ("gone", "", "\ud800", None, 3, Path("a"), b"a"):
        assert other not in index
    index.delete(where="n>0")
    assert (len(index), "a" in index, bool(index)) == (2, False, True)


def test_a_peek_shows_the_first(index: ImageIndex) -> None:
    """At most so many, by id; a number out of bounds is an error."""
    assert ids(index.peek()) == ["a", "b", "ü"]
    assert ids(index.peek(2)) == ["a", "b"]
    for n in (0, 10_001, 1.5):
        with pytest.raises(ValueError, match="n is"):
            index.peek(n)  # type: ignore[arg-type]


def test_an_index_that_is_not_there(empty: ImageIndex) -> None:
    """It has no documents and no members; to ask for some is an error."""
    assert (len(empty), list(empty), "a" in empty, bool(empty)) == (0, [], False, True)
    with pytest.raises(IndexNotFound, match="does not exist"):
        empty.get("a")
    with pytest.raises(IndexNotFound, match="does not exist"):
        empty.peek()


def test_more_than_a_page_of_documents() -> None:
    """Pages are neither repeated nor skipped."""
    with esclip.open_index(MemoryStore("many"), encoder="palette") as index:
        image = Image.new("RGB", (4, 4), "red")
        names = [f"{n:04}" for n in range(2100)]
        index.add({"id": name, "image": image} for name in reversed(names))
        assert list(index) == names
        assert ids(index.peek(2050)) == names[:2050]
        assert ids(index.get(names)) == names


def test_documents_as_dictionaries(index: ImageIndex) -> None:
    """Of values that JSON has, with the vector where it is wanted."""
    (found,) = index.get("b").to_dicts(vectors=True)
    vector = json.loads(json.dumps(found)).pop("vector")
    np.testing.assert_allclose(vector, index.get("b")[0].vector)
    assert index.get("b").to_dicts() == [
        {
            "id": "b", "location": "memory:b", "page": None, "description": "",
            "metadata": {
                "at": "2024-05-01T12:00:00Z", "tags": ["x", "y"],
                "width": 8, "height": 8, "color": "#0000ff",
            },
        }
    ]  # fmt: skip


def test_documents_as_tables(index: ImageIndex) -> None:
    """A typed column for each field, in pandas and Arrow; vectors have a fixed length."""
    table = index.peek().to_arrow(vectors=True)
    types = {field.name: str(field.type) for field in table.schema}
    dim = len(index.get("a")[0].vector)
    assert types == {
        "id": "string", "location": "string", "page": "string", "description": "string",
        "at": "timestamp[ms, tz=UTC]", "n": "int64", "place": "struct<lat: double, lon: double>",
        "tags": "list<item: string>", "width": "int64", "height": "int64", "color": "string",
        "vector": f"fixed_size_list<item: float>[{dim}]",
    }  # fmt: skip
    assert table["n"].to_pylist() == [2**62, None, None]
    assert table["place"].to_pylist() == [None, None, {"lat": 60.0, "lon": 10.5}]
    np.testing.assert_array_equal(table["vector"][0].as_py(), index.get("a")[0].vector)
    frame = index.peek().to_pandas()
    assert list(frame.columns) == [name for name in types if name != "vector"]
    assert frame["n"].tolist()[0] == 2**62
    for none in (Documents([]).to_arrow(), Documents([]).to_arrow(vectors=True)):
        assert (none.num_rows, none.schema.field("id").type) == (0, pa.string())
    assert Documents([]).to_pandas().empty


def hit(rank: int, **more: Any) -> Hit:
    """A hit with some values."""
    values: dict[str, Any] = {"page": None, "description": "", "metadata": {}} | more
    return Hit(rank, f"id{rank}", 1 - rank / 10, "https://h/a", **values)


def test_hits_as_an_arrow_table() -> None:
    """The columns of pandas' table, with lists and structs; Parquet can hold them."""
    detail = ScoreDetail("text: a", 1.0, 0.5, None, 0.5)
    hits = Hits(
        [
            hit(1, metadata={"at": AT, "sold": True}, box=Box(0, 0, 0.5, 1), explanation=(detail,)),
            hit(2, metadata={"place": GeoPoint(1.0, 2.0), "price": 9.5}, duplicates=("x",)),
        ]
    )
    table = hits.to_arrow()
    assert table.column_names == list(hits.to_pandas().columns)
    assert table["duplicates"].to_pylist() == [[], ["x"]]
    assert table["box"].to_pylist() == [{"left": 0, "top": 0, "right": 0.5, "bottom": 1}, None]
    assert table["explanation"].to_pylist() == [[detail._asdict()], []]
    assert table["place"].to_pylist() == [None, {"lat": 1.0, "lon": 2.0}]
    assert table["at"].to_pylist() == [AT, None]
    types = {field.name: str(field.type) for field in Hits([]).to_arrow().schema}
    assert types == {
        "rank": "int64", "id": "string", "score": "double", "location": "string", "page": "string",
        "description": "string",
    }  # fmt: skip


def test_tables_of_polars(index: ImageIndex) -> None:
    """The columns and values of Arrow's table; without polars it is said how to get it."""
    hits = Hits([hit(1, metadata={"at": AT, "n": 2**62}), hit(2, metadata={"place": GeoPoint(1.0, 2.0)})])
    assert hits.to_polars().to_dicts() == hits.to_arrow().to_pylist()
    table = index.peek().to_polars(vectors=True)
    np.testing.assert_array_equal(table["vector"].to_numpy(), [one.vector for one in index.peek()])
    assert Hits([]).to_polars().is_empty()
    with without("polars"), pytest.raises(ConfigError, match=r"pip install 'esclip\[polars\]'$"):
        hits.to_polars()


def test_a_field_named_as_a_column_stands_apart() -> None:
    """What a user calls score or rank replaces no score and no rank."""
    hits = Hits([hit(1, metadata={"score": 7, "rank": "first", "n": 1})])
    for names in (hits.to_pandas().columns, hits.to_arrow().column_names):
        assert list(names)[6:] == ["n", "metadata.rank", "metadata.score"]
    assert hits.to_pandas()["score"].tolist() == [0.9]
    assert hits.to_arrow()["metadata.score"].to_pylist() == [7]


def test_hits_as_dictionaries() -> None:
    """As the command line prints them."""
    hits = Hits([hit(1, metadata={"at": AT}), hit(2)])
    assert hits.to_dicts() == [one.to_json() for one in hits]
    assert hits.to_dicts()[0]["metadata"] == {"at": "2024-05-01T12:00:00Z"}
    assert json.loads(json.dumps(hits.to_dicts())) == hits.to_dicts()


def test_added_tables_come_back(index: ImageIndex, empty: ImageIndex) -> None:
    """What one index gives as a table, another takes: with its fields and their types."""
    table = index.get("b").to_arrow().append_column("image", pa.array([b"not a picture"]))
    report = index.add(table, max_rejection_rate=1)
    assert report.rejections == {esclip.Reason.NOT_AN_IMAGE: 1}  # all but its picture was taken
