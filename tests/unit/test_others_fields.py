"""The fields of indexes that other programs made, and the values in their documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import esclip
from esclip._core.adoption import AdoptOptions
from esclip._core.options import resolve
from esclip._core.schema import Field, FieldType
from esclip._errors import ConfigError, IndexMismatch
from esclip.stores.engine.dialects import Engine
from esclip.stores.engine.index_bodies import mapping_body, schema_from_mapping
from esclip.stores.engine.layout import Layout, read_layout
from esclip.stores.engine.names import FieldNames
from esclip.stores.engine.others_fields import TakenFields, select_fields
from esclip.stores.engine.others_values import plain_value
from esclip.stores.engine.paths import place, value_at
from esclip.stores.engine.queries import number_ranges
from esclip.testing.documents import SCHEMA
from tests.odd_answers import variants

VECTOR = {"type": "knn_vector", "dimension": 512}
TEXT = {"type": "text"}
KEYWORD = {"type": "keyword"}


def select(properties: dict[str, Any], **options: Any) -> TakenFields:
    """The fields that are taken of a mapping."""
    return select_fields("theirs", Engine.OPENSEARCH, properties, resolve(AdoptOptions, options))


def test_fields_by_usual_names() -> None:
    """The names of the article's mapping need no option; of the others each has its type, or a reason."""
    taken = select(
        {
            "photo_id": KEYWORD,
            "photo_url": {"type": "keyword", "index": False},
            "describe": TEXT,
            "photo_embedding": VECTOR,
            "city": TEXT | {"fields": {"keyword": KEYWORD}},
            "story": TEXT,
            "width": {"type": "integer"},
            "hidden": {"type": "keyword", "index": False},
            "day": {"type": "date", "format": "yyyyMMdd"},
            "moment": {"type": "date", "format": "strict_date_optional_time||epoch_millis"},
            "user": {"properties": {"name": KEYWORD}},
            "words": TEXT,
            "esclip_page": KEYWORD,
            "a.b": KEYWORD,
        }
    )
    assert taken[:5] == ("photo_embedding", "photo_id", False, "photo_url", "describe")
    assert taken.fields == (
        Field("city", FieldType.KEYWORD),
        Field("story", FieldType.TEXT),
        Field("width", FieldType.INTEGER),
        Field("moment", FieldType.DATE),
    )
    assert taken.paths["city"] == "city.keyword"
    assert set(taken.passed_over) == {"hidden", "day", "user", "words", "esclip_page", "a.b"}


def test_fields_by_options() -> None:
    """Fields are named where several may be meant; an empty name is none, _id the documents' own id."""
    properties = {
        "one": VECTOR,
        "two": VECTOR,
        "id": KEYWORD,
        "url": TEXT,
        "about": TEXT,
        "n": {"type": "double"},
    }
    with pytest.raises(ConfigError, match=r"several fields of vectors: one, two; name one as vector_field"):
        select(properties)
    taken = select(
        properties, vector_field="two", id_field="_id", location_field="", description_field="about"
    )
    assert taken[:5] == ("two", "_id", False, None, "about")
    assert taken.passed_over == {"one": "it is knn_vector", "id": "esclip uses its name, or can't"}
    for option, name, words in (
        ("vector_field", "onee", "it has one"),
        ("vector_field", "n", "is double, not knn_vector"),
        ("id_field", "n", "is double: ids are of a keyword"),
        ("id_field", "about", "name another one as id_field"),
        ("location_field", "urls", "it has url"),
        ("description_field", "n", "is double, not text or keyword"),
    ):
        with pytest.raises(ConfigError, match=words):
            select(properties, **{"vector_field": "one", option: name})
    with pytest.raises(IndexMismatch, match="no field of vectors"):
        select({"id": KEYWORD})


OBJECTS: dict[str, Any] = {
    "photo": {
        "properties": {
            "number": {"type": "integer"},
            "story": TEXT | {"fields": {"keyword": KEYWORD}},
            "urls": {"properties": {"full": {"type": "keyword", "index": False}}},
            "clip": VECTOR,
        }
    },
    "crops": {"type": "nested", "properties": {"name": KEYWORD, "clip": VECTOR}},
    "country": KEYWORD,
}


