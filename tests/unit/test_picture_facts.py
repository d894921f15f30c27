"""Picture facts: size, format and EXIF become metadata that filters know, and nothing in them is trusted."""

from __future__ import annotations

import io
import os
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from esclip import ImageIndex, ImageRecord, Query, Reason, Rejection, open_index
from esclip._cli.app import app
from esclip._core.picture_color import COLOR
from esclip._core.picture_facts import PICTURE_FIELDS
from esclip._core.types import GeoPoint, Metadata, MetadataValue
from esclip._images.decode import decoding_with_facts, read_facts
from esclip._images.exif import read_exif
from esclip._protocols import Store
from esclip.sources import FolderSource
from esclip.stores.lance.store import LanceStore
from esclip.stores.memory import MemoryStore
from esclip.testing.source import records_of
from tests.unit.test_ingest import CountingEncoder, ListSource, run

MAKE, MODEL, ORIENTATION, EXIF, GPS = 271, 272, 274, 0x8769, 0x8825
TAKEN, TAKEN_OFFSET, DIGITIZED = 36867, 36881, 36868

SYDNEY = {1: "S", 2: (33.0, 51.0, 24.4), 3: "E", 4: (151.0, 12.0, 54.8)}
GOOD: dict[str, MetadataValue] = {
    "taken_at": datetime(2021, 3, 4, 3, 6, 7, tzinfo=UTC),
    "camera_make": "Canon",
    "camera_model": "EOS 5D",
    "point": GeoPoint(-33.8567778, 151.2152222),
}


def exif(
    details: Mapping[int, Any] | None = None, place: Mapping[int, Any] | None = None, **tags: Any
) -> Image.Exif:
    """An EXIF block; by default one of a good camera, turned by a quarter."""
    block = Image.Exif()
    block[MAKE], block[MODEL], block[ORIENTATION] = (tags.get(name, value) for name, value in CAMERA.items())
    block.get_ifd(EXIF).update(
        {TAKEN: "2021:03:04 05:06:07", TAKEN_OFFSET: "+02:00"} if details is None else details
    )
    block.get_ifd(GPS).update(SYDNEY if place is None else place)
    return block


CAMERA = {"make": "Canon", "model": "EOS 5D", "orientation": 6}


def picture(format: str, block: bytes | Image.Exif | None, size: tuple[int, int] = (60, 40)) -> bytes:
    """A picture's bytes."""
    file = io.BytesIO()
    options = {} if block is None else {"exif": block}
    Image.new("RGB", size, "red").save(file, format, **options)
    return file.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_the_facts_of_each_format(format: str) -> None:
    """Size as it is shown, format and EXIF are read alike with the pixels and without them."""
    if format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    data = picture(format, exif().tobytes(), (600, 400))
    names = {"WEBP": "WebP", "HEIF": "HEIC"}
    expected = {"width": 400, "height": 600, "orientation": "portrait", "format": names.get(format, format)}
    assert read_facts(data, color=False) == expected | GOOD
    with decoding_with_facts(data, side=64) as (image, facts):
        assert facts == expected | GOOD | {"color": facts["color"]} == read_facts(data)
        assert is_near(facts["color"], "#ff0000")
        assert image.width < image.height


@pytest.mark.parametrize("format", ["TIFF", "GIF", "BMP"])
def test_the_facts_of_other_formats(format: str) -> None:
    """Formats that have no EXIF, or keep it otherwise, have size and format."""
    data = picture(format, exif() if format == "TIFF" else None)
    turned = format == "TIFF"
    facts = read_facts(data)
    assert (facts["width"], facts["height"]) == ((40, 60) if turned else (60, 40))
    assert (facts["format"], facts.get("camera_make")) == (format, "Canon" if turned else None)
    with decoding_with_facts(data) as (image, same):
        assert (image.size, same) == ((facts["width"], facts["height"]), facts)


def is_near(color: MetadataValue, other: str) -> bool:
    """Whether two colours are the same but for two steps of each channel."""
    one, two = (bytes.fromhex(str(text).removeprefix("#")) for text in (color, other))
    return max(abs(a - b) for a, b in zip(one, two, strict=True)) <= 2


