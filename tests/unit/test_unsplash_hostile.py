"""Tables that bite: read, or one error with file and line, and never fewer records in silence."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from esclip import ImageIndex
from esclip._core.progress import Progress
from esclip._errors import SourceError
from esclip._errors.reasons import Reason
from esclip.sources import open_source
from esclip.stores.memory import MemoryStore
from esclip.testing.source import records_of, rejections_of
from tests.unit.unsplash_tables import child, ids, photo, told, write

HEADER = b"photo_id\tphoto_image_url\tphoto_description\n"
ROWS = b"".join(b"%c\thttps://images.unsplash.com/%c\tabout\n" % (id, id) for id in b"abcd")


def table(folder: Path, data: bytes, name: str = "photos.tsv000") -> Path:
    (folder / name).write_bytes(data)
    return folder


READ: dict[str, Callable[[bytes], bytes]] = {
    "Windows line ends": lambda data: data.replace(b"\n", b"\r\n"),
    "both kinds of line ends": lambda data: data.replace(b"\n", b"\r\n", 3),
    "a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "blank lines": lambda data: b"\n\r\n" + data.replace(b"about\n", b"about\n\n"),
    "no last line end": lambda data: data[:-1],
    "packed, by another name": gzip.compress,
    "packed in two halves": lambda data: gzip.compress(data[:70]) + gzip.compress(data[70:]),
    "packed, filled up with zeros": lambda data: gzip.compress(data) + bytes(512),
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "UTF-16 of the other order": lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be"),
    "UTF-16, packed": lambda data: gzip.compress(data.decode().encode("utf-16")),
    "an unknown column": lambda data: data.replace(b"photo_description", b"photo_mood"),
}


@pytest.mark.parametrize("change", READ.values(), ids=READ)
def test_what_means_the_same_is_read(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    """However the same rows are written down, all of them come."""
    assert ids(table(tmp_path, change(HEADER + ROWS))) == list("abcd")


def test_a_name_says_nothing_about_packing(tmp_path: Path) -> None:
    """What a download tool has unpacked without changing the name is read as it is, child tables too."""
    table(tmp_path, HEADER + ROWS, "photos.tsv000.gz")
    packed = gzip.compress(b"photo_id\tkeyword\tsuggested_by_user\na\tred\tt\n")
    table(tmp_path, packed, "keywords.tsv000")
    assert told(tmp_path, "keywords") == {"a": ("red",), "b": None, "c": None, "d": None}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_a_child_table_in_utf_16(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """As a spreadsheet writes it: its rows are joined as those of any other."""
    table(tmp_path, HEADER + ROWS)
    rows = "photo_id\tkeyword\tsuggested_by_user\r\na\tgrün\tt\r\nb\t雪\tt\r\n"
    table(tmp_path, pack(rows.encode("utf-16")), "keywords.tsv000")
    assert told(tmp_path, "keywords") == {"a": ("grün",), "b": ("雪",), "c": None, "d": None}


@pytest.mark.parametrize("name", ["photos.tsv000", "keywords.tsv000"])
def test_a_link_out_of_the_folder_is_told_and_not_followed(tmp_path: Path, name: str) -> None:
    """A dataset that somebody handed over would else show what any file of this machine begins with."""
    folder = tmp_path / "data"
    folder.mkdir()
    table(folder, HEADER + ROWS)
    secret = table(tmp_path, b"photo_id\tkeyword\tpassword=1\n", "secret") / "secret"
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(secret)
    with pytest.raises(SourceError, match=f"{name} can't be read: it is a link out of its folder") as caught:
        records_of(open_source([folder]))
    assert "password" not in str(caught.value)
    (folder / name).unlink()
    table(folder, HEADER + ROWS, "photos.tsv001")
    (folder / "photos.tsv000").unlink(missing_ok=True)
    (folder / "photos.tsv000").symlink_to("photos.tsv001")
    assert ids(folder) == list("abcdabcd")


REFUSED: dict[str, tuple[bytes, str]] = {
    "no photo_id": (HEADER.replace(b"photo_id", b"id"), "photo_id among them, not 'id, "),
    "no photo_image_url": (
        HEADER.replace(b"_image_url", b""),
        "no column photo_image_url in 'photo_id, photo,",
    ),
    "a column twice": (
        HEADER.replace(b"photo_desc", b"photo_id\tphoto_desc"),
        "column 'photo_id' comes 2 times",
    ),
    "UTF-16 without its mark": ((HEADER + ROWS).decode().encode("utf-16-le"), "as UTF-16 does"),
    "line ends of CR": ((HEADER + ROWS).replace(b"\n", b"\r"), "CR alone"),
    "commas": (HEADER.replace(b"\t", b","), "separated by tabs, .*not 'photo_id,photo_image_url"),
    "bytes of something else": (b"PK\x03\x04" + bytes(range(256)), "NUL|UTF-8|CR"),
}


@pytest.mark.parametrize(("data", "said"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("part", ["photos.tsv000", "photos.tsv001"])
def test_a_header_that_can_not_be_used_is_an_error(tmp_path: Path, part: str, data: bytes, said: str) -> None:
    """In the first part or a later one, the message names the file, the line, and what it found there."""
    for name in ("photos.tsv000", "photos.tsv001", "photos.tsv002"):
        table(tmp_path, HEADER + ROWS, name)
    table(tmp_path, data, part)
    with pytest.raises(SourceError, match=f"{part}, line 1: .*({said})") as caught:
        open_source([tmp_path])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_a_part_that_is_missing_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A gap in the numbers is no error, since parts may be split up on purpose, but nothing to pass over."""
    table(tmp_path, HEADER + ROWS, "photos.tsv000")
    table(tmp_path, HEADER, "photos.tsv002")
    assert ids(tmp_path) == list("abcd")
    assert "parts are missing between photos.tsv000 and photos.tsv002" in caplog.text


