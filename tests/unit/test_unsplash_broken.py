"""Unsplash datasets that are damaged: broken rows, bad ids, missing columns, cut files."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from esclip._errors import SourceError
from esclip._errors.reasons import Reason
from esclip.sources import open_source
from esclip.testing.source import records_of, rejections_of
from tests.unit.unsplash_tables import BROKEN_ROWS, ids, photo, write


@pytest.mark.parametrize("row", BROKEN_ROWS.values(), ids=BROKEN_ROWS)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_broken_row_costs_itself_only(tmp_path: Path, row: bytes, place: str) -> None:
    """Rows before and behind it come, and the rejection says where it is."""
    good = [f"{id}\turl\td".encode() for id in "abcd"]
    at = {"first": 0, "middle": 2, "last": 4}[place]
    lines = [b"photo_id\tphoto_image_url\tphoto_description", *good[:at], row, *good[at:]]
    (tmp_path / "photos.tsv000").write_bytes(b"\n".join(lines))
    source = open_source([tmp_path])
    assert [record.id for record in records_of(source)] == list("abcd")
    [rejection] = rejections_of(source)
    assert rejection.reason is Reason.BAD_ROW
    assert rejection.location == f"{tmp_path / 'photos.tsv000'}:{at + 2}"
    assert f"line {at + 2}" in rejection.detail
    assert source.total() == 5


def test_a_row_cut_at_the_end_is_rejected(tmp_path: Path) -> None:
    """A download that stopped inside a quoted value ends with a rejection."""
    (tmp_path / "photos.tsv").write_bytes(b'photo_id\tphoto_image_url\na\tu\nb\t"htt')
    source = open_source([tmp_path])
    assert [record.id for record in records_of(source)] == ["a"]
    assert len(rejections_of(source)) == 1


@pytest.mark.parametrize("id", ["", " ", "x" * 513, "é" * 257, "a\x07b", "a\u202eb"])
def test_an_id_that_can_not_be_stored_is_rejected(tmp_path: Path, id: str) -> None:
    """Empty, too long in UTF-8, or not printable."""
    write(tmp_path / "photos.tsv", [photo(id), photo("b")])
    [rejection] = rejections_of(open_source([tmp_path]))
    assert rejection.reason is Reason.BAD_ID
    assert rejection.location.endswith("photos.tsv:2")
    assert ids(tmp_path) == ["b"]


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("photos.csv000", "photo_id,photo_image_url\na,b\n"),
        ("photos.tsv", "photo_id\tphoto_url\na\tb\n"),
        ("photos.tsv", "photo_image_url\turl\n"),
        ("photos.tsv", '"photo_id\tphoto_image_url\n'),
        ("keywords.tsv", "photo_id,keyword\na,b\n"),
    ],
)
def test_a_table_without_its_columns_is_an_error(tmp_path: Path, name: str, header: str) -> None:
    """The message names the file and says what was expected, before a record is given."""
    write(tmp_path / "photos.tsv000", [photo("a")])
    (tmp_path / name).write_text(header)
    with pytest.raises(SourceError, match=rf"{name}.*photo_") as caught:
        open_source([tmp_path])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\n\r\n", b"\xef\xbb\xbf"])
def test_an_empty_part_is_an_error(tmp_path: Path, data: bytes) -> None:
    """A part of no bytes is a download that failed, not a part without photos: these would go missing."""
    write(tmp_path / "photos.tsv000", [photo("a")])
    (tmp_path / "photos.tsv001").write_bytes(data)
    with pytest.raises(SourceError, match=r"photos\.tsv001, line 1: .*empty"):
        open_source([tmp_path])


@pytest.mark.parametrize("name", ["photos.tsv000.gz", "keywords.tsv000.gz"])
def test_a_packed_file_that_is_cut_is_an_error(tmp_path: Path, name: str) -> None:
    """Nobody knows what the rest would have been: the file is named."""
    write(tmp_path / "photos.tsv001", [photo("a")])
    path = write(tmp_path / name, [photo(f"b{i * i}", keyword=f"k{i * 7919 % 1000}") for i in range(6_000)])
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(SourceError, match=name) as caught:
        list(open_source([tmp_path]).records(Event()))
    assert "\n" not in str(caught.value)


def test_a_table_that_changes_while_in_use_is_an_error(tmp_path: Path) -> None:
    """Numbers of photos would not fit any more, and keywords go to others."""
    path = write(tmp_path / "photos.tsv", [photo("a")])
    source = open_source([tmp_path])
    write(path, [photo("b"), photo("a")])
    with pytest.raises(SourceError, match="changed"):
        list(source.records(Event()))
