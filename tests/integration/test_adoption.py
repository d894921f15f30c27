"""Indexes of real engines that other programs made: in the way of tutorials, and from mappings/*.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

import esclip
from esclip import (
    AdoptOptions,
    ConfigError,
    ImageIndex,
    IndexExists,
    IndexMismatch,
    IndexNotFound,
    Keywords,
    Query,
)
from esclip._core.types import unit_rows
from scripts.render_mappings import MAPPINGS
from tests.command_line import Esclip
from tests.engines import engine_access, engine_address, http

pytestmark = pytest.mark.engine

ENGINES = ("opensearch2", "elasticsearch")
COUNT = 40
ENCODER = esclip.load_encoder("palette")
DIM = ENCODER.space.dim
RED = ENCODER.encode_texts(["red"])[0]


@pytest.fixture(scope="module", params=ENGINES)
def address(request: pytest.FixtureRequest) -> str:
    """The address of each engine."""
    return engine_address(request.param)


def is_opensearch(address: str) -> bool:
    return address == engine_address("opensearch2")


def vector_field(address: str, **changes: Any) -> dict[str, Any]:
    """A field of vectors in the way of tutorials."""
    if "field" in changes:
        field: dict[str, Any] = changes["field"]
        return field
    if is_opensearch(address):
        method = {
            "name": "hnsw",
            "engine": changes.get("library", "lucene"),
            "space_type": changes.get("space", "cosinesimil"),
        }
        return {"type": "knn_vector", "dimension": changes.get("dim", DIM), "method": method}
    space = {"l2": "l2_norm"}.get(changes.get("space", ""), changes.get("space", "cosine"))
    return {"type": "dense_vector", "dims": changes.get("dim", DIM), "index": True, "similarity": space}


def vectors() -> Any:
    """Vectors of other lengths than one, of which some are like red."""
    rows = np.random.default_rng(16).standard_normal((COUNT, DIM)) + 3 * RED * (np.arange(COUNT)[:, None] % 2)
    return rows.astype(np.float32)


def documents() -> list[dict[str, Any]]:
    """What a tutorial's loop over a table writes, and three rows without a vector."""
    rows: list[dict[str, Any]] = [
        {
            "photo_id": f"photo{n:02}",
            "photo_url": f"https://images.example.org/{n}",
            "describe": f"a picture, number {n}",
            "photo_embedding": vector.tolist(),
            "country": ("Norway", "Japan")[n % 2],
            "tags": ["sea", "sky"] if n % 4 else "sky",
            "likes": n,
            "taken": f"2020-01-{n % 28 + 1:02}" if n % 3 else 1577836800000 + 86_400_000 * (n % 28),
            "place": [10.0, 50.0 + n] if n % 2 else f"{50.0 + n},10",
            "extra": {"camera": "made up"},
        }
        for n, vector in enumerate(vectors())
    ]
    return [*rows, *({"photo_id": f"bare{n}", "describe": "no vector"} for n in range(3))]


PROPERTIES = {
    "photo_id": {"type": "keyword"},
    "photo_url": {"type": "keyword", "index": False, "doc_values": False},
    "describe": {"type": "text"},
    "country": {"type": "text", "fields": {"raw": {"type": "keyword", "ignore_above": 256}}},
    "tags": {"type": "keyword"},
    "likes": {"type": "integer"},
    "taken": {"type": "date"},
    "place": {"type": "geo_point"},
    "extra": {"properties": {"camera": {"type": "keyword"}}},
}


@contextmanager
def made(
    address: str,
    rows: list[dict[str, Any]],
    fields: Mapping[str, Any] = PROPERTIES,
    key: Callable[[dict[str, Any]], str | None] = lambda row: None,
    name: str = "esclip-test-{}",
    settings: Mapping[str, Any] = {},
    **vector: Any,
) -> Iterator[ImageIndex]:
    """An index of these documents, whose ids the engine gives where `key` gives none; open, not adopted."""
    url = f"{address}/{name.format(uuid4().hex)}"
    given: dict[str, Any] = {"number_of_shards": 2, "number_of_replicas": 0, "refresh_interval": "60s"}
    given |= {"knn": True, **settings} if is_opensearch(address) else settings
    properties = {"photo_embedding": vector_field(address, **vector), **fields}
    http(
        "PUT",
        url,
        {"settings": {"index": given}, "mappings": {"dynamic": "strict", "properties": properties}},
    )
    lines = [line for row in rows for line in ({"index": {"_id": key(row)} if key(row) else {}}, row)]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    assert not rows or not http("POST", f"{url}/_bulk?refresh=true", body)["errors"]
    name = url.rpartition("/")[2]
    try:
        with esclip.open_index(address, name, encoder=ENCODER, auth=engine_access(address)) as index:
            yield index
    finally:
        http("DELETE", url, ok=(200, 404))


