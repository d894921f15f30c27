"""Records that a program has: what is taken, under which id and place, and that nothing is held for long."""

from __future__ import annotations

import base64
import gc
import io
import json
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import ExifTags, Image

import esclip
from esclip import (
    ConfigError,
    Field,
    FieldType,
    GeoPoint,
    ImageIndex,
    ImageRecord,
    Reason,
    Rejection,
    Source,
    Stage,
)
from esclip._core.settings import MAX_PICTURE_BYTES
from esclip._core.types import file_id
from esclip.sources.memory.source import MemorySource
from esclip.stores.memory import MemoryStore
from esclip.testing.encoder import RecordingEncoder
from esclip.testing.source import SourceContract, records_of, rejections_of
from tests.plain_pictures import png
from tests.servers import PictureServer, body


def plain(color: str) -> Image.Image:
    """A picture of one colour."""
    return Image.new("RGB", (8, 6), color)


@pytest.fixture
def index() -> Iterator[ImageIndex]:
    """An empty index in memory."""
    with esclip.open_index(MemoryStore("added"), encoder="palette") as index:
        yield index


@pytest.fixture
def server() -> Iterator[PictureServer]:
    """A server of pictures, which has none yet."""
    with PictureServer({}) as running:
        yield running


class TestMemorySource(SourceContract):
    """A list of mappings, which a file holds as JSON."""

    @pytest.fixture
    def origin(self, tmp_path: Path) -> Path:
        rows = [
            {
                "id": f"id{n}",
                "image": base64.b64encode(png(color)).decode(),
                "likes": n,
                "at": f"2024-05-0{n}",
            }
            for n, color in enumerate(("red", "green", "blue"), start=1)
        ]
        rows.append({"id": "broken", "likes": 4, "at": "2024-05-04"})
        (tmp_path / "rows.json").write_text(json.dumps(rows))
        return tmp_path / "rows.json"

    def open(self, origin: Path) -> Source:
        rows = json.loads(origin.read_text())
        for row in rows:
            row["at"] = datetime.fromisoformat(row["at"])
            if "image" in row:
                row["image"] = base64.b64decode(row["image"])
        return MemorySource(rows)

    def change(self, origin: Path) -> set[str]:
        rows = json.loads(origin.read_text())
        rows[1]["likes"] = 100
        rows[2]["image"] = base64.b64encode(png("white")).decode()
        origin.write_text(json.dumps(rows))
        return {"id2", "id3"}


def one(item: Any, **options: Any) -> ImageRecord:
    """The record that an item becomes."""
    (record,) = MemorySource([item], **options).records(Event())
    assert isinstance(record, ImageRecord), record.detail
    return record


def problem(item: Any, **options: Any) -> Rejection:
    """The rejection that an item becomes."""
    (rejection,) = MemorySource([item], **options).records(Event())
    assert isinstance(rejection, Rejection)
    return rejection


def test_what_a_picture_can_be(photos: Path) -> None:
    """Bytes, open files, PIL images, arrays, data URIs are read; paths and addresses say where to read."""
    red = png()
    array = np.full((6, 8, 3), (255, 0, 0), np.uint8)
    uri = f"data:image/png;base64,{base64.b64encode(red).decode()}"
    item: Any
    for item in (red, bytearray(red), memoryview(red), io.BytesIO(red), uri, {"image": {"bytes": red}}):
        assert one(item).picture == red
    assert one(plain("red")).picture == one(array).picture
    assert one("data:,red%20%41").picture == b"red A"
    path = photos / "red.png"
    for item in (path, str(path), {"path": str(path)}, {"image": path}, {"image": {"path": str(path)}}):
        assert one(item).picture == path
    url = "https://example.org/a.jpg"
    for item in (url, {"url": url}, {"image": url}, {"image": None, "path": float("nan"), "url": url}):
        assert one(item).picture == url


def test_ids_are_made_of_the_picture(photos: Path, index: ImageIndex) -> None:
    """The same picture has the same id in every process; a file has that of its folder's ingest."""
    assert one(b"abc").id == one({"image": b"abc", "n": 1}).id == "ba7816bf8f01cfea414140de"
    assert (
        one(plain("red")).id
        == one(np.full((6, 8, 3), (255, 0, 0), np.uint8)).id
        == "aa7e0216e4697bab716a8844"
    )
    assert one(plain("red")).id != one(plain("blue")).id
    assert one(photos / "red.png").id == file_id(photos / "red.png")
    assert one("https://example.org/a.jpg").id == "700caca5ae8f856fc70b"
    assert one({"id": 7, "image": png()}).id == one({"id": np.int64(7), "image": png()}).id == "7"
    index.ingest(photos)
    assert index.add(photos / "red.png").skipped == 1


