"""Tables in files: URLs, separated values, Parquet, JSON lines, each row a picture."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from esclip import ImageIndex
from esclip._core.schema import Field, FieldType
from esclip._core.types import text_id
from esclip._errors import ConfigError, SourceError
from esclip._errors.reasons import Reason
from esclip._protocols import Source
from esclip.sources import open_source
from esclip.stores.memory import MemoryStore
from esclip.testing.source import SourceContract, records_of, rejections_of

HEADER = ("id", "url", "caption", "likes", "score", "at", "safe", "zip")
ROWS = (
    ("a", "https://x.org/a.jpg", "a dog", 1, 0.5, "2024-05-01", True, "01234"),
    ("b", "https://x.org/b.jpg", "", 20, 1.25, "2024-05-02T10:00:00+02:00", False, "05678"),
    ("c", "https://x.org/c.jpg", 'a "red", cat', 3, 2.0, "2024-05-03", True, "20095"),
    ("", "n/a", "nothing", 4, 3.0, "2024-05-04", True, "20095"),
)


def separated(rows: tuple[tuple[Any, ...], ...], delimiter: str = ",") -> bytes:
    def cell(value: Any) -> str:
        text = str(value)
        return '"' + text.replace('"', '""') + '"' if delimiter in text or '"' in text else text

    lines = [delimiter.join(map(cell, row)) for row in (HEADER, *rows)]
    return "\n".join(lines).encode() + b"\n"


class TestCsv(SourceContract):
    @pytest.fixture
    def origin(self, tmp_path: Path) -> Path:
        file = tmp_path / "list.csv"
        file.write_bytes(separated(ROWS))
        return file

    def open(self, origin: Path) -> Source:
        return open_source([origin])

    def change(self, origin: Path) -> set[str]:
        origin.write_bytes(separated((*ROWS[:2], ("c", "https://x.org/d.jpg", *ROWS[2][2:]), ROWS[3])))
        return {"c"}


class TestPackedTsv(TestCsv):
    """In UTF-16, as spreadsheets write it, and packed."""

    @pytest.fixture
    def origin(self, tmp_path: Path) -> Path:
        file = tmp_path / "list.tsv.gz"
        file.write_bytes(gzip.compress(separated(ROWS, "\t").decode().encode("utf-16")))
        return file

    def change(self, origin: Path) -> set[str]:
        rows = ((*ROWS[0][:3], 100, *ROWS[0][4:]), *ROWS[1:])
        origin.write_bytes(gzip.compress(separated(rows, "\t")))
        return {"a"}


class TestParquet(SourceContract):
    @pytest.fixture
    def origin(self, tmp_path: Path) -> Path:
        self._write(tmp_path / "list.parquet", ROWS)
        return tmp_path / "list.parquet"

    def _write(self, file: Path, rows: tuple[tuple[Any, ...], ...]) -> None:
        table = pa.table({name: [row[i] or None for row in rows] for i, name in enumerate(HEADER)})
        dates = [datetime.fromisoformat(str(row[5])) for row in rows]
        at = pa.array([date if date.tzinfo else date.replace(tzinfo=UTC) for date in dates])
        table = table.set_column(5, "at", at)
        pq.write_table(table.append_column("tags", pa.array([["x", "y"]] * len(rows))), file)

    def open(self, origin: Path) -> Source:
        return open_source([origin])

    def change(self, origin: Path) -> set[str]:
        self._write(origin, (("a", *ROWS[0][1:7], "9"), *ROWS[1:]))
        return {"a"}


class TestJsonLines(SourceContract):
    """With columns that are named, and packed."""

    @pytest.fixture
    def origin(self, tmp_path: Path) -> Path:
        self._write(tmp_path / "list.jsonl.gz", ROWS)
        return tmp_path / "list.jsonl.gz"

    def _write(self, file: Path, rows: tuple[tuple[Any, ...], ...]) -> None:
        names = ("key", "image_url", *HEADER[2:])
        lines = [json.dumps({n: v for n, v in zip(names, row, strict=True) if v != ""}) for row in rows]
        file.write_bytes(gzip.compress("\n".join(lines).encode()))

    def open(self, origin: Path) -> Source:
        known = [Field("at", FieldType.DATE)]
        return open_source([origin], url_column="image_url", id_column="key", captions="caption", known=known)

    def change(self, origin: Path) -> set[str]:
        self._write(origin, (*ROWS[:2], (*ROWS[2][:2], "a cat", *ROWS[2][3:]), ROWS[3]))
        return {"c"}


def test_values_have_the_types_of_their_columns(tmp_path: Path) -> None:
    """Numbers are numbers, a number with a zero before stays a text, and what is empty is missing."""
    (tmp_path / "list.csv").write_bytes(separated(ROWS))
    source = open_source([tmp_path / "list.csv"])
    first, second, _ = records_of(source)
    assert first.metadata == {
        "likes": 1,
        "score": 0.5,
        "at": datetime(2024, 5, 1, tzinfo=UTC),
        "safe": True,
        "zip": "01234",
    }
    assert (first.id, first.location, first.description) == ("a", "https://x.org/a.jpg", "a dog")
    assert (second.description, second.metadata["at"]) == ("", datetime(2024, 5, 2, 8, tzinfo=UTC))
    [rejection] = rejections_of(source)
    assert (rejection.reason, rejection.location) == (Reason.BAD_URL, "n/a")


def test_a_list_of_urls_has_ids_made_of_them(tmp_path: Path) -> None:
    """One URL a line; a text that begins otherwise is none, and read as any other file."""
    file = tmp_path / "urls.txt"
    file.write_bytes(
        b"\xef\xbb\xbf\n# of today\n  https://x.org/a.jpg\r\n# not this one\nHTTPS://x.org/b.jpg\n\nx.org/c\n"
    )
    source = open_source([file])
    urls = ["https://x.org/a.jpg", "HTTPS://x.org/b.jpg"]
    assert [(record.id, record.location) for record in records_of(source)] == [(text_id(u), u) for u in urls]
    assert [rejection.location for rejection in rejections_of(source)] == ["x.org/c"]
    file.write_text("a text about https://x.org/\n", encoding="utf-8")
    assert [record.location for record in records_of(open_source([file]))] == [str(file)]


@pytest.mark.parametrize("column", ["image_path", "File_Name", "filename"])
def test_paths_are_called_as_other_programs_call_them(tmp_path: Path, column: str) -> None:
    """clip-retrieval's metadata, and what Hugging Face's ImageFolder has beside pictures."""
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.bmp")
    (tmp_path / "metadata.csv").write_text(f"{column},text\na.bmp,a word\n")
    line = json.dumps({column.lower(): "a.bmp", "caption": "a word"})
    (tmp_path / "metadata.jsonl").write_text(line)
    for name in ("metadata.csv", "metadata.jsonl"):
        [record] = records_of(open_source([tmp_path / name]))
        assert (record.location, record.description) == (str(tmp_path / "a.bmp"), "a word")


def test_a_header_of_many_columns_is_read_once(tmp_path: Path) -> None:
    """Each name is looked up, not looked for among all: 200,000 would take an hour."""
    names = [f"c{number}" for number in range(200_000)]
    (tmp_path / "wide.csv").write_text(f"url,{','.join(names)}\nhttps://x.org/a,{',' * 199_999}\n")
    assert len(records_of(open_source([tmp_path / "wide.csv"]))) == 1


@pytest.mark.parametrize("name", ["pictures.csv", "pictures.jsonl", "photos.csv"])
def test_paths_are_relative_to_the_table(tmp_path: Path, name: str) -> None:
    """A table of paths beside its pictures is read from anywhere; also by a dataset's name."""
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.bmp")
    row = '{"file": "a.bmp", "nr": "7"}\n' if name.endswith("jsonl") else "nr,file\n7,a.bmp\n"
    (tmp_path / name).write_text(row, encoding="utf-8")
    with ImageIndex(MemoryStore("i"), "palette", None) as index:
        report = index.ingest(tmp_path / name, url_column="file", id_column="nr")
        assert (report.written, report.rejected) == (1, 0)
        [document] = index.peek(1)
        assert (document.record.id, document.record.location) == ("7", str(tmp_path / "a.bmp"))