@pytest.fixture(scope="module")
def adopted(address: str) -> Iterator[ImageIndex]:
    """Such an index, adopted and only read."""
    with made(address, documents()) as index:
        index.adopt()
        yield index


def best(query: Any, allowed: Callable[[int], bool] = lambda n: True) -> list[tuple[str, float]]:
    """Ids and cosines of all allowed documents, compared one by one."""
    scores = unit_rows(vectors()).astype(np.float64) @ query
    ranked = sorted((-score, f"photo{n:02}") for n, score in enumerate(scores) if allowed(n))
    return [(id, -score) for score, id in ranked]


def ids(hits: Any) -> list[str]:
    """The ids of hits."""
    return [hit.id for hit in hits]


def assert_same(hits: Any, expected: list[tuple[str, float]]) -> None:
    """The same ids in the same order, with true cosines and the locations of their documents."""
    assert [hit.id for hit in hits] == [id for id, _ in expected]
    assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected], abs=2e-6)
    assert all(hit.location == f"https://images.example.org/{int(hit.id[5:])}" for hit in hits)


def test_searches_by_text_and_picture(adopted: ImageIndex) -> None:
    """Hits are those of a comparison with every vector, page by page, and their scores true cosines."""
    everything = best(RED)
    assert_same(adopted.search_text("red", k=COUNT + 5), everything)
    assert_same(adopted.search_text("red", k=7, offset=7), everything[7:14])
    assert_same(adopted.search_text("red", k=9, exact=True), everything[:9])
    picture = Image.new("RGB", (32, 32), (200, 30, 40))
    query = ENCODER.encode_images([ENCODER.preprocess(picture)])[0]
    assert_same(adopted.search_image(picture, k=12), best(query)[:12])
    (first,) = adopted.search_text("red", k=1)
    assert first.description == f"a picture, number {int(first.id[5:])}"


@pytest.mark.parametrize(
    ("where", "allowed"),
    [
        ("country=Norway", lambda n: n % 2 == 0),
        ("tags=sea", lambda n: n % 4 != 0),
        ("likes>=30", lambda n: n >= 30),
        ("taken<2020-01-05", lambda n: n % 28 < 4),
        ("near(place,60,10,50km)", lambda n: n == 10),
        ("country=Japan & !exists(extra_camera)", None),
    ],
)
def test_filters(adopted: ImageIndex, where: str, allowed: Callable[[int], bool] | None) -> None:
    """Fields of the mapping are fields of filters, by their keyword where they are texts with one."""
    if allowed is None:
        with pytest.raises(esclip.FieldNotFound, match="extra_camera"):
            adopted.search_text("red", where=where)
        return
    assert_same(adopted.search_text("red", k=COUNT, where=where), best(RED, allowed))


def test_reads(adopted: ImageIndex) -> None:
    """Documents are read by id, listed in order and compared, whatever _id the engine gave them."""
    assert [*adopted.ids()] == [f"photo{n:02}" for n in range(COUNT)]
    assert [*adopted.ids(after="photo37")] == ["photo38", "photo39"]
    assert len(adopted) == adopted.stats().documents == COUNT
    assert "photo03" in adopted
    assert "bare0" in adopted  # for an ingest, which gives it a vector
    found = adopted.get(["photo03", "bare0", "none"])
    assert found.missing == ("bare0", "none")
    (document,) = found
    assert document.vector == pytest.approx(unit_rows(vectors())[3], abs=1e-6)
    assert document.record.metadata == {
        "country": "Japan",
        "tags": ("sea", "sky"),
        "likes": 3,
        "taken": datetime(2020, 1, 4, tzinfo=UTC),
        "place": esclip.GeoPoint(53.0, 10.0),
    }
    assert_same(adopted.similar("photo03", k=5), best(document.vector)[1:6])
    assert ids(adopted.search(Query(where="likes<3", sort="-likes"))) == ["photo02", "photo01", "photo00"]
    assert esclip.audit(adopted, queries=5).lowest == 1.0
    countries = adopted.facets("country")["country"].values
    assert [(value.value, value.count) for value in countries] == [("Japan", 20), ("Norway", 20)]
    assert adopted.duplicates() == []


