"""What an index says about itself, written by somebody who means harm: an error of one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest

import esclip
from esclip._core.schema import IndexSchema
from esclip._errors import StoreError
from esclip.stores.engine.index_bodies import schema_from_mapping
from esclip.testing.documents import SCHEMA

GOOD: dict[str, Any] = {
    **SCHEMA.to_json(),
    "runtimes": ["here"],
    "parts": ["crops"],
    "labelling": {"labels": ["dog", "cat"], "templates": ["{}"]},
    "calibration": {
        "text_model": "a",
        "documents": 100,
        "backgrounds": {"latin": {"quantiles": [0.1] * 12, "mean": 0.2, "deviation": 0.1}},
    },
}
SPACE = GOOD["space"]
LATIN = GOOD["calibration"]["backgrounds"]["latin"]


def _calibration(**changed: Any) -> dict[str, Any]:
    return {"calibration": GOOD["calibration"] | changed}


def _background(**changed: Any) -> dict[str, Any]:
    return _calibration(backgrounds={"latin": LATIN | changed})


def _each(make: Callable[[Any], dict[str, Any]], *values: Any) -> list[dict[str, Any]]:
    return [make(value) for value in values]


def _space(**changed: Any) -> dict[str, Any]:
    return {"space": SPACE | changed}


def _labelling(labels: Any, templates: Any) -> dict[str, Any]:
    return {"labelling": {"labels": labels, "templates": templates}}


ODD: list[dict[str, Any]] = [
    *_each(lambda version: {"version": version}, None, 2, "1", [1]),
    *_each(lambda space: {"space": space}, None, [], "x", {}, SPACE | {"more": 1}),
    *_each(lambda name: _space(model=name), None, 1, ["a"], {"a": 1}, "x" * 5000),
    *_each(lambda dim: _space(dim=dim), None, "8", 8.0, True, 0, -8, 10**9, [8]),
    *_each(lambda fields: {"fields": fields}, None, [], "x", {"a": "nothing"}, {"a": None}, {"a": ["date"]}),
    *_each(lambda runtimes: {"runtimes": runtimes}, 1, None, [1], [None], ["x" * 5000]),
    *_each(lambda parts: {"parts": parts}, 1, None, [1], ["ears"], [["crops"]]),
    *_each(lambda labelling: {"labelling": labelling}, None, [], 1, {"labels": ["a"]}),
    *_each(lambda labels: _labelling(labels, ["{}"]), 1, "dog", [1], [None], ["a\nb"]),
    *_each(lambda templates: _labelling(["a"], templates), "{}", [1], ["{}"] * 101, [[]]),
    *_each(lambda calibration: {"calibration": calibration}, None, [], 1, {}),
    *(_calibration(text_model=1), _calibration(documents="x"), _calibration(backgrounds=[])),
    *_each(lambda some: _background(quantiles=some), "x" * 12, ["x"] * 12, 3, [0.2] + [0.1] * 11),
    *(_background(mean=None), _background(mean=1e999), _background(deviation=[])),
]


def test_the_good_one_is_read() -> None:
    """What the odd ones were made of is a schema."""
    assert IndexSchema.from_json(GOOD).to_json() == GOOD


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: json.dumps(odd)[:60])
def test_an_odd_schema_is_a_value_error(odd: dict[str, Any]) -> None:
    """Other shapes, types and sizes, each by itself, are the one error that stores expect."""
    with pytest.raises(ValueError, match=r"."):
        IndexSchema.from_json(GOOD | odd)


@pytest.mark.parametrize("whole", [None, [], 1, "x", {}, {"order": 1}, {"order": ["a"], "fields": []}])
def test_an_odd_mapping_is_an_error_that_the_engine_store_expects(whole: Any) -> None:
    """So it is with what stands in a mapping's `_meta`."""
    for meta in ({"_meta": {"esclip": whole}}, {"_meta": whole}, {}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            schema_from_mapping(meta)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "[]",
        "7",
        "[" * 100_000,
        '{"version": 1}',
        json.dumps(GOOD | {"space": SPACE | {"dim": "8"}}),
        json.dumps(GOOD | {"labelling": {"labels": [1], "templates": ["{}"]}}),
        json.dumps(GOOD | {"runtimes": ["x" * 1000] * 5000}),
    ],
    ids=range(9),
)
def test_a_lance_folder_with_an_odd_schema_is_an_error(tmp_path: Path, text: str) -> None:
    """A folder that was handed over ends in a StoreError of one line, whatever is done with it."""
    columns = pa.schema([("id", pa.string())]).with_metadata({"esclip": text})
    lance.write_dataset(columns.empty_table(), tmp_path / "pictures.lance")
    with esclip.open_index(tmp_path, "pictures") as index:
        for use in (lambda: index.search_text("red"), index.stats, lambda: index.similar("a")):
            with pytest.raises(StoreError) as caught:
                use()
            assert "\n" not in str(caught.value)