def test_locations_say_where_a_picture_is(photos: Path) -> None:
    """The location given, a URL, a file, or that the picture was only in memory."""
    assert one({"id": "a", "image": png()}).location == "memory:a"
    assert one({"id": "a", "image": png(), "url": "https://h/a"}).location == "https://h/a"
    assert one({"path": photos / "red.png", "url": "https://h/a"}).location == "https://h/a"
    assert one({"path": photos / "red.png"}).location == str(photos / "red.png")
    assert one({"id": "a", "image": png(), "location": "shelf 3"}).location == "shelf 3"
    assert one({"image": "data:,abc"}).location.startswith("memory:")


def test_metadata_gets_the_types_of_its_values() -> None:
    """Values of Python, NumPy and pandas; missing ones are left out."""
    nothing: list[Any] = [None, float("nan"), pd.NA, pd.NaT, "", [], ()]
    record = one(
        {
            "image": png(),
            "page": "https://h/page",
            "description": "a red one",
            "shop": "oslo",
            "count": np.int32(3),
            "price": Decimal("9.5"),
            "ratio": np.float32(0.5),
            "sold": np.bool_(True),
            "at": pd.Timestamp("2024-05-01 10:00:00.123456789", tz="Europe/Oslo"),
            "day": date(2024, 5, 1),
            "then": np.datetime64("2024-05-01T01:02:03"),
            "tags": {"b", "a"},
            "colors": np.array(["red", "blue"]),
            "place": {"lat": 60, "lon": 10.5},
            "point": GeoPoint(1.0, 2.0),
            **{f"no{n}": none for n, none in enumerate(nothing)},
        }
    )
    assert (record.page, record.description) == ("https://h/page", "a red one")
    assert record.metadata == {
        "shop": "oslo",
        "count": 3,
        "price": 9.5,
        "ratio": 0.5,
        "sold": True,
        "at": datetime(2024, 5, 1, 8, 0, 0, 123_000, tzinfo=UTC),
        "day": datetime(2024, 5, 1, tzinfo=UTC),
        "then": datetime(2024, 5, 1, 1, 2, 3, tzinfo=UTC),
        "tags": ("a", "b"),
        "colors": ("red", "blue"),
        "place": GeoPoint(60.0, 10.5),
        "point": GeoPoint(1.0, 2.0),
    }
    assert all(
        type(value).__module__ in ("builtins", "datetime", GeoPoint.__module__)
        for value in record.metadata.values()
    )


FACTS = {
    "width": "integer",
    "height": "integer",
    "color": "keyword",
}
"""What is kept of every picture, wherever it comes from."""


def test_types_of_fields_that_records_differ_in() -> None:
    """Whole numbers with fractions are floats, texts with lists lists; else the first type counts."""
    source = MemorySource(
        [
            {"image": png("red"), "n": 1, "tag": "a", "mixed": "a"},
            {"image": png("blue"), "n": 1.5, "tag": ["a", "b"], "late": True},
            {"image": png("green"), "mixed": 3},
        ]
    )
    types = {field.name: field.type.value for field in source.fields}
    assert types == {"n": "float", "tag": "keywords", "mixed": "keyword", "late": "boolean"} | FACTS
    first, second = records_of(source)
    assert (first.metadata["n"], first.metadata["tag"], second.metadata["n"]) == (1.0, ("a",), 1.5)
    (rejection,) = rejections_of(source)
    assert rejection.detail == "record 3: field mixed is keyword, which 3 is not"