def test_words_are_missing(adopted: ImageIndex) -> None:
    """A search by words says that documents have none, and how they get some."""
    for query in (Query(Keywords("picture")), Query("red", where={"words": "picture"})):
        with pytest.raises(ConfigError, match=r"made by another program.*export"):
            adopted.search(query)


def test_way_out(adopted: ImageIndex, tmp_path: Path) -> None:
    """An export, imported elsewhere, is an index of esclip's own: with words, and with the same hits."""
    assert adopted.export(tmp_path / "cache").documents == COUNT
    with esclip.open_index(tmp_path / "store", encoder=ENCODER) as own:
        assert own.import_vectors(tmp_path / "cache").written == COUNT
        assert_same(own.search_text("red", k=5), best(RED)[:5])
        assert ids(own.search(Query(Keywords("number 7"))))[0] == "photo07"
        own.drop()


def test_ingest(address: str) -> None:
    """What the index holds is encoded anew and written into its document, whose other fields stay."""
    with made(address, documents()[:6] + documents()[-1:]) as index:
        index.adopt()
        before = _sources(index)
        records = [
            {"id": "photo01", "image": Image.new("RGB", (32, 32), "red"), "likes": 77, "shop": "oslo"},
            {"id": "bare2", "image": Image.new("RGB", (32, 32), "blue")},
            {"id": "fresh", "image": Image.new("RGB", (32, 32), "red"), "description": "a red door"},
        ]
        assert index.add(records).written == 3
        assert index.add(records).skipped == 3
        after = _sources(index)
        assert len(after) == 8  # one is new
        assert {key for key in after if key not in before} == {"fresh"}
        assert {name: after["fresh"][name] for name in ("photo_id", "photo_url", "describe")} == {
            "photo_id": "fresh",
            "photo_url": "memory:fresh",
            "describe": "a red door",
        }
        (changed,) = [one for one in after.values() if one["photo_id"] == "photo01"]
        assert (changed["country"], changed["likes"], changed["shop"]) == ("Japan", 77, "oslo")
        assert (changed["extra"], changed["describe"]) == ({"camera": "made up"}, "a picture, number 1")
        assert {key: one for key, one in after.items() if one["photo_id"] in ("photo00", "photo05")} == {
            key: one for key, one in before.items() if one["photo_id"] in ("photo00", "photo05")
        }
        assert ids(index.search_text("red", k=2)) == ["fresh", "photo01"]
        assert ids(index.search(Query(Keywords("door")))) == ["fresh"]
        assert ids(index.search_text("red", where="shop=oslo")) == ["photo01"]
        assert index.delete(["photo00", "fresh"]) == 2
        assert len(index) == 6
        with pytest.raises(esclip.StoreError, match="another program"):
            index.drop()
        with pytest.raises(IndexMismatch, match="likes is integer"):
            index.add(
                {"id": "x", "image": Image.new("RGB", (9, 9)), "likes": "many"}, fields={"likes": "keyword"}
            )
        with pytest.raises(IndexMismatch, match="extra is another program's"):
            index.add({"id": "x", "image": Image.new("RGB", (9, 9)), "extra": "text"})


def _sources(index: ImageIndex) -> dict[str, Any]:
    """The documents as the engine has them, without vectors."""
    url = f"{index.store.address}/{index.store.index}"
    http("POST", f"{url}/_refresh")
    found = http("POST", f"{url}/_search", {"size": 100, "_source": {"excludes": ["photo_embedding"]}})
    return {hit["_id"]: hit["_source"] for hit in found["hits"]["hits"]}