def test_broken_rows_are_told_with_their_line(tmp_path: Path) -> None:
    """A row with too many values costs itself only; a value of another type its own row."""
    (tmp_path / "a.csv").write_text("url,n\nhttps://x.org/1,1\nhttps://x.org/2,2,3\nhttps://x.org/3,3\n")
    known = [Field("n", FieldType.INTEGER)]
    assert len(records_of(open_source([tmp_path / "a.csv"]))) == 2
    [rejection] = rejections_of(open_source([tmp_path / "a.csv"]))
    assert (rejection.reason, rejection.location) == (Reason.BAD_ROW, f"{tmp_path / 'a.csv'}:3")
    (tmp_path / "b.csv").write_text("url,n\nhttps://x.org/1,1\nhttps://x.org/2,x\n")
    [rejection] = rejections_of(open_source([tmp_path / "b.csv"], known=known))
    assert "field n is integer, which 'x' is not" in rejection.detail


def test_what_is_no_such_table_is_told(tmp_path: Path) -> None:
    """A missing column, a file that is none, an option without a table: what is there is named."""
    (tmp_path / "a.csv").write_text("link,title\nhttps://x.org/1,one\n")
    with pytest.raises(SourceError, match=r"no column called url, .*, but link, title; name the column"):
        open_source([tmp_path / "a.csv"])
    with pytest.raises(ConfigError, match=r"url_column: .* has no column 'lnk'; it may be link"):
        open_source([tmp_path / "a.csv"], url_column="lnk")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(SourceError, match=r"b\.parquet can't be read"):
        open_source([tmp_path / "b.parquet"])
    (tmp_path / "c.csv").write_bytes(b"url\nhttps://x.org/\xff\n\xff\n")
    assert len(rejections_of(open_source([tmp_path / "c.csv"]))) == 2
    (tmp_path / "d.csv").write_bytes(b"")
    with pytest.raises(SourceError, match="line 1: no columns' names"):
        open_source([tmp_path / "d.csv"])
    (tmp_path / "e.tsv.gz").write_bytes(gzip.compress(b"url\nhttps://x.org/1\n" * 999)[:-20])
    with pytest.raises(SourceError, match=r"e\.tsv\.gz can't be read"):
        records_of(open_source([tmp_path / "e.tsv.gz"]))
    Image.new("RGB", (8, 8)).save(tmp_path / "p.bmp")
    with pytest.raises(ConfigError, match="id_column: it is of use with tables only"):
        open_source([tmp_path / "p.bmp"], id_column="id")


