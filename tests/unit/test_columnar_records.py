"""Records of a Parquet file by columns: those that each row gives by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esclip._core.schema import Field, FieldType
from esclip.sources.memory.source import MemorySource
from esclip.sources.tables.columns import RecordColumns
from esclip.sources.tables.source import TableSource

URLS = (
    "https://example.org/a.jpg",
    " http://example.org/ü.jpg",
    "HTTPS://example.org/b.jpg",
    "s3://bucket/a.jpg",
)
ODD_URLS = ("", "no address", "a.jpg", "data:image/png;base64,AAAA", "ftp://example.org/a.jpg")
TEXTS = st.none() | st.sampled_from(["", " ", "a", " b ", "u\u0308", "x" * 600, "\x07"])
INTEGERS = st.none() | st.sampled_from([0, -1, 2**63 - 1])
FLOATS = st.none() | st.sampled_from([0.5, -1.0, float("nan"), float("inf")])
DATES = st.none() | st.sampled_from([datetime(2024, 5, 1, 1, 2, 3, 456789, tzinfo=UTC)])
LISTS = st.none() | st.lists(st.sampled_from(["a", "u\u0308"]), max_size=2)
ROW = st.tuples(
    st.none() | st.sampled_from([*URLS, *ODD_URLS]),
    TEXTS,
    TEXTS,
    TEXTS,
    TEXTS,
    INTEGERS,
    FLOATS,
    DATES,
    LISTS,
)
NAMES = ("url", "id", "caption", "page", "title", "likes", "weight", "taken", "tags")
TYPES = (*[pa.string()] * 5, pa.int64(), pa.float64(), pa.timestamp("us", "UTC"), pa.list_(pa.string()))


def both(file: Path, columns: RecordColumns, known: list[Field]) -> tuple[list[object], list[object]]:
    """What the table gives, and what its rows give one by one."""
    source = TableSource(file, columns, known)
    return list(source.records(Event())), list(MemorySource.records(source, Event()))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    st.lists(ROW, max_size=12),
    st.sampled_from([RecordColumns(), RecordColumns(captions="title"), RecordColumns(id="likes")]),
    st.sampled_from([[], [Field("likes", FieldType.KEYWORD)], [Field("title", FieldType.KEYWORDS)]]),
)
def test_records_are_those_of_the_rows(
    tmp_path: Path, rows: list[tuple[object, ...]], columns: RecordColumns, known: list[Field]
) -> None:
    """Also those that are rejected, with the same words."""
    values = [[row[place] for row in rows] for place in range(len(NAMES))]
    arrays = [pa.array(column, type) for column, type in zip(values, TYPES, strict=True)]
    pq.write_table(pa.table(arrays, names=list(NAMES)), tmp_path / "list.parquet")
    by_columns, by_rows = both(tmp_path / "list.parquet", columns, known)
    assert by_columns == by_rows


@pytest.mark.parametrize(
    "type", [pa.uint64(), pa.int8(), pa.bool_(), pa.decimal128(12, 2), pa.float32(), pa.date32()]
)
def test_other_types_of_columns_are_read_alike(tmp_path: Path, type: pa.DataType) -> None:
    """A number beyond what a field holds is a rejection either way."""
    values = pa.array([0, 1, None, 1], pa.int32())
    column = pa.array([2**64 - 1, 1, None, 1], type) if type == pa.uint64() else values.cast(type, safe=False)
    urls = [f"https://example.org/{number}.jpg" for number in range(4)]
    pq.write_table(pa.table({"url": urls, "value": column}), tmp_path / "list.parquet")
    by_columns, by_rows = both(tmp_path / "list.parquet", RecordColumns(), [])
    assert len(by_rows) == 4
    assert by_columns == by_rows