def test_mapping_alone_changes(address: str) -> None:
    """A dry run changes nothing, an adoption the mapping's _meta, which undoing it makes as it was."""
    with made(address, documents()[:6]) as index:
        url = f"{address}/{index.store.index}"
        before = http("GET", f"{url}/_mapping")
        with pytest.raises(IndexExists, match=r"not one that esclip made.*adopt\(\)"):
            index.search_text("red")
        found = index.adopt(dry_run=True)
        assert found is not None
        assert (found.documents, found.left_out, found.checked_ids) == (6, 0, 6)
        assert [row.id for row in found.samples] == ["photo00", "photo01", "photo02"]
        assert dict(found.passed_over) == {"extra": "it is object"}
        assert http("GET", f"{url}/_mapping") == before
        adoption = index.adopt()
        assert adoption is not None
        assert adoption.to_json() == found.to_json() | {"dry_run": False}
        with pytest.raises(ConfigError, match="adopted before"):
            index.adopt()
        mapping = http("GET", f"{url}/_mapping")[index.store.index]["mappings"]
        assert "esclip" in mapping.pop("_meta")
        assert mapping == before[index.store.index]["mappings"]
        assert index.adopt(undo=True) is None
        assert not http("GET", f"{url}/_mapping")[index.store.index]["mappings"].get("_meta")
        with pytest.raises(ConfigError, match="nothing to undo"):
            index.adopt(undo=True)


def test_command(quick_esclip: Esclip, address: str) -> None:
    """The command prints what it found, with a warning of what nobody has checked; searches follow."""
    with made(address, documents()) as index:
        where = ("--store", address, "--index", index.store.index)
        lacking = quick_esclip("adopt", *where, status=1)
        assert "which model made its vectors; name one with --encoder" in lacking.err
        shown = quick_esclip("adopt", *where, "--encoder", "palette", "--dry-run")
        assert f"photo_embedding: {DIM} dimensions, cosine" in shown.out
        assert "photo00\ta picture, number 0\thttps://images.example.org/0" in shown.out
        assert "is your word" in shown.err
        assert "3 documents without a vector or an id can't be found" in shown.err
        told = quick_esclip("adopt", *where, "--encoder", "palette", "--json").json
        assert (told["documents"], told["id_field"], told["location_field"]) == (
            COUNT,
            "photo_id",
            "photo_url",
        )
        hits = quick_esclip("search-text", "red", *where, "-k", "3", "--json").hits
        assert [hit["id"] for hit in hits] == [id for id, _ in best(RED)[:3]]
        assert quick_esclip("stats", *where, "--json").json["adopted"] is True
        listed = quick_esclip("indexes", "--store", address, "--json").hits
        assert [one["adopted"] for one in listed if one["index"] == index.store.index] == [True]
        assert "as before" in quick_esclip("adopt", *where, "--undo").err


def test_refusals(address: str) -> None:
    """What can't be searched with true cosines, or whose ids are not one document's, is not adopted."""
    row = documents()[0]
    other: Any = {"library": "nmslib", "space": "linf"} if is_opensearch(address) else {"space": "l2"}
    with made(address, [], **other) as index, pytest.raises(IndexMismatch, match=r"by l.*no cosines"):
        index.adopt()
    with (
        made(address, [], dim=DIM + 1) as index,
        pytest.raises(IndexMismatch, match=rf"{DIM + 1} dim.*{DIM}"),
    ):
        index.adopt()
    with (
        made(address, [row, row]) as index,
        pytest.raises(IndexMismatch, match=r"several.*photo00"),
    ):
        index.adopt()
    without = {name: value for name, value in row.items() if name != "photo_id"}
    with made(address, [row, without]) as index, pytest.raises(IndexMismatch, match="1 document with a vec"):
        index.adopt()
    with made(address, [row]) as index:
        for name, value, words in (
            ("vector_field", "photo_embeding", "it has photo_embedding"),
            ("vector_field", "describe", "is text"),
            ("id_field", "describe", "is text"),
            ("location_field", "likes", "integer"),
        ):
            with pytest.raises(ConfigError, match=words):
                index.adopt(**cast(AdoptOptions, {name: value}))
        with (
            esclip.open_index(address, f"{index.store.index}x", encoder=ENCODER) as missing,
            pytest.raises(IndexNotFound, match=f"with vectors there is {index.store.index}"),
        ):
            missing.adopt()