def test_columns_that_can_be_no_fields_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A name that no store takes, and values of no field's type, don't keep a table from being read."""
    table = pa.table({"URL": ["https://x.org/1"], "a b": ["x"], "vector": [[0.1]], "url": ["y"], "ok": [1]})
    pq.write_table(table, tmp_path / "a.parquet")
    source = open_source([tmp_path / "a.parquet"], url_column="URL")
    assert records_of(source)[0].metadata == {"ok": 1}
    assert "columns that can't be fields are left out: a b, vector, url" in caplog.text


def test_any_host_is_any_of_the_public_web(tmp_path: Path) -> None:
    """A stranger's list can't make an ingest that allows all hosts ask the network that it runs in."""
    urls = tmp_path / "urls.txt"
    urls.write_text("http://127.0.0.1:9/a.jpg\nhttp://192.168.0.1/b.jpg\n")
    rejected: list[str] = []
    with ImageIndex(MemoryStore("i"), "palette", None) as index:
        for hosts in ([], ["*"]):
            index.ingest(
                urls,
                allow_hosts=hosts,
                max_rejection_rate=1,
                on_rejection=lambda rejection: rejected.append(rejection.detail),
            )
    assert sum("is not one of those allowed" in detail for detail in rejected) == 2
    assert sum("is not an address of the public web" in detail for detail in rejected) == 2
