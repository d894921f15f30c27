"""Tables that are lines of text, packed in any way: what every one of them promises."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest

from esclip._core.schema import Field, FieldType
from esclip._core.types import ImageRecord
from esclip._errors import SourceError
from esclip._errors.reasons import Reason
from esclip._files.text import MAX_LINE_CHARS
from esclip._protocols import Source
from esclip.sources import open_source
from esclip.sources.tables.csv_rows import MAX_ROW_BYTES
from esclip.testing.source import SourceContract, records_of, rejections_of


def pack_zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": pack_zstd,
}

ROWS = [
    {"id": name, "url": f"https://x.org/{name}.jpg", "likes": likes, "at": "2024-05-01"}
    for likes, name in enumerate("abcde", start=1)
]


class LinesContract(SourceContract):
    """The promises of a file of lines, packed by each of `PACK`."""

    SUFFIX: ClassVar[str]
    MAX_LINE: ClassVar[int]
    """Bytes of a line that is too long."""

    def lines(self, rows: Iterable[dict[str, object]]) -> list[bytes]:
        """The file's lines: those before the first row, and one for each."""
        raise NotImplementedError

    @pytest.fixture(params=list(PACK))
    def origin(self, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        file = tmp_path / f"list{self.SUFFIX}{request.param}"
        self.write(file, [*self.lines(ROWS), b"\xff"])
        return file

    def write(self, file: Path, lines: list[bytes]) -> None:
        """Write the lines, packed as the file's name says."""
        file.write_bytes(PACK.get(file.suffix, bytes)(b"\n".join(lines) + b"\n"))

    def open(self, origin: Path) -> Source:
        return open_source([origin], known=[Field("at", FieldType.DATE)])

    def change(self, origin: Path) -> set[str]:
        rows = [*ROWS[:2], {**ROWS[2], "likes": 9}, *ROWS[3:]]
        self.write(origin, [*self.lines(rows), b"\xff"])
        return {"c"}

    @pytest.mark.parametrize("line", ["long", "bytes", "nul"])
    def test_a_bad_line_costs_nothing_but_itself(self, tmp_path: Path, line: str) -> None:
        """One that is too long, not in UTF-8, or binary is rejected with its number; all others come."""
        bad = {"long": b"x" * self.MAX_LINE, "bytes": b"caf\xe9", "nul": b"a\0b"}[line]
        good = self.lines(ROWS)
        file = tmp_path / f"list{self.SUFFIX}.zst"
        self.write(file, [*good[:-2], bad, *good[-2:]])
        source = self.open(file)
        [rejection] = rejections_of(source)
        number = len(good) - 1
        assert (rejection.reason, rejection.location) == (Reason.BAD_ROW, f"{file}:{number}")
        assert f"line {number}: " in rejection.detail
        assert len(records_of(source)) == len(ROWS)

    @pytest.mark.parametrize("suffix", [suffix for suffix in PACK if suffix])
    def test_packed_it_is_what_it_is_unpacked(self, tmp_path: Path, suffix: str) -> None:
        """Also in UTF-16, in many packed pieces, and under the name of another packing."""
        data = b"\n".join(self.lines(ROWS))
        self.write(tmp_path / f"list{self.SUFFIX}", self.lines(ROWS))
        expected = records_of(self.open(tmp_path / f"list{self.SUFFIX}"))
        other = tmp_path / f"list{self.SUFFIX}.gz"
        pack = PACK[suffix]
        for packed in (
            pack(data.decode().encode("utf-16")),
            b"".join(pack(data[i : i + 7]) for i in range(0, len(data), 7)),
        ):
            other.write_bytes(packed)
            assert [self.shown(record) for record in records_of(self.open(other))] == [
                self.shown(record) for record in expected
            ]

    def shown(self, record: ImageRecord) -> tuple[object, ...]:
        return (record.id, record.location, dict(record.metadata))

    @pytest.mark.parametrize("suffix", [suffix for suffix in PACK if suffix])
    def test_one_that_is_cut_off_ends_with_an_error(self, tmp_path: Path, suffix: str) -> None:
        """It is no short table: the error names the file."""
        file = tmp_path / f"list{self.SUFFIX}{suffix}"
        rows = [{**ROWS[0], "id": f"{number}{number * 7919 % 9973}"} for number in range(999)]
        self.write(file, self.lines(rows))
        file.write_bytes(file.read_bytes()[:-20])
        with pytest.raises(SourceError, match=f"{file.name} can't be read"):
            list(records_of(self.open(file)))


class TestCsv(LinesContract):
    SUFFIX, MAX_LINE = ".csv", MAX_ROW_BYTES

    def lines(self, rows: Iterable[dict[str, object]]) -> list[bytes]:
        return [",".join(ROWS[0]).encode(), *(",".join(map(str, row.values())).encode() for row in rows)]


class TestJsonLines(LinesContract):
    SUFFIX, MAX_LINE = ".jsonl", MAX_LINE_CHARS + 1

    def lines(self, rows: Iterable[dict[str, object]]) -> list[bytes]:
        return [json.dumps(row).encode() for row in rows]


class TestUrls:
    """A list of URLs has no metadata, which a `SourceContract` is about."""

    @pytest.mark.parametrize("suffix", list(PACK))
    def test_a_bad_line_costs_nothing_but_itself(self, tmp_path: Path, suffix: str) -> None:
        """Packed in any way, also where it is too long."""
        file = tmp_path / f"urls.txt{suffix}"
        lines = [
            b"# mine",
            b"https://x.org/a",
            b"x" * (2 * MAX_LINE_CHARS),
            b"caf\xe9",
            b"",
            b"https://x.org/b",
        ]
        file.write_bytes(PACK[suffix](b"\r\n".join(lines)))
        source = open_source([file])
        assert [record.location for record in records_of(source)] == ["https://x.org/a", "https://x.org/b"]
        assert [rejection.location for rejection in rejections_of(source)] == [f"{file}:3", f"{file}:4"]


def test_values_that_no_field_keeps_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As columns of other tables are: an object, a list of numbers, a name that no store takes."""
    odd = {"objects": {"bbox": [[1, 2]]}, "sizes": [1, 2], "vector": "x", "a b": 1, "none": None}
    kept = {"place": {"lat": 1.5, "lon": 2}, "tags": ["x", "y"], "likes": 3}
    file = tmp_path / "list.jsonl"
    lines = [{"url": f"https://x.org/{number}", **odd, **kept} for number in range(3)]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    source = open_source([file])
    assert caplog.text == ""
    assert [sorted(record.metadata) for record in records_of(source)] == [sorted(kept)] * 3
    assert "left out 12 values, which can be no text and no field: objects of line 1, for one" in caplog.text