def test_ids_of_documents(address: str) -> None:
    """Where ids are the documents' own, they are ordered by them, where the engine allows that."""
    fields = {name: value for name, value in PROPERTIES.items() if name != "photo_id"}
    rows = [{name: value for name, value in row.items() if name != "photo_id"} for row in documents()[:COUNT]]
    with made(address, rows, fields, key=lambda row: f"photo{row['likes']:02}") as index:
        if not is_opensearch(address):
            with pytest.raises(ConfigError, match="id_field_data"):
                index.adopt()
            return
        adoption = index.adopt()
        assert adoption is not None
        assert adoption.id_field == "_id"
        assert_same(index.search_text("red", k=COUNT, exact=True), best(RED))
        assert [*index.ids(after="photo37")] == ["photo38", "photo39"]
        assert index.add({"id": "photo01", "image": Image.new("RGB", (32, 32), "red")}).written == 1
        assert index.get("photo01")[0].record.metadata["likes"] == 1
        assert len(index) == COUNT


@contextmanager
def made_by_hand(address: str, level: str = "", dim: int = DIM) -> Iterator[ImageIndex]:
    """An index made from a file in mappings/, for vectors of so many dimensions; open."""
    kind = "opensearch" if is_opensearch(address) else "elasticsearch"
    body = json.loads((MAPPINGS / f"{kind}{level}.json").read_bytes())
    vector = body["mappings"]["properties"]["vector"]
    vector["dims" if "dims" in vector else "dimension"] = dim
    name = f"esclip-test-{uuid4().hex}"
    http("PUT", f"{address}/{name}", body)
    try:
        with esclip.open_index(address, name, encoder=ENCODER) as index:
            yield index
    finally:
        http("DELETE", f"{address}/{name}", ok=(200, 404))


@pytest.mark.parametrize("level", ["", "-int8"])
def test_mapping_files(address: str, level: str) -> None:
    """An index made from a file in mappings/ is esclip's own from the first ingest on."""
    with made_by_hand(address, level) as index:
        with pytest.raises(IndexNotFound):
            index.search_text("red")
        with pytest.raises(ConfigError, match="nothing in it to adopt"):
            index.adopt()
        images = {"red": Image.new("RGB", (32, 32), "red"), "blue": Image.new("RGB", (32, 32), "blue")}
        added = index.add([{"id": id, "image": image, "shop": "oslo"} for id, image in images.items()])
        assert added.written == 2
        assert ids(index.search_text("blue", k=1, where="shop=oslo")) == ["blue"]
        stats = index.stats()
        assert (stats.documents, stats.adopted, stats.vectors) == (2, False, level[1:] or "float")
        with pytest.raises(ConfigError, match="esclip's own"):
            index.adopt()
        index.drop()


def test_mapping_file_of_other_dimension(address: str) -> None:
    """An index of the file's own 512 dimensions is refused for a model of others, and stays as it is."""
    with made_by_hand(address, dim=512) as index:
        for _ in range(2):
            with pytest.raises(IndexMismatch, match=f"512 dimensions, not {DIM}"):
                index.add(Image.new("RGB", (32, 32), "red"))


def test_mapping_file_with_documents(address: str) -> None:
    """With documents of an unknown model in it, it has to be adopted; its fields have esclip's names."""
    row = {"id": "a", "location": "https://images.example.org/a", "vector": vectors()[0].tolist()}
    with made_by_hand(address) as index:
        http("PUT", f"{address}/{index.store.index}/_doc/1?refresh=true", row)
        with pytest.raises(IndexExists, match="adopt"):
            index.add(Image.new("RGB", (32, 32), "red"))
        adoption = index.adopt()
        assert adoption is not None
        assert (adoption.id_field, adoption.location_field) == ("id", "location")
        (hit,) = index.search_text("red")
        assert (hit.id, hit.location) == ("a", row["location"])