@pytest.mark.parametrize("cut", range(2, len(ROWS.splitlines()[3])))
def test_a_last_row_that_is_cut(tmp_path: Path, cut: int) -> None:
    """It is rejected where it ends before its last value; inside of that nobody can tell, and it is read."""
    last = ROWS.splitlines()[3][:-cut]
    source = open_source([table(tmp_path, HEADER + ROWS[: ROWS.rindex(b"\nd") + 1] + last)])
    assert source.total() == 4
    assert len(records_of(source)) == (4 if last.count(b"\t") == 2 else 3)
    for rejection in rejections_of(source):
        assert rejection.reason is Reason.BAD_ROW
        assert "line 5: " in rejection.detail


def test_rows_inside_of_a_quote_are_not_lost(tmp_path: Path) -> None:
    """A quote that stands in a later row by chance, and so closes one left open, swallows no rows."""
    lines = HEADER + b'x\tu\t"open\n' + ROWS + b'y\tu\t15"\n'
    source = open_source([table(tmp_path, lines)])
    assert [record.id for record in records_of(source)] == [*"abcd", "y"]
    [rejection] = rejections_of(source)
    assert "line 2: a quote that is closed in a later row" in rejection.detail


def test_a_quoted_first_value_of_several_lines_is_whole(tmp_path: Path) -> None:
    """A value with line ends is not mistaken for swallowed rows, whichever column it is in."""
    text = 'one\ntwo\tand "three"\nfour'
    columns = ["photo_description", "photo_id", "photo_image_url"]
    write(tmp_path / "photos.tsv", [photo("a", photo_description=text), photo("b")], columns=columns)
    first, second = records_of(open_source([tmp_path]))
    assert (first.id, first.description, second.id) == ("a", text, "b")