@pytest.mark.parametrize(
    ("left", "right", "color"),
    [
        ("black", "white", "#bcbcbc"),
        ("red", "lime", "#bcbc00"),
        ("#204060", "#204060", "#204060"),
        ((0, 0, 0, 0), (0, 0, 0, 0), "#ffffff"),
    ],
)
def test_the_color_is_the_mean_of_the_light(left: Any, right: Any, color: str) -> None:
    """Half of the light is no half of sRGB's value; what is transparent is white, as it is shown."""
    image = Image.new("RGBA", (200, 150), left)
    image.paste(right, (100, 0, 200, 150))
    file = io.BytesIO()
    image.save(file, "PNG")
    assert is_near(read_facts(file.getvalue())[COLOR], color)


def test_the_color_is_the_same_from_any_size(tmp_path: Path) -> None:
    """A JPEG that is decoded to an eighth has the colour that it has as a whole."""
    noise = np.random.default_rng(0).integers(0, 256, (1800, 2400, 3), np.uint8)
    image = Image.blend(
        Image.fromarray(noise), Image.linear_gradient("L").convert("RGB").resize((2400, 1800)), 0.5
    )
    file = io.BytesIO()
    image.save(file, "JPEG")
    colors = []
    for side in (None, 900, 400, 64):
        with decoding_with_facts(file.getvalue(), side=side) as (_, facts):
            colors.append(facts[COLOR])
    assert all(is_near(color, str(colors[0])) for color in colors)


def test_a_square_without_exif() -> None:
    """What isn't known is left out."""
    facts = {"width": 9, "height": 9, "orientation": "square", "color": "#ff0000", "format": "PNG"}
    assert read_facts(picture("PNG", None, (9, 9))) == facts


@pytest.mark.parametrize(
    ("details", "taken"),
    [
        ({TAKEN: "2021:03:04 05:06:07"}, "2021-03-04T05:06:07+00:00"),
        ({TAKEN: "2021-03-04 05:06:07.123"}, "2021-03-04T05:06:07+00:00"),
        ({TAKEN: "2021:03:04 05:06:07-03:30"}, "2021-03-04T08:36:07+00:00"),
        ({TAKEN: "2021:03:04 05:06:07", TAKEN_OFFSET: "later"}, "2021-03-04T05:06:07+00:00"),
        ({TAKEN: "0000:00:00 00:00:00", DIGITIZED: "1999:12:31 23:59:59"}, "1999-12-31T23:59:59+00:00"),
        ({TAKEN: "2021:02:30 05:06:07"}, None),
        ({TAKEN: "2021:03:04 25:06:07"}, None),
        ({TAKEN: "0001:01:01 00:00:00", TAKEN_OFFSET: "+14:00"}, None),
        ({TAKEN: "1825:01:01 00:00:00"}, None),
        ({TAKEN: "9999:12:31 23:59:59", TAKEN_OFFSET: "-14:00"}, None),
        ({TAKEN: "    :  :     :  :  "}, None),
        ({TAKEN: ""}, None),
        ({TAKEN: "yesterday"}, None),
        ({TAKEN: "\x1b[31m"}, None),
        ({}, None),
    ],
)
def test_odd_dates(details: dict[int, Any], taken: str | None) -> None:
    """A date that no calendar has, or no photograph can have, is left out; the rest stays."""
    facts = dict(read_exif(exif(details).tobytes()))
    expected = dict(GOOD) | ({"taken_at": datetime.fromisoformat(taken)} if taken else {})
    if taken is None:
        del expected["taken_at"]
    assert facts == expected


@pytest.mark.parametrize(
    ("place", "point"),
    [
        ({1: "N", 2: (59.0, 54.0, 50.0), 3: "W", 4: (10.0, 45.0, 0.0)}, GeoPoint(59.9138889, -10.75)),
        ({1: "n", 2: (59.5, 0.0, 0.0), 3: "e", 4: (180.0, 0.0, 0.0)}, GeoPoint(59.5, 180.0)),
        (SYDNEY | {2: (90.0, 0.0, 0.1)}, None),
        (SYDNEY | {4: (180.0, 1.0, 0.0)}, None),
        (SYDNEY | {2: (33.0, 51.0)}, GeoPoint(-33.85, 151.2152222)),
        (SYDNEY | {1: "?"}, None),
        (SYDNEY | {3: ""}, None),
        ({1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (59.0, 54.0, 50.0)}, None),
        ({2: (33.0, 51.0, 24.4), 4: (151.0, 12.0, 54.8)}, None),
        ({}, None),
    ],
)
def test_odd_places(place: dict[int, Any], point: GeoPoint | None) -> None:
    """A place out of range, without its hemisphere, or at 0, 0 is left out; the rest stays."""
    assert read_exif(exif(place=place).tobytes()).get("point") == point