IN_OBJECTS = {
    "photo": {
        "properties": {
            "number": {"type": "long"},
            "story": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
            "urls": {"properties": {"regular": {"type": "keyword", "index": False}}},
        }
    },
    "likes": {"type": "integer"},
    "crops": {"type": "nested", "properties": {"name": {"type": "keyword"}}},
}
NAMED: AdoptOptions = {
    "id_field": "photo.number",
    "location_field": "photo.urls.regular",
    "description_field": "photo.story.keyword",
}


def numbered() -> list[dict[str, Any]]:
    """Documents with all but the vector in an object, whose ids are numbers: of one digit to three."""
    return [
        {
            "photo": {
                "number": 3 * n + 1,
                "story": f"number {n}",
                "urls": {"regular": f"https://images.example.org/{n}"},
            },
            "likes": n,
            "photo_embedding": vector.tolist(),
        }
        for n, vector in enumerate(vectors())
    ]


def test_numbers_in_objects(address: str) -> None:
    """Ids that are numbers, in an object: searched, listed in the order of texts, written into, deleted."""
    with made(address, numbered(), IN_OBJECTS) as index:
        adoption = index.adopt(**NAMED)
        assert adoption is not None
        assert (adoption.id_field, adoption.description_field) == ("photo.number", "photo.story")
        assert adoption.checked_ids == adoption.documents == COUNT
        known = [str(3 * n + 1) for n in range(COUNT)]
        best_ids = [str(3 * int(id[5:]) + 1) for id, _ in best(RED)]
        for exact in (False, True):
            hits = index.search_text("red", k=COUNT, exact=exact)
            assert ids(hits) == best_ids
            assert all(hit.description == f"number {(int(hit.id) - 1) // 3}" for hit in hits)
        assert [*index.ids()] == sorted(known)
        assert [*index.ids(after="37")] == [id for id in sorted(known) if id > "37"]
        assert ids(index.search(Query(where="likes>=30"))) == sorted(str(3 * n + 1) for n in range(30, COUNT))
        found = index.get(["4", "04", "five", "5", str(2**63)])
        assert found.missing == ("04", "five", "5", str(2**63))
        assert found[0].record.location == "https://images.example.org/1"
        image = Image.new("RGB", (32, 32), "red")
        added = index.add([{"id": id, "image": image} for id in ("4", "7000", "seven")])
        assert (added.written, added.rejected) == (2, 1)
        assert index.add([{"id": id, "image": image} for id in ("4", "7000")]).skipped == 2
        (changed,) = [one for one in _sources(index).values() if one["photo"]["number"] == 4]
        assert changed["photo"]["story"] == "number 1"
        assert changed["photo"]["urls"] == {"regular": "memory:4"}
        assert ids(index.search_text("red", k=2)) == ["4", "7000"]
        assert index.delete(["4", "7000", "seven"]) == 2
        assert len(index) == COUNT - 1


def test_numbers_that_are_no_ids(address: str) -> None:
    """Numbers below zero, those of two documents, and ids in nested objects are refused."""
    rows = numbered()[:3]
    for row in rows:
        row["photo"]["number"] = 0
    with made(address, rows, IN_OBJECTS) as index, pytest.raises(IndexMismatch, match="have '0' in field"):
        index.adopt(**NAMED)
    rows[1]["photo"]["number"] = -5
    with made(address, rows, IN_OBJECTS) as index:
        with pytest.raises(IndexMismatch, match=r"1 document .* below 0"):
            index.adopt(**NAMED)
        with pytest.raises(ConfigError, match="nested"):
            index.adopt(id_field="crops.name")


def test_doubles_at_the_end_of_a_page(address: str) -> None:
    """All ids are compared: two documents with one id are found wherever they are in the order."""
    vector = RED.tolist()
    for last in (9_999, 10_000):
        rows = [{"photo_id": f"{n:06}", "photo_embedding": vector} for n in range(10_001)]
        rows[last]["photo_id"] = rows[last - 1]["photo_id"]
        with (
            made(address, rows, {"photo_id": {"type": "keyword"}}) as index,
            pytest.raises(IndexMismatch, match=f"several documents .*{last - 1:06}"),
        ):
            index.adopt()