def test_fields_in_objects() -> None:
    """They are named by their paths, also by the keyword below a text; of nested ones there are several."""
    taken = select(
        OBJECTS,
        id_field="photo.number",
        location_field="photo.urls.full",
        description_field="photo.story.keyword",
    )
    assert taken[:5] == ("photo.clip", "photo.number", True, "photo.urls.full", "photo.story")
    assert taken.paths == {"photo.number": "photo.number", "country": "country"}
    assert taken.passed_over == {"crops": "it is nested"}
    taken = select(OBJECTS, id_field="photo.story.keyword")
    assert (taken.id, taken.paths[taken.id]) == ("photo.story", "photo.story.keyword")
    assert taken.passed_over == {"photo": "it is object", "crops": "it is nested"}
    for option, name in (("id_field", "crops.name"), ("vector_field", "crops.clip")):
        with pytest.raises(ConfigError, match="is within nested objects, several to a document"):
            select(OBJECTS, **{option: name})
    with pytest.raises(IndexMismatch, match=r"none is knn_vector; those of crops\.clip are nested"):
        select({"crops": OBJECTS["crops"], "id": KEYWORD})
    with pytest.raises(ConfigError, match=r"no field 'photo\.urls\.fall'; it has photo\.urls\.full"):
        select(OBJECTS, location_field="photo.urls.fall")
    assert select({"photo_id": {"type": "long"}, "clip": VECTOR})[1:3] == ("photo_id", True)


@pytest.mark.parametrize(
    ("document", "path", "expected"),
    [
        ({"a": {"b": {"c": 1}}}, "a.b.c", 1),
        ({"a.b": {"c": 1}}, "a.b.c", 1),
        ({"a": {"b.c": 1}}, "a.b.c", 1),
        ({"a.b.c": 1}, "a.b.c", 1),
        ({"a": [{"x": 1}, {"b": 2}, {"b": 3}]}, "a.b", 2),
        ({"a": {"b": [1, 2]}}, "a.b", [1, 2]),
        ({"a": 1}, "a.b", None),
        ({}, "a", None),
    ],
)
def test_values_at_paths(document: Any, path: str, expected: Any) -> None:
    """Objects are written as such, as names with dots, or as lists of objects."""
    assert value_at(document, path) == expected


def test_placed_values() -> None:
    """What is placed at paths is found there, beside what else is placed."""
    fields: dict[str, Any] = {}
    place(fields, "a.b.c", 1)
    place(fields, "a.b.d", 2)
    place(fields, "e", 3)
    assert fields == {"a": {"b": {"c": 1, "d": 2}}, "e": 3}


def test_ids_that_are_numbers() -> None:
    """Documents have them as numbers, ids are their texts; no other text is one's id."""
    names = FieldNames.of_others(
        {"vector": "clip", "id": "photo.number"}, {"photo.number": "photo.number"}, numeric_ids=True
    )
    layout = Layout(SCHEMA, names)
    for written, id in ((7, "7"), ("7", "7"), (7.0, "7"), (0, "0")):
        assert layout.id_of({"_id": "x", "_source": {"photo": {"number": written}}}) == id
    assert names.id_values(["7", "0", "07", "-7", "7.0", "seven", "", "\u0667", str(2**63)]) == ["7", "0"]
    assert layout.to_fields({"id": "7", "vector": [1]}) == {"photo": {"number": 7}, "clip": [1]}
    assert layout.to_fields({"id": "seven"}) == {"photo": {"number": "seven"}}  # which the engine rejects
    assert FieldNames.read({"_meta": {"esclip": {"adopted": names.to_json()}}}) == names