@pytest.mark.parametrize(
    ("make", "kept"),
    [
        ("  NIKON\x00CORPORATION\x00\x00", "NIKON CORPORATION"),
        ("a\x1b[31m\nb", "a [31m b"),
        ("", None),
        ("\x00\x00", None),
        ("x" * 128, "x" * 128),
        ("x" * 129, None),
        ("x" * 60_000, None),
    ],
)
def test_odd_cameras(make: str, kept: str | None) -> None:
    """A camera's name has no control characters, and is no novel."""
    block = Image.Exif()
    block[MAKE], block[MODEL] = make, "EOS 5D"
    facts = read_exif(block.tobytes())
    assert facts.get("camera_make") == kept
    assert facts["camera_model"] == "EOS 5D"


def raw_exif(*entries: tuple[int, int, int, bytes], rest: bytes = b"") -> bytes:
    """A TIFF of one directory with entries of (tag, type, count, value or offset), and further bytes."""
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return head + b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries) + bytes(4) + rest


@pytest.mark.parametrize(
    "block",
    [
        raw_exif(*[(n, 5, 8_000, struct.pack("<I", 8)) for n in range(1_900)], rest=bytes(64_000)),
        raw_exif(*[(n, 2, 60_000, struct.pack("<I", 8)) for n in range(1_900)], rest=bytes(64_000)),
        raw_exif(*[(n, 1, 1, bytes(4)) for n in range(5_000)]),
        raw_exif((EXIF, 3, 1, bytes(4)), (MAKE, 2, 3, b"abc\0")),
        raw_exif((EXIF, 4, 2, struct.pack("<I", 8)), (MAKE, 2, 3, b"abc\0")),
        raw_exif((MAKE, 16, 1 << 31, bytes(4))),
        raw_exif((EXIF, 4, 1, struct.pack("<I", 8)), (GPS, 4, 1, struct.pack("<I", 8))),
        raw_exif((GPS, 4, 1, struct.pack("<I", 1 << 31))),
        b"",
        b"II*\0",
        b"Exif\0\0" * 1_000,
        b"MM\0*" + bytes(100),
    ],
)
def test_blocks_made_to_take_long(block: bytes) -> None:
    """Thousands of entries that refer to the same bytes, and directories that are their own, take no time."""
    started = time.perf_counter()
    assert read_exif(block).keys() <= {"camera_make"}
    assert time.perf_counter() - started < 1


def test_damaged_blocks() -> None:
    """Whatever is cut off or changed, there are good values or none, and no error."""
    block = exif().tobytes()
    types = {"taken_at": datetime, "camera_make": str, "camera_model": str, "point": GeoPoint}
    for at in range(len(block)):
        for damaged in (
            block[:at],
            block[:at] + b"\xff" + block[at + 1 :],
            block[:at] + bytes(2) + block[at + 2 :],
        ):
            facts = read_exif(damaged)
            assert all(type(value) is types[name] for name, value in facts.items())
            for value in facts.values():
                assert not isinstance(value, GeoPoint) or (abs(value.lat) <= 90 and abs(value.lon) <= 180)


def test_zero_denominators() -> None:
    """Rationals that are divided by zero leave out the place, and nothing else."""
    block = exif().tobytes()
    seconds = (
        struct.pack("<II", 244, 10) if struct.pack("<II", 244, 10) in block else struct.pack("<II", 122, 5)
    )
    assert seconds in block
    facts = read_exif(block.replace(seconds, struct.pack("<II", 244, 0)))
    assert facts == {name: value for name, value in GOOD.items() if name != "point"}