METRICS = {
    "opensearch2": [
        ("lucene", "l2"),
        ("lucene", "innerproduct"),
        ("faiss", "cosinesimil"),
        ("faiss", "l2"),
        ("faiss", "innerproduct"),
        ("nmslib", "cosinesimil"),
        ("nmslib", "l2"),
    ],
    "elasticsearch": [("", "dot_product")],
}


@pytest.mark.parametrize(
    ("name", "library", "space"), [(name, *one) for name, some in METRICS.items() for one in some]
)
def test_other_metrics(name: str, library: str, space: str) -> None:
    """Vectors of unit length that are compared otherwise: the same hits, with their true cosines."""
    address = engine_address(name)
    rows = documents()
    if space != "cosinesimil":
        for row, unit in zip(rows, unit_rows(vectors()), strict=False):
            row["photo_embedding"] = unit.tolist()
    # what these nodes have no native libraries for they compare in Java, all
    settings = {"knn.advanced.approximate_threshold": -1} if library in ("faiss", "nmslib") else {}
    with made(address, rows, space=space, library=library, settings=settings) as index:
        adoption = index.adopt()
        assert adoption is not None
        assert adoption.metric == (space if space in ("l2", "innerproduct") else "cosine")
        assert_same(index.search_text("red", k=COUNT), best(RED))
        assert_same(index.search_text("red", k=9, exact=True), best(RED)[:9])
        assert_same(index.search_text("red", k=5, where="likes>=30"), best(RED, lambda n: n >= 30)[:5])
        assert index.add({"id": "photo01", "image": Image.new("RGB", (32, 32), "red")}).written == 1
        assert ids(index.search_text("red", k=1)) == ["photo01"]


def test_vectors_that_give_no_cosines(address: str) -> None:
    """Others than of unit length where the metric is not cosine's, bytes, and vectors without an index."""
    if is_opensearch(address):
        with (
            made(address, documents(), space="l2") as index,
            pytest.raises(IndexMismatch, match="by l2, and not all of them have unit length"),
        ):
            index.adopt()
        method = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}
        fields = [
            ({"type": "knn_vector", "dimension": DIM, "data_type": "byte", "method": method}, "as byte"),
        ]
        with (
            made(
                address, [], settings={"knn": False}, field={"type": "knn_vector", "dimension": DIM}
            ) as index,
            pytest.raises(IndexMismatch, match="no index of vectors"),
        ):
            index.adopt()
    else:
        fields = [
            ({"type": "dense_vector", "dims": DIM, "element_type": "byte"}, "as byte"),
            ({"type": "dense_vector", "dims": DIM, "index": False}, "no index of vectors"),
            ({"type": "dense_vector", "dims": DIM, "similarity": "max_inner_product"}, "no cosines"),
            ({"type": "dense_vector"}, "no dimension"),
        ]
    for field, words in fields:
        with made(address, [], field=field) as index, pytest.raises(IndexMismatch, match=words):
            index.adopt()


@pytest.mark.parametrize("name", ["esclip-test-2026.11.29-{}", ".esclip-test-{}"])
def test_names_with_dots(address: str, name: str) -> None:
    """An index of a day, or a hidden one, is adopted, searched and written into by its name."""
    settings = {"hidden": True} if name.startswith(".") else {}
    with made(address, documents()[:6], name=name, settings=settings) as index:
        index.adopt()
        assert len(index.search_text("red", k=9)) == 6
        assert index.add({"id": "new", "image": Image.new("RGB", (32, 32), "red")}).written == 1
        assert len(index) == 7
        listed = [one.index for one in esclip.list_indexes(address, auth=engine_access(address))]
        assert (index.store.index in listed) is not name.startswith(".")


def test_aliases_and_closed_indexes(address: str) -> None:
    """An alias of one index stands for it; a closed index says how to open it, before and after adoption."""
    with made(address, documents()[:6]) as index:
        concrete = index.store.index
        http("PUT", f"{address}/{concrete}/_alias/{concrete}-alias")
        with esclip.open_index(address, f"{concrete}-alias", encoder=ENCODER) as alias:
            adoption = alias.adopt()
            assert adoption is not None
            assert adoption.index == concrete
            assert len(alias.search_text("red", k=9)) == 6
        http("POST", f"{address}/{concrete}/_close")
        for call in (lambda: index.search_text("red"), index.stats):
            with pytest.raises(esclip.StoreError, match=f"is closed; open it: POST /{concrete}/_open"):
                call()
        http("POST", f"{address}/{concrete}/_open")
        index.adopt(undo=True)
        http("POST", f"{address}/{concrete}/_close")
        with pytest.raises(esclip.StoreError, match="is closed; open it"):
            index.adopt()


