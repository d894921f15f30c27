"""Words of many records at once."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from esclip._core.analysis import analyze_document
from esclip._core.column_analysis import analyze_columns

TEXTS = st.none() | st.text("aB-9 _\n#é ßİΣ東京のन\u0301ñ", max_size=9) | st.just("x" * 70 + " running")
LISTS = st.none() | st.lists(TEXTS.filter(lambda text: text is not None), max_size=3)
ROWS = st.lists(st.tuples(TEXTS, TEXTS, LISTS, TEXTS | st.just("#aabbcc"), TEXTS), max_size=6)


@settings(deadline=None)
@given(ROWS)
def test_as_one_by_one(rows: list[tuple[Any, ...]]) -> None:
    """Each row has the words that its record would have by itself, sorted, each once."""
    names = ("", "country", "colors", "color", "folders")
    kinds = [pa.list_(pa.string()) if name == "colors" else pa.string() for name in names]
    columns = {
        name: pa.array([row[n] for row in rows], kind)
        for n, (name, kind) in enumerate(zip(names, kinds, strict=True))
    }
    expected = [
        sorted(
            analyze_document(
                text or "",
                {
                    name: tuple(value) if isinstance(value, list) else value
                    for name, value in zip(names[1:], values, strict=True)
                    if value is not None
                },
            )
        )
        for text, *values in rows
    ]
    assert analyze_columns(columns, len(rows)).to_pylist() == expected