def test_types_that_are_given_or_the_index_has() -> None:
    """A type that is named counts, then the index's, then the values'; texts of dates are read."""
    known = [Field("at", FieldType.DATE), Field("n", FieldType.FLOAT)]
    row = {"image": png(), "at": "2024-05-01T12:00+02:00", "n": 1, "words": "a dog", "new": 1}
    source = MemorySource([row], {"words": "text", "other": FieldType.DATE}, known)
    assert {field.name: field.type.value for field in source.fields} == {
        "words": "text",
        "other": "date",
        "at": "date",
        "n": "float",
        "new": "integer",
    } | FACTS
    (record,) = records_of(source)
    assert record.metadata["at"] == datetime(2024, 5, 1, 10, tzinfo=UTC)
    with pytest.raises(ConfigError, match="fields: a can't be 'dates'; it may be date"):
        MemorySource([], {"a": "dates"})
    with pytest.raises(ConfigError, match="types by the names"):
        MemorySource([], ["a"])  # type: ignore[arg-type]


NAN = float("nan")


@pytest.mark.parametrize(
    ("item", "reason", "detail"),
    [
        ({"id": "a", "shop": "oslo"}, Reason.BAD_ROW, "image or path or url, and no text, but id, shop"),
        ({}, Reason.BAD_ROW, "but nothing"),
        ({"image": None, "path": NAN}, Reason.BAD_ROW, "it has no picture"),
        ({"image": 3}, Reason.BAD_ROW, "its picture is of type int; it takes a path"),
        (3, Reason.BAD_ROW, "its picture is of type int"),
        ({1: png()}, Reason.BAD_ROW, "a key is of type int; keys are texts"),
        ({"image": np.zeros((4, 4, 3))}, Reason.BAD_ROW, "an array of float64"),
        ({"image": png(), "id": ""}, Reason.BAD_ID, "its id is empty"),
        ({"image": png(), "id": " "}, Reason.BAD_ID, "its id is empty"),
        ({"image": png(), "id": 1.5}, Reason.BAD_ID, "its id is of type float"),
        ({"image": png(), "id": "x" * 513}, Reason.BAD_ID, "its id is longer than 512 bytes"),
        ({"image": png(), "id": "\x1b[2J"}, Reason.BAD_ID, r"its id is not printable: '\x1b[2J'"),
        ({"image": png(), "id": "\ud800"}, Reason.BAD_ID, r"not printable: '\ud800'"),
        ({"image": png(), "description": 3}, Reason.BAD_ROW, "its description is of type int"),
        ({"image": png(), "page": "\ud800"}, Reason.BAD_ROW, "its page is not valid Unicode"),
        ({"image": png(), "n": 2**63}, Reason.BAD_ROW, "field n is integer, which 922"),
        ({"image": png(), "n": float("inf")}, Reason.BAD_ROW, "field n is float, which inf is not"),
        ({"image": png(), "n": "\ud800"}, Reason.BAD_ROW, "field n is keyword"),
        ({"image": png(), "n": object()}, Reason.BAD_ROW, "field n has a value of type object"),
        ({"image": png(), "n": [1, 2]}, Reason.BAD_ROW, "field n is keywords, which [1, 2] is not"),
        ({"image": png(), "n": {"lat": 91, "lon": 0}}, Reason.BAD_ROW, "field n is geo_point"),
        ({"url": "example.org/a.jpg"}, Reason.BAD_URL, "has no https://"),
        ({"url": "https://h/\ud800"}, Reason.BAD_URL, "not valid Unicode"),
        ("data:image/png;base64,=", Reason.BAD_URL, "no base64"),
        ("data:image/png", Reason.BAD_URL, "without a comma"),
        ("nowhere.png", Reason.FILE_NOT_FOUND, "No such file"),
        ({"path": "a\0b"}, Reason.UNREADABLE_FILE, "NUL"),
        ({"path": "s3://bucket/a.jpg"}, Reason.UNREADABLE_FILE, "s3://bucket/a.jpg: an address"),
        ("\ud800.png", Reason.BAD_ROW, "surrogates"),
        (Image.new("RGB", (0, 5)), Reason.NOT_AN_IMAGE, "0 x 5 pixels"),
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_rejected(item: Any, reason: Reason, detail: str) -> None:
    """With a reason, the record's number and what is wrong, in one line that JSON can hold."""
    rejection = problem(item)
    assert rejection.reason is reason
    assert rejection.detail.startswith("record 1: ")
    assert detail in rejection.detail
    assert rejection.location.isprintable()
    json.dumps(rejection.to_json(), ensure_ascii=False).encode()


def test_a_folder_is_for_an_ingest(photos: Path) -> None:
    """A path of a folder is told where folders go."""
    assert problem(photos).detail == "record 1: it is a folder, which is for an ingest"


def test_records_of_all_shapes(photos: Path) -> None:
    """One or many, in a list, a generator, an array, a table of pandas or Arrow."""
    names = ("red", "black")
    paths = [photos / f"{name}.png" for name in names]
    batch = np.stack([np.asarray(plain(name)) for name in names])
    table = pd.DataFrame({"image": [plain(name) for name in names], "shop": names}, index=["a", "b"])
    named = table.rename_axis("id")
    arrow = pa.table({"path": [str(path) for path in paths], "shop": names, "id": ["a", "b"]})
    for records in (paths, tuple(paths), iter(paths), (path for path in paths), np.array(paths, dtype=object),
                    pd.Series(paths), {str(path): 1 for path in paths}.keys(), batch, table, arrow,
                    arrow.to_reader()):  # fmt: skip
        assert len(records_of(MemorySource(records))) == 2
    for single in (paths[0], str(paths[0]), batch[0], plain("red"), {"image": png()}, png()):
        assert len(records_of(MemorySource(single))) == 1
    assert [(record.id, record.metadata["shop"]) for record in records_of(MemorySource(named))] == [
        ("a", "red"), ("b", "black"),
    ]  # fmt: skip
    assert [record.id for record in records_of(MemorySource(arrow))] == ["a", "b"]
    record = ImageRecord("x", "here", png(), "1", metadata={"n": 1, "tags": ("a",)})
    source = MemorySource([record])
    assert records_of(source) == [record]
    assert {field.name: field.type.value for field in source.fields} == {"n": "integer", "tags": "keywords"}


@pytest.mark.parametrize("records", [None, 3, 2.5, np.array(3), object()])
def test_what_is_no_records(records: Any) -> None:
    """The error says what is taken."""
    with pytest.raises(ConfigError, match=r"records is .*; it takes pictures"):
        MemorySource(records)


@pytest.mark.parametrize(
    ("columns", "message"),
    [([0, 1], "a column is named 0"), (["a", "a"], "two columns named 'a'")],
)
def test_tables_need_names_of_columns(columns: list[Any], message: str) -> None:
    """Numbers are no names of fields, and of two columns of a name one would be lost."""
    with pytest.raises(ConfigError, match=message):
        MemorySource(pd.DataFrame([["x", "y"]], columns=columns))


def test_own_names_of_documents_are_no_fields(index: ImageIndex) -> None:
    """A field can't be named as what every document has."""
    with pytest.raises(ConfigError, match="can't be named vector"):
        index.add({"image": png(), "vector": "x"})


def test_pictures_are_searched_as_they_were_added(index: ImageIndex) -> None:
    """A PIL image, an array and an image file of the same pixels have one vector, in every mode and turn."""
    turned = Image.new("RGB", (8, 6), "red")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    file = io.BytesIO()
    turned.save(file, "PNG", exif=exif)
    pictures = {
        "pil": plain("red"),
        "array": np.full((6, 8, 3), (255, 0, 0), np.uint8),
        "alpha": Image.new("RGBA", (8, 6), (255, 0, 0, 255)),
        "palette": plain("red").convert("P"),
        "turned": Image.open(io.BytesIO(file.getvalue())),
        "bytes": png(),
    }
    report = index.add({"id": id, "image": picture} for id, picture in pictures.items())
    assert (report.read, report.written) == (6, 6)
    hits = index.search_image(plain("red"))
    assert {hit.id: round(hit.score, 5) for hit in hits} == dict.fromkeys(pictures, 1.0)
    assert one(pictures["turned"]).picture == one(turned.transpose(Image.Transpose.ROTATE_270)).picture


def test_adding_again_changes_nothing(index: ImageIndex) -> None:
    """Unchanged records are skipped; of new metadata only the document is written, without encoding."""
    rows = [{"id": name, "image": plain(name), "price": n} for n, name in enumerate(("red", "green", "blue"))]
    assert index.add(rows).written == 3
    assert index.add(rows).skipped == 3
    rows[0]["price"] = 100
    encoded: list[int] = []
    report = index.add(iter(rows), on_progress=lambda progress: encoded.append(progress.encoded))
    assert (report.written, report.skipped, max(encoded)) == (1, 2, 0)
    assert [hit.id for hit in index.search_text("red", where="price>=100")] == ["red"]


def test_the_counts_add_up(index: ImageIndex, photos: Path) -> None:
    """Each record is in one count; a repeated id, a broken picture and a missing file too."""
    rows: list[Any] = [png(), png(), b"no picture", photos / "red.png", photos / "gone.png", {"id": ""}, 3]
    report = index.add(rows, max_rejection_rate=1)
    assert (report.read, report.written, report.skipped, report.rejected) == (7, 2, 1, 4)
    assert report.rejections == {
        Reason.BAD_ROW: 1, Reason.BAD_ID: 1, Reason.NOT_AN_IMAGE: 1, Reason.FILE_NOT_FOUND: 1,
    }  # fmt: skip
    with pytest.raises(esclip.TooManyRejections, match="rejected 1 of 1 record "):
        index.add("gone.png")


def test_options_are_those_of_an_ingest(index: ImageIndex) -> None:
    """Labels, parts, a limit and callbacks; what doesn't belong is refused."""
    seen: list[Rejection] = []
    rows: list[Any] = [
        {"id": "a", "image": plain("red"), "description": "a red one"},
        b"x",
        {"image": plain("blue")},
    ]
    report = index.add(rows, limit=2, labels="red,blue", parts=["captions"], on_rejection=seen.append)
    assert (report.read, report.written, [one.reason for one in seen]) == (2, 1, [Reason.NOT_AN_IMAGE])
    (hit,) = index.search_text("a red one", targets=["captions"], where="label=red")
    assert hit.id == "a"
    with pytest.raises(TypeError, match="prune"):
        index.add(rows, prune=True)  # type: ignore[call-arg]


def test_hosts_are_those_that_are_allowed(index: ImageIndex) -> None:
    """A URL of any other host is rejected before it is asked."""
    report = index.add(["https://localhost:1/a.jpg"], max_rejection_rate=1)
    assert report.rejections == {Reason.BAD_URL: 1}


def test_what_is_only_in_memory_is_not_retried(index: ImageIndex, photos: Path) -> None:
    """The ledger keeps its rejection, and no bytes; a file's is retried with what was said of it."""
    rows: list[Any] = [{"id": "a", "image": b"broken"}, {"path": photos / "new.png", "shop": "oslo"}]
    (photos / "new.png").write_bytes(b"broken")
    index.add(rows, max_rejection_rate=1)
    assert {entry.id: entry.record is None for entry in index.rejections()} == {
        "a": True, file_id(photos / "new.png"): False,
    }  # fmt: skip
    plain("red").save(photos / "new.png")
    assert index.retry().written == 1
    (hit,) = index.search_text("red", where="shop=oslo")
    assert hit.metadata["file_name"] == "new.png"
    index.add({"id": "a", "image": plain("blue")})
    assert list(index.rejections()) == []


def test_descriptions_of_files(index: ImageIndex, photos: Path) -> None:
    """A description that is given replaces the one before, an empty one removes it; without, it stays."""
    red = photos / "red.png"
    for given, kept in (({"description": "one"}, "one"), ({"description": "two"}, "two"), ({}, "two"),
                        ({"description": ""}, "")):  # fmt: skip
        row: dict[str, Any] = {"path": red, **given}
        index.add(row)
        assert index.search_text("red")[0].description == kept


def test_pruning_a_folder_leaves_what_was_added(index: ImageIndex, photos: Path) -> None:
    """What is in memory or elsewhere is no document of the folder."""
    index.add([{"id": "a", "image": plain("red")}, {"id": "b", "image": plain("red"), "url": "https://h/b"}])
    assert index.ingest(photos, prune=True).pruned == 0
    assert {"a", "b"} <= {hit.id for hit in index.search_text("red", k=100)}


def test_what_was_in_memory_is_a_hit(index: ImageIndex, tmp_path: Path) -> None:
    """It can be searched by. There is no picture to show or to copy, and its place is told."""
    index.add({"id": name, "image": plain(name)} for name in ("red", "orange", "blue"))
    (hit,) = hits = index.similar("red", 1)
    assert hit.location == f"memory:{hit.id}"
    assert f"<code>{hit.location}</code>" in hits._repr_html_()
    failures = hits.copy_to(tmp_path / "copies").failures
    assert failures == {hit.id: "it was added from a program's memory, and not kept"}


def test_an_iterator_is_read_once_and_as_it_is_needed() -> None:
    """Fields come from its first thousand records; a later new one is a rejection."""
    read = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal read
        for read in range(1, 1202):
            yield {"id": read, "image": png(), "n": read} | ({"late": 1} if read == 1101 else {})

    source = MemorySource(rows())
    assert (read, source.total()) == (1000, None)
    items = list(source.records(Event()))
    assert [item.id for item in items] == [str(n) for n in range(1, 1202)]
    (rejection,) = (item for item in items if isinstance(item, Rejection))
    assert (rejection.id, rejection.reason) == ("1101", Reason.BAD_ROW)
    assert "field late has no type: none of the records read ahead has it" in rejection.detail
    with pytest.raises(esclip.SourceError, match="can be read once"):
        list(source.records(Event()))
    late = [{"id": n, "image": png(), **({"late": 1} if n == 1100 else {})} for n in range(1101)]
    assert [field.name for field in MemorySource(late).fields] == ["late", *FACTS]  # of a list, all count


def test_what_an_iterator_raises_is_raised(index: ImageIndex) -> None:
    """An error of the program's own comes through, and what came before is in the index."""

    def rows() -> Iterator[Any]:
        yield from ({"id": n, "image": plain("red"), "n": n} for n in range(1500))
        raise RuntimeError("the program's own")

    with pytest.raises(RuntimeError, match="the program's own"):
        index.add(rows())


def test_a_stream_is_not_held_in_memory(index: ImageIndex) -> None:
    """Of pictures of 1 MB each, no more are in memory than the pipeline has under way."""

    def rows() -> Iterator[dict[str, Any]]:
        for n in range(170):
            yield {"id": n, "image": np.full((600, 600, 3), n, np.uint8)}

    index.add(np.zeros((4, 4, 3), np.uint8))  # what is loaded once
    gc.collect()
    tracemalloc.start()
    try:
        assert index.add(rows(), workers=2).written == 170
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 120 << 20, peak  # 175 MiB for all of them


def test_what_became_of_each_record_is_told(index: ImageIndex) -> None:
    """Each record is told once, by its number, with what the report counts it as."""
    records: list[Any] = [
        {"id": "a", "image": png("red"), "n": 1},
        {"id": "a", "image": png("blue"), "n": 1},
        {"id": "b", "image": png("red"), "n": 1},  # the same bytes, encoded once
        {"id": "c", "image": b"no picture", "n": 1},
        {"id": "d", "image": png("green"), "n": "two"},
        {"id": "e", "text": "something green"},
        Rejection("", "row 7", Stage.READ, Reason.BAD_ROW, "can't be read"),
    ]

    def add() -> list[tuple[int, str, str]]:
        told: list[esclip.RecordOutcome] = []
        report = index.add(iter(records), parts=["crops", "captions"], on_outcome=told.append)
        assert report.read == len(told) == len(records)
        rejected = [one.rejection.reason for one in told if one.rejection]
        assert report.rejections == Counter(rejected)
        assert [one.repeated for one in sorted(told, key=lambda one: one.number)].index(True) == 1
        return sorted((one.number, one.id, one.result) for one in told)

    bad = [(4, "c", "rejected"), (5, "d", "rejected"), (7, "", "rejected")]
    good = [(1, "a"), (3, "b"), (6, "e")]
    repeated = (2, "a", "unchanged")
    assert add() == sorted([*((*one, "written") for one in good), repeated, *bad])
    assert add() == sorted([*((*one, "unchanged") for one in good), repeated, *bad])
    records[0]["n"] = records[2]["n"] = 2
    records[2]["image"] = png("yellow")
    changed = [(1, "a", "updated"), (3, "b", "written"), (6, "e", "unchanged")]
    assert add() == sorted([*changed, repeated, *bad])


def test_pixels_take_no_more_than_a_file_may() -> None:
    """A picture of 24 megapixels is halved, and one of more pixels than the decoder takes rejected."""
    picture = one(np.zeros((4000, 6000, 3), np.uint8)).picture
    assert isinstance(picture, bytes)
    assert len(picture) <= MAX_PICTURE_BYTES
    assert Image.open(io.BytesIO(picture)).size == (3000, 2000)
    assert problem(np.zeros((9500, 9500), np.uint8)).reason is Reason.TOO_LARGE


class ListSource(Source):
    """A source of a user's own."""

    fields = (Field("n", FieldType.INTEGER),)

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = ids

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        for n, id in enumerate(self.ids):
            yield ImageRecord(id, f"mine:{id}", png((n, 0, 0)), f"{n}", metadata={"n": n})

    def covers(self, location: str) -> bool:
        return location.startswith("mine:")


def test_facts_of_files(index: ImageIndex, photos: Path) -> None:
    """Files have their pictures' facts; a value that is given stands, and its type is the field's."""
    file = next(photos.glob("*.*g"))
    index.add([{"path": file, "orientation": 6, "width": 4000}])
    (hit,) = index.search(esclip.Query(where="orientation=6"))
    with Image.open(file) as picture:
        assert (hit.metadata["width"], hit.metadata["height"]) == (4000, picture.height)
        assert hit.metadata["format"] == picture.format


def test_facts_of_pictures_in_memory_and_on_the_web(index: ImageIndex, server: PictureServer) -> None:
    """Bytes, images and what is fetched have size and colour; their EXIF is not read."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Canon"
    file = io.BytesIO()
    plain("red").save(file, "PNG", exif=exif)
    server.routes["/red.png"] = body(file.getvalue())
    rows: list[Any] = [
        {"id": "a", "image": file.getvalue()},
        {"id": "b", "image": plain("red")},
        {"id": "c", "url": server.url("/red.png")},
    ]
    for written, skipped in ((3, 0), (0, 3)):
        report = index.add(rows, allow_hosts=["127.0.0.1"])
        assert (report.written, report.skipped) == (written, skipped)
    for document in index.get(["a", "b", "c"]):
        assert document.record.metadata == {"width": 8, "height": 6, "color": "#ff0000"}


def test_a_field_of_the_records_is_no_fact(index: ImageIndex, photos: Path) -> None:
    """Where records name colours or sizes of their own, those of their pictures don't stand among them."""
    (photos / "red.png").rename(photos / "file.png")
    index.add(
        [
            {"id": "a", "image": png("red"), "color": "navy", "width": "wide"},
            {"id": "b", "image": png("red")},
            {"id": "c", "path": photos / "file.png"},
        ]
    )
    a, b, c = (document.record.metadata for document in index.get(["a", "b", "c"]))
    assert (a["color"], a["width"], a["height"]) == ("navy", "wide", 30)
    assert b == {"height": 30}
    assert (c.keys() & {"color", "width"}, c["format"]) == (set(), "PNG")


def test_pictures_added_before_get_facts_without_encoding(server: PictureServer) -> None:
    """What an older version wrote is updated when it is added again; nothing is encoded."""

    class Older(MemorySource):
        def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
            for record in super().records(cancelled):
                yield record if isinstance(record, Rejection) else replace(record, picture_fields=())

    server.routes["/red.png"] = body(png("red"))
    rows: list[Any] = [{"id": "a", "image": png("blue")}, {"id": "b", "url": server.url("/red.png")}]
    encoder = RecordingEncoder()
    with esclip.open_index(MemoryStore("i"), encoder=encoder) as index:
        assert index.ingest(Older(rows), allow_hosts=["127.0.0.1"]).written == 2
        encoded = len(encoder.batches)
        assert index.add(rows, allow_hosts=["127.0.0.1"]).written == 2
        assert len(encoder.batches) == encoded
        colors = [document.record.metadata["color"] for document in index.get(["a", "b"])]
        assert colors == ["#0000ff", "#ff0000"]


def test_ingest_takes_a_source(index: ImageIndex, photos: Path) -> None:
    """Alone, with a limit, pruned by what it covers, and beside paths."""
    assert index.ingest(ListSource("abc")).written == 3
    assert index.ingest(ListSource("abcd"), limit=2).skipped == 2
    assert index.ingest([ListSource("ab"), photos / "red.png"], prune=True).pruned == 1
    report = index.ingest(ListSource(""), prune=True, confirm=lambda name, count: (name, count) == ("", 2))
    assert report.pruned == 2
    assert [hit.metadata["file_name"] for hit in index.search_text("red")] == ["red.png"]
    with pytest.raises(ConfigError):
        index.ingest(3)  # type: ignore[arg-type]