def test_its_name_stays_its_own(address: str) -> None:
    """A switch of its name is refused before anything changes; another name points to it, away, and back."""
    with made(address, documents()[:6]) as index, open_beside(index, "-other") as other:
        index.adopt()
        other.add([{"id": "a", "image": Image.new("RGB", (32, 32), "red")}])
        name, alias = index.store.index, f"{index.store.index}-alias"
        before = names_of(index)
        switch = partial(esclip.switch_index, store=address, auth=engine_access(address), force=True)
        with pytest.raises(esclip.StoreError, match="by another program, which needs its name; take another"):
            switch(other.store.index, name)
        assert names_of(index) == before
        assert index.store.aliases() == ()
        assert index.add({"id": "new", "image": Image.new("RGB", (32, 32), "red")}).written == 1
        for to, found in ((index, 7), (other, 1), (index, 7)):
            switch(to.store.index, alias)
            with esclip.open_index(address, alias, encoder=ENCODER, auth=engine_access(address)) as opened:
                assert len(opened.search_text("red", k=9)) == found
        with pytest.raises(esclip.StoreError, match="esclip does not remove it"):
            index.drop()
        assert http("GET", f"{address}/{name}/_count")["count"] == 7


def names_of(index: ImageIndex) -> set[str]:
    """The names that begin with its own: other tests make and remove theirs on the same engine."""
    listed = esclip.list_indexes(index.store.address, auth=engine_access(index.store.address))
    return {one.index for one in listed if one.index.startswith(index.store.index)}


@contextmanager
def open_beside(index: ImageIndex, suffix: str) -> Iterator[ImageIndex]:
    """An index of esclip's own beside another one, removed with its aliases."""
    name = f"{index.store.index}{suffix}"
    auth = engine_access(index.store.address)
    try:
        with esclip.open_index(index.store.address, name, encoder=ENCODER, auth=auth) as other:
            yield other
    finally:
        http("DELETE", f"{index.store.address}/{name}", ok=(200, 404))


def test_an_adoption_by_others(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One who opened the index before searches it, however long a schema may serve."""
    monkeypatch.setattr("esclip.stores.engine.store.RECENT_S", 60.0)
    with made(address, documents()[:6]) as opened_before:
        assert opened_before.store.alias_target() is None
        with esclip.open_index(address, opened_before.store.index, encoder=ENCODER) as other:
            other.adopt()
        assert len(opened_before.search_text("red", k=9)) == 6


def test_data_streams() -> None:
    """One is refused, with the name of the index behind it, which can be adopted and searched."""
    address, name = engine_address("opensearch2"), f"esclip-stream-{uuid4().hex}"
    properties = {**PROPERTIES, "photo_embedding": vector_field(address), "@timestamp": {"type": "date"}}
    template = {"settings": {"index": {"knn": True}}, "mappings": {"properties": properties}}
    http(
        "PUT",
        f"{address}/_index_template/{name}",
        {"index_patterns": [name], "data_stream": {}, "template": template},
    )
    http("PUT", f"{address}/_data_stream/{name}")
    try:
        for row in documents()[:6]:
            http("POST", f"{address}/{name}/_doc?refresh=true", row | {"@timestamp": "2026-11-29"})
        with (
            esclip.open_index(address, name, encoder=ENCODER) as stream,
            pytest.raises(
                esclip.StoreError, match=r"is a data stream.*name the index behind it: \.ds-"
            ) as told,
        ):
            stream.adopt()
        behind = str(told.value).rpartition(" ")[2]
        with esclip.open_index(address, behind, encoder=ENCODER) as index:
            index.adopt()
            assert len(index.search_text("red", k=9)) == 6
    finally:
        http("DELETE", f"{address}/_data_stream/{name}")
        http("DELETE", f"{address}/_index_template/{name}")