@pytest.mark.parametrize(
    "after", ["", "0", "00", "012", "1", "10", "1999", "2000", "a", "1a", "1-", "19-", "é"]
)
def test_ranges_of_numbers(after: str) -> None:
    """They are the numbers whose texts come after another text."""
    ranges = number_ranges(after)
    found = {number for low, high in ranges for number in range(low, min(high, 2000) + 1)}
    assert found == {number for number in range(2001) if str(number) > after}
    assert all(low <= high < 2**63 for low, high in ranges)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("a", FieldType.KEYWORD, "a"),
        (["a", "b"], FieldType.KEYWORD, "a"),
        (5, FieldType.KEYWORD, "5"),
        ({}, FieldType.KEYWORD, None),
        ("half \ud83d", FieldType.TEXT, None),
        ("a", FieldType.KEYWORDS, ["a"]),
        (["a", 5, None, {}], FieldType.KEYWORDS, ["a", "5"]),
        ([], FieldType.KEYWORDS, None),
        ("12", FieldType.INTEGER, 12),
        (12.0, FieldType.INTEGER, 12),
        (2**63, FieldType.INTEGER, None),
        (True, FieldType.INTEGER, None),
        ("nan", FieldType.FLOAT, None),
        (10**400, FieldType.FLOAT, None),
        (["1e3"], FieldType.FLOAT, 1000.0),
        ("true", FieldType.BOOLEAN, True),
        (False, FieldType.BOOLEAN, False),
        (1, FieldType.BOOLEAN, None),
        ("2020-01-02", FieldType.DATE, "2020-01-02T00:00:00+00:00"),
        ("2020-01-02T03:04:05+01:00", FieldType.DATE, "2020-01-02T03:04:05+01:00"),
        (1577934245000, FieldType.DATE, "2020-01-02T03:04:05+00:00"),
        ("1577934245000", FieldType.DATE, "2020-01-02T03:04:05+00:00"),
        ("yesterday", FieldType.DATE, None),
        (10**30, FieldType.DATE, None),
        ({"lat": "50", "lon": 10}, FieldType.GEO_POINT, {"lat": 50.0, "lon": 10.0}),
        ([10, 50], FieldType.GEO_POINT, {"lat": 50.0, "lon": 10.0}),
        ([{"lat": 50, "lon": 10}, {"lat": 1, "lon": 1}], FieldType.GEO_POINT, {"lat": 50.0, "lon": 10.0}),
        ("50, 10", FieldType.GEO_POINT, {"lat": 50.0, "lon": 10.0}),
        ({"type": "Point", "coordinates": [10, 50]}, FieldType.GEO_POINT, {"lat": 50.0, "lon": 10.0}),
        ("u4pruyd", FieldType.GEO_POINT, None),
        ([10, 500], FieldType.GEO_POINT, None),
    ],
)
def test_values(value: Any, kind: FieldType, expected: Any) -> None:
    """Values are those of esclip's types however a program wrote them, or none."""
    assert plain_value(value, kind) == expected


@pytest.mark.parametrize("kind", FieldType)
def test_odd_values(kind: FieldType) -> None:
    """No value of a document makes a search fail."""
    for value in variants({"lat": [1, "a"], "lon": {"type": "Point", "coordinates": [1, 2]}}):
        plain_value(value, kind)
        plain_value([value], kind)


def test_odd_names() -> None:
    """A mapping with names that no adoption wrote is one of others; with those of one, it is read again."""
    names = FieldNames.of_others(
        {"vector": "e", "id": "photo_id"}, {"photo_id": "photo_id.raw", "country": "country"}
    )
    mapping = {"properties": {"e": VECTOR}, **mapping_body(SCHEMA, {"theirs": 1}, names, {"e"})}
    layout = read_layout(mapping)
    assert (layout.names, layout.schema) == (names, SCHEMA)
    assert (names.location, names.path(names.id)) == ("esclip_location", "photo_id.raw")
    assert mapping["_meta"]["theirs"] == 1
    stored = mapping["_meta"]["esclip"]
    for odd in variants(stored["adopted"]):
        try:
            FieldNames.read({"_meta": {"esclip": stored | {"adopted": odd}}})
        except (LookupError, TypeError, ValueError, AttributeError):
            continue
    assert schema_from_mapping(mapping) == SCHEMA


def test_only_of_clusters(tmp_path: Path) -> None:
    """A folder has no index of others."""
    with (
        esclip.open_index(tmp_path / "store", encoder="palette") as index,
        pytest.raises(ConfigError, match="no cluster"),
    ):
        index.adopt()
    with pytest.raises(ConfigError, match="give one"):
        index.adopt(undo=True, dry_run=True)