class OlderFolder(FolderSource):
    """A folder's records as versions gave them that knew no facts."""

    fields = FolderSource.fields[:4]

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        names = {field.name for field in self.fields}
        for record in super().records(cancelled):
            if isinstance(record, Rejection):
                yield record
            else:
                metadata = {name: value for name, value in record.metadata.items() if name in names}
                facts = tuple(name for name in record.picture_fields if name in names)
                yield replace(record, picture_fields=facts, metadata=metadata)


class FolderWithoutColors(OlderFolder):
    """A folder's records as versions gave them that knew all facts but the colour."""

    fields = tuple(field for field in FolderSource.fields if field.name != COLOR)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures with EXIF, one of them twice, and one without."""
    album = tmp_path / "album" / "2024" / "norway"
    album.mkdir(parents=True)
    (album / "a.jpg").write_bytes(picture("JPEG", exif()))
    (album / "copy.jpg").write_bytes(picture("JPEG", exif()))
    (album.parent / "b.png").write_bytes(picture("PNG", None, (30, 30)))
    return tmp_path / "album"


def facts_of(index: ImageIndex) -> dict[str, Metadata]:
    """The facts of all pictures in the index, by file name."""
    names = {field.name for field in PICTURE_FIELDS}
    return {
        str(hit.metadata["file_name"]): {name: hit.metadata[name] for name in hit.metadata if name in names}
        for hit in index.search(Query(where="exists(file_name)", k=20))
    }


SHAPE: Metadata = {"width": 40, "height": 60, "orientation": "portrait"}
EXPECTED: dict[str, Metadata] = {
    "a.jpg": {**SHAPE, "color": "#fe0000", "format": "JPEG", **GOOD},
    "copy.jpg": {**SHAPE, "color": "#fe0000", "format": "JPEG", **GOOD},
    "b.png": {"width": 30, "height": 30, "orientation": "square", "color": "#ff0000", "format": "PNG"},
}


@pytest.mark.parametrize("store", ["memory", "embedded"])
def test_pictures_are_filtered_by_their_facts(folder: Path, store: str) -> None:
    """An ingest writes facts and folders beside what is known of the files; the next one changes nothing."""
    kept: Store = MemoryStore("i") if store == "memory" else LanceStore(folder.parent / "lance", "i")
    with open_index(kept, encoder="palette") as index:
        assert index.ingest(folder, labels="red,blue").written == 3
        assert facts_of(index) == EXPECTED
        found = {
            "format=JPEG": ["a.jpg", "copy.jpg"],
            "width<40": ["b.png"],
            "taken_at=2021-03 & camera_make=Can*": ["a.jpg", "copy.jpg"],
            "inside(point, -40, 150, -30, 155) & label=red": ["a.jpg", "copy.jpg"],
            "!exists(taken_at)": ["b.png"],
            "folders=2024/norway*": ["a.jpg", "copy.jpg"],
            f'folders="{folder}"*': ["a.jpg", "b.png", "copy.jpg"],
            "folders=album/2024": ["b.png"],
        }
        for where, names in found.items():
            hits = index.search(Query(where=where, k=9))
            assert sorted(str(hit.metadata["file_name"]) for hit in hits) == names, where
        assert index.ingest(folder).skipped == 3


def test_copies_have_facts_by_whatever_way_they_come(folder: Path) -> None:
    """A copy of a picture whose bytes have a vector isn't decoded, and has the facts all the same."""
    with open_index(MemoryStore("i"), encoder="palette") as index:
        index.ingest(folder / "2024" / "norway" / "a.jpg")
        assert index.ingest(folder).written == 2
        assert facts_of(index) == EXPECTED


@pytest.mark.parametrize("older", [OlderFolder, FolderWithoutColors])
def test_an_older_index_gets_facts_without_encoding(folder: Path, older: type[FolderSource]) -> None:
    """The next ingest reads the files and updates the documents; pictures aren't encoded again."""
    store, encoder = MemoryStore("i"), CountingEncoder()
    run(older(folder), store, encoder)
    encoded = encoder.images
    known = {field.name for field in older.fields}
    with open_index(store, encoder="palette") as index:
        for name, facts in facts_of(index).items():
            assert facts == {key: value for key, value in EXPECTED[name].items() if key in known}
    assert run(FolderSource(folder), store, encoder).written == 3
    with open_index(store, encoder="palette") as index:
        assert facts_of(index) == EXPECTED
    assert run(FolderSource(folder), store, encoder).skipped == 3
    assert encoder.images == encoded


