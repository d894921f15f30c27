"""Parquet files that hold the pictures, as Hugging Face's data sets: read, and read again by row."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from esclip import ImageIndex
from esclip._core.types import ImageRecord
from esclip._errors.reasons import Reason
from esclip._files.archives import read_file
from esclip._images.thumbnails import make_thumbnail
from esclip._protocols import Source
from esclip.sources import open_source
from esclip.stores.memory import MemoryStore
from esclip.testing.source import SourceContract, records_of, rejections_of
from tests.plain_pictures import bmp
from tests.refusing_stores import RefusingStore

COLORS = ("red", "green", "blue", "white", "black", "yellow")
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
CLASSES = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "image": {"_type": "Image"}}


def write(file: Path, colors: tuple[str, ...] = COLORS, **columns: object) -> Path:
    """One row a colour, the last without a picture; row groups of two."""
    images: list[dict[str, object]] = [{"bytes": bmp(one), "path": f"x/{one}.bmp"} for one in colors]
    images[-1] = {"bytes": None, "path": None}
    table = pa.table(
        {
            "image": pa.array(images, IMAGE),
            "label": pa.array([n % 3 - 1 for n in range(len(colors))]),
            "at": [datetime(2024, 5, n + 1, tzinfo=UTC) for n in range(len(colors))],
            **columns,
        }
    )
    about = json.dumps({"info": {"features": CLASSES}})
    pq.write_table(table.replace_schema_metadata({"huggingface": about}), file, row_group_size=2)
    return file


@pytest.mark.parametrize("suffix", [".parquet", ".pq"])
class TestHuggingFace(SourceContract):
    @pytest.fixture
    def origin(self, tmp_path: Path, suffix: str) -> Path:
        return write(tmp_path / f"train{suffix}")

    def open(self, origin: Path) -> Source:
        return open_source([origin])

    def change(self, origin: Path) -> set[str]:
        write(origin, (*COLORS[:2], "pink", *COLORS[3:]))
        return {record.id for record in records_of(self.open(origin)) if record.id.endswith("#2")}


@pytest.mark.parametrize("suffix", [".parquet", ".PQ"])
def test_a_row_has_its_picture_and_names_of_classes(tmp_path: Path, suffix: str) -> None:
    """The number of a class is its name, -1 none; the row's number is where the picture stands."""
    file = write(tmp_path / f"train{suffix}", COLORS)
    records = records_of(open_source([file]))
    assert [record.metadata.get("label") for record in records] == [None, "cat", "dog", None, "cat"]
    assert records[1].metadata["file_name"] == "green.bmp"
    assert [record.id for record in records] == [f"{file}#{n}" for n in range(5)]
    for record, color in zip(records, COLORS, strict=False):
        assert record.location == record.id
        assert read_file(Path(record.location), 1 << 20) == record.picture == bmp(color)
    assert [one.reason for one in rejections_of(open_source([file]))] == [Reason.BAD_ROW]
    for place in ("5", "6", "99", "x", "-1", "1/label", "1/nothing", "1/image/x"):
        with pytest.raises(FileNotFoundError):
            read_file(Path(f"{file}#{place}"), 1 << 20)


def test_of_several_columns_one_is_named(tmp_path: Path) -> None:
    """A second column of pictures is part of the location; ids and URLs of the table are kept."""
    webp = pa.array([bmp("white")] * 6, pa.binary())
    urls = [f"https://x.org/{n}.jpg" for n in range(5)] + [None]
    file = write(tmp_path / "a.parquet", webp=webp, id=pa.array([f"p{n}" for n in range(6)]))
    record = records_of(open_source([file], url_column="webp"))[4]
    assert (record.id, record.location) == ("p4", f"{file}#4/webp")
    assert read_file(Path(record.location), 1 << 20) == bmp("white")
    file = write(tmp_path / "b.parquet", url=pa.array(urls), md5=pa.array([b"x"] * 6))
    record = records_of(open_source([file]))[4]
    assert (record.id, record.location, record.picture) == (f"{file}#4", urls[4], bmp("black"))


def test_a_row_without_bytes_is_read_by_its_path(tmp_path: Path) -> None:
    """As a data set of files has it that was not told to hold them; relative to the table."""
    (tmp_path / "a.bmp").write_bytes(bmp("red"))
    images = pa.array([{"bytes": None, "path": "a.bmp"}, {"bytes": None, "path": "https://x.org/b"}], IMAGE)
    pq.write_table(pa.table({"image": images}), tmp_path / "a.parquet")
    first, second = records_of(open_source([tmp_path / "a.parquet"]))
    assert (first.picture, second.picture) == (tmp_path / "a.bmp", "https://x.org/b")


def test_rows_from_ingest_to_thumbnail(tmp_path: Path) -> None:
    """A picture in a table is shown where it stands, and not after the row has another."""
    file = write(tmp_path / "train.parquet")
    with ImageIndex(MemoryStore("i"), "palette", None) as index:
        report = index.ingest(file)
        assert (report.written, report.rejected) == (5, 1)
        assert index.ingest(file).skipped == 5
        [hit] = index.search_text("blue", k=1, where="label=dog")
        assert hit.location == f"{file}#2"
        assert make_thumbnail(Path(hit.location), hit.content) is not None
        write(file, COLORS[::-1])
        assert make_thumbnail(Path(hit.location), hit.content) is None
        assert index.delete(paths=file) == 5


def test_a_rejected_row_is_read_again_where_it_stands(tmp_path: Path) -> None:
    """A retry finds the row by its number, and reads no other bytes: a location may mean any file."""
    file, store = write(tmp_path / "train.parquet"), RefusingStore("i")
    with ImageIndex(store, "palette", None) as index:
        report = index.ingest(file, max_rejection_rate=1)
        assert report.rejections == {Reason.WRITE_REJECTED: 5, Reason.BAD_ROW: 1}
        store.is_refusing = False
        write(file, (*COLORS[:2], "pink", *COLORS[3:]))
        report = index.retry()
        assert (report.written, report.rejections) == (4, {Reason.CHANGED_FILE: 1})
        again = index.ingest(file)
        assert (again.written, again.skipped) == (1, 4)


def test_memory_is_that_of_a_few_rows(tmp_path: Path) -> None:
    """Rows with large pictures are read a few at once, however many a group of rows has."""
    table = pa.table({"jpg": pa.array([bytes(1 << 20)] * 40, pa.binary())})
    pq.write_table(table, tmp_path / "a.parquet", compression="none", use_dictionary=False)
    held = pa.total_allocated_bytes()
    most = 0
    source = open_source([tmp_path / "a.parquet"])
    for record in source.records(Event()):
        assert isinstance(record, ImageRecord)
        most = max(most, pa.total_allocated_bytes() - held)
    assert most < 16 << 20