@pytest.mark.parametrize("size", [10_000_000, 40_000_000])
@pytest.mark.parametrize("name", ["photos.tsv001", "keywords.tsv000"])
def test_a_field_of_many_megabytes_costs_nothing_else(
    tmp_path: Path, name: str, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten are read, forty are a broken row; the rows around it come, in tables that DuckDB reads, too."""
    table(tmp_path, HEADER + ROWS)
    header = HEADER if name.startswith("photos") else b"photo_id\tkeyword\tsuggested_by_user\n"
    table(tmp_path, header + b"a\tred\tt\nb\t" + b"x" * size + b"\tt\nc\tblue\tt\n", name)
    source = open_source([tmp_path])
    is_broken = size > 32 * 1024 * 1024
    if name.startswith("photos"):
        assert [rejection.reason for rejection in rejections_of(source)] == [Reason.BAD_ROW] * is_broken
        assert len(records_of(source)) == 7 - is_broken
    else:
        found = told(tmp_path, "keywords")
        assert (found["a"], found["c"]) == (("red",), ("blue",))
        assert (found["b"] is None) == is_broken == ("1 broken row" in caplog.text)


def test_a_packed_part_that_is_cut_says_where(tmp_path: Path) -> None:
    """The rows up to there are known, so the line is told with the file."""
    rows = b"".join(b"%d\thttps://images.unsplash.com/%d\tx\n" % (i, i * 7919 % 10007) for i in range(5_000))
    table(tmp_path, gzip.compress(HEADER + rows)[:-500], "photos.tsv000.gz")
    with pytest.raises(SourceError, match=r"photos.tsv000.gz can't be read behind line \d{4,}: "):
        list(open_source([tmp_path]).records(Event()))


def test_a_child_table_that_repeats_a_column_is_an_error(tmp_path: Path) -> None:
    """Which of the two would be the right one, nobody knows."""
    table(tmp_path, HEADER + ROWS)
    table(tmp_path, b"photo_id\tkeyword\tkeyword\na\tb\tc\n", "keywords.tsv000")
    with pytest.raises(SourceError, match=r"keywords\.tsv000, line 1: the column 'keyword' comes 2 times"):
        open_source([tmp_path])


def test_each_part_of_a_child_table_is_read_by_its_own_header(tmp_path: Path) -> None:
    """Parts with other columns, in another order, and with broken rows give what they have."""
    table(tmp_path, HEADER + ROWS)
    write(tmp_path / "keywords.tsv000", [child("a", keyword="red", suggested_by_user="t")])
    table(
        tmp_path, b"suggested_by_user\tkeyword\tphoto_id\nt\tblue\tb\nbroken\nt\tgreen\tc", "keywords.tsv001"
    )
    assert told(tmp_path, "keywords") == {"a": ("red",), "b": ("blue",), "c": ("green",), "d": None}


def test_what_was_written_before_an_error_stays(tmp_path: Path) -> None:
    """A table that turns out unreadable in the middle ends the run, and the next one goes on from there."""
    folder, images = tmp_path / "data", tmp_path / "images"
    folder.mkdir()
    images.mkdir()
    Image.new("RGB", (4, 4), "red").save(tmp_path / "red.jpg")
    names = [f"p{number}" for number in range(4_800)]
    for name in names:
        os.link(tmp_path / "red.jpg", images / f"{name}.jpg")
    write(folder / "photos.tsv000", [photo(name) for name in names[:4_500]])
    second = write(folder / "photos.tsv001", [photo(name) for name in names[4_500:]])
    whole = second.read_bytes()

    def damage(progress: Progress) -> None:
        second.write_bytes(whole[:-9])

    with ImageIndex(MemoryStore("i"), "palette", None) as index:
        with pytest.raises(SourceError, match=r"photos\.tsv001 changed"):
            index.ingest(folder, images=images, on_progress=damage)
        held = index.stats().documents
        assert held >= 512
        second.write_bytes(whole)
        report = index.ingest(folder, images=images)
        assert (report.read, report.skipped, report.written) == (4_800, held, 4_800 - held)


def test_a_small_part_that_unpacks_to_a_large_one(tmp_path: Path) -> None:
    """A packed table of some kilobytes that would fill the disk is told with both sizes."""
    table(tmp_path, HEADER + ROWS)
    packed = gzip.compress(b"photo_id\tkeyword\tsuggested_by_user\n") + gzip.compress(b"\n" * (10 << 20)) * 26
    table(tmp_path, packed, "keywords.tsv000.gz")
    with pytest.raises(SourceError, match=rf"its {len(packed)} bytes unpack to more than"):
        records_of(open_source([tmp_path]))