@pytest.mark.parametrize(
    ("older", "lacks"), [(OlderFolder, "width, height and color"), (FolderWithoutColors, "color")]
)
def test_what_an_older_index_lacks_is_said(folder: Path, older: type[FolderSource], lacks: str) -> None:
    """`stats` names it, and what adds it; after that ingest it says nothing."""
    store = str(folder.parent / "index")
    run(older(folder), LanceStore(Path(store), "i"))
    for said in (f"the index lacks {lacks} of its pictures; the next ingest adds that", ""):
        ran = CliRunner().invoke(app, ["stats", "--store", store, "--index", "i"])
        assert said in ran.stderr
        assert bool(said) is ("lacks" in ran.stderr)
        with open_index(store, "i", "palette") as index:
            index.ingest(folder)


@pytest.mark.parametrize("store", ["memory", "embedded"])
def test_an_index_with_another_field_of_that_name(folder: Path, store: str) -> None:
    """Where `color` is a list of an index's own, files are ingested and retried without their colours."""
    kept: Store = MemoryStore("i") if store == "memory" else LanceStore(folder.parent / "lance", "i")
    with open_index(kept, encoder="palette") as index:
        index.add([{"id": "own", "image": picture("PNG", None), "color": ["navy", "gold"]}])
        (folder / "late.png").write_bytes(b"")
        report = index.ingest(folder, max_rejection_rate=1)
        assert (report.written, report.rejected) == (3, 1)
        (folder / "late.png").write_bytes(picture("PNG", None))
        assert index.retry().written == 1
        found = {str(d.record.metadata.get("file_name")): d.record.metadata for d in index.peek(9)}
        assert found["None"]["color"] == ("navy", "gold")
        assert {name for name, metadata in found.items() if "color" in metadata} == {"None"}
        assert found["late.png"]["width"] == 60


def test_other_news_of_a_picture_keep_its_facts(folder: Path) -> None:
    """A new caption is written with the facts in the index, and the file isn't read for it."""
    with open_index(MemoryStore("i"), encoder="palette") as index:
        index.ingest(folder)
        times = {path: path.stat() for path in folder.rglob("*.*g")}
        for path, status in times.items():
            path.write_bytes(bytes(status.st_size))
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        report = index.ingest(folder, captions={str(path): "a caption" for path in times})
        assert (report.written, report.rejected) == (3, 0)
        assert facts_of(index) == EXPECTED


def test_a_file_that_cannot_be_read_for_its_facts(folder: Path) -> None:
    """It is rejected as a new picture is; the older document stays, and the next ingest tries again."""
    store = MemoryStore("i")
    run(OlderFolder(folder), store)
    broken = folder / "2024" / "b.png"
    status = broken.stat()
    whole = broken.read_bytes()
    broken.write_bytes(bytes(status.st_size))
    os.utime(broken, ns=(status.st_atime_ns, status.st_mtime_ns))
    report = run(FolderSource(folder), store)
    assert (report.written, dict(report.rejections)) == (2, {Reason.NOT_AN_IMAGE: 1})
    broken.write_bytes(whole)
    os.utime(broken, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert run(FolderSource(folder), store).written == 1
    with open_index(store, encoder="palette") as index:
        assert facts_of(index) == EXPECTED


def test_what_a_source_says_stands(folder: Path) -> None:
    """Metadata of a source is not replaced by a fact of the same name."""
    (record,) = (record for record in records_of(FolderSource(folder)) if record.location.endswith("a.jpg"))
    said = replace(record, metadata={"width": 4000, "format": "raw"})
    store = MemoryStore("i")
    run(ListSource([said], FolderSource.fields), store)
    (document,) = store.documents([record.id]).values()
    expected = {**SHAPE, "width": 4000, "color": "#fe0000", "format": "raw", **GOOD}
    assert document.record.metadata == expected
