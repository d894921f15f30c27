"""Tar and zip archives, as a camera's or as shards of WebDataset: what is read, and read again."""

from __future__ import annotations

import io
import json
import logging
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from esclip import ImageIndex
from esclip._errors import SourceError
from esclip._errors.reasons import Reason
from esclip._files.archives import read_file
from esclip._images.thumbnail_cache import ThumbnailCache
from esclip._protocols import Source
from esclip.sources import open_source
from esclip.stores.memory import MemoryStore
from esclip.testing.source import SourceContract, records_of, rejections_of
from tests.plain_pictures import bmp

Members = Sequence[tuple[str, bytes]]


def sample(number: int, color: str, likes: object = None) -> Members:
    about = {"likes": number if likes is None else likes, "caption": "not this", "nested": {"a": 1}}
    return (
        (f"{number:03}.bmp", bmp(color)),
        (f"{number:03}.txt", f"a {color} picture\n".encode()),
        (f"{number:03}.json", json.dumps(about).encode()),
    )


SHARD = (*sample(1, "red"), *sample(2, "green"), *sample(3, "blue"), ("001.b.bmp", bmp("black")))


def write_tar(file: Path, members: Members) -> Path:
    with tarfile.open(file, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_700_000_000
            tar.addfile(info, io.BytesIO(data))
    return file


@pytest.mark.filterwarnings("ignore:Duplicate name")
def write_zip(file: Path, members: Members) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (2024, 5, 1, 10, 0, 0)), data)
    return file


class TestTar(SourceContract):
    @pytest.fixture
    def origin(self, tmp_path: Path) -> Path:
        return write_tar(tmp_path / "shard.tar", SHARD)

    def open(self, origin: Path) -> Source:
        return open_source([origin])

    def change(self, origin: Path) -> set[str]:
        """One picture; all are of another version then, as the archive is."""
        write_tar(origin, [(name, bmp("white") if name == "002.bmp" else data) for name, data in SHARD])
        return {f"{origin}#{name}.bmp" for name in ("001", "002", "003")}


class TestZip(SourceContract):
    @pytest.fixture
    def origin(self, tmp_path: Path) -> Path:
        return self._write(tmp_path / "shard.zip", SHARD)

    def _write(self, file: Path, members: Members) -> Path:
        with pytest.warns(UserWarning, match="Duplicate name"):
            return write_zip(file, (*members, ("003.bmp", bmp("white"))))

    def open(self, origin: Path) -> Source:
        return open_source([origin])

    def change(self, origin: Path) -> set[str]:
        self._write(origin, [(name, bmp("pink") if name == "002.bmp" else data) for name, data in SHARD])
        return {f"{origin}#002.bmp"}


@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_a_sample_is_a_picture_with_its_text_and_json(
    tmp_path: Path, write: object, caplog: pytest.LogCaptureFixture
) -> None:
    """By the name up to its first dot; what is no field is left out with a warning, other files counted."""
    members = (
        *sample(1, "red"),
        ("x/a.b.bmp", bmp("blue")),
        ("x/a.json", b'{"likes": "many", "caption": "blue", "url": "https://x.org/a"}'),
        ("x/clip.mp4", b""),
        ("x/._a.bmp", b"hidden"),
        ("alone.txt", b"nobody's"),
    )
    archive = (write_tar if write is write_tar else write_zip)(
        tmp_path / ("a.tar" if write is write_tar else "a.zip"), members
    )
    source = open_source([archive])
    first, second = records_of(source)
    assert (first.id, first.location, first.description) == (*[f"{archive}#001.bmp"] * 2, "a red picture")
    assert second.description == "blue"
    assert (first.metadata["likes"], first.metadata["folder"]) == (1, archive.name)
    assert (second.metadata["url"], second.metadata["folder"]) == ("https://x.org/a", "x")
    assert "likes" not in second.metadata
    assert source.passed_over() == {"video": 1}
    assert "left out 2 values, which can be no text and no field: nested of 001" in caplog.text
    assert read_file(Path(second.location), 1 << 20) == bmp("blue")
    excluded = open_source([archive], exclude=["x"])
    assert len(records_of(excluded)) == 1
    assert excluded.passed_over()["excluded"] == 3


def test_a_tar_that_is_cut_off_gives_what_comes_before(tmp_path: Path) -> None:
    """One rejection for the shard, wherever it is cut; damage in the middle is no silent end."""
    whole = write_tar(tmp_path / "whole.tar", SHARD[:9]).read_bytes()
    second = whole.index(b"002.bmp")
    cut = tmp_path / "cut.tar"
    for length in (second + 700, second + 100, second, len(whole) - 10240):
        cut.write_bytes(whole[:length])
        source = open_source([cut])
        [rejection] = rejections_of(source)
        assert (rejection.reason, rejection.location) == (Reason.UNREADABLE_FILE, str(cut))
        assert records_of(source)[0].description == "a red picture"
    cut.write_bytes(whole[:second] + b"\xff" * 512 + whole[second + 512 :])
    assert "damaged at offset" in rejections_of(open_source([cut]))[0].detail
    assert len(records_of(open_source([cut]))) == 1
    cut.write_bytes(b"no tar at all" * 99)
    assert len(rejections_of(open_source([cut]))) == 1


def test_what_stands_behind_the_end_of_a_tar_is_told(tmp_path: Path) -> None:
    """Another archive, or anything but zeros, costs a rejection, and nothing of what comes before."""
    whole = write_tar(tmp_path / "whole.tar", SHARD[:9]).read_bytes()
    file = tmp_path / "more.tar"
    for behind in (whole, b"no part of it", b"\0" * 9999 + b"x"):
        file.write_bytes(whole + behind)
        [rejection] = rejections_of(open_source([file]))
        assert (rejection.reason, rejection.location) == (Reason.UNREADABLE_FILE, str(file))
        assert "behind its end" in rejection.detail
        assert len(records_of(open_source([file]))) == 3
    file.write_bytes(whole + b"\0" * 9999)
    assert rejections_of(open_source([file])) == []


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_as_large_as_the_memory_is_not_read(tmp_path: Path, kind: bytes) -> None:
    """What comes before it is read, the archive is rejected for it."""
    file = write_tar(tmp_path / "a.tar", SHARD[:3])
    header = tarfile.TarInfo("bomb")
    header.type, header.size = kind, 1 << 40
    bomb = header.tobuf(tarfile.GNU_FORMAT)
    with tarfile.open(file) as tar:
        end = max(member.offset_data + 512 * -(-member.size // 512) for member in tar.getmembers())
    file.write_bytes(file.read_bytes()[:end] + bomb + bytes(2048))
    source = open_source([file])
    assert "a header of 1,099,511,627,776 bytes" in rejections_of(source)[0].detail
    assert len(records_of(source)) == 1


def test_keys_that_come_again_and_names_that_come_twice_are_rejected(tmp_path: Path) -> None:
    """Half a sample would have another one's text."""
    members = (*sample(1, "red"), *sample(2, "blue"), SHARD[9], SHARD[1], SHARD[3], SHARD[3])
    file = write_tar(tmp_path / "a.tar", (*members, ("4.bmp", b"x"), ("4.bmp", b"y")))
    assert [Path(record.location).name for record in records_of(open_source([file]))] == [
        f"a.tar#{name}.bmp" for name in ("001", "002", "4")
    ]
    rejections = rejections_of(open_source([file]))
    assert [(one.reason, one.id.partition("#")[2]) for one in rejections] == [
        (Reason.UNREADABLE_FILE, "001.b.bmp"),
        (Reason.UNREADABLE_FILE, "002.bmp"),
        (Reason.UNREADABLE_FILE, "002.bmp"),
        (Reason.BAD_ID, "4.bmp"),
    ]


def test_members_are_read_and_never_extracted(tmp_path: Path) -> None:
    """Names that lead out of the archive lead nowhere, and links in it are no pictures, but counted."""
    (tmp_path / "secret.bmp").write_bytes(bmp("red"))
    file = tmp_path / "in" / "a.tar"
    file.parent.mkdir()
    names = ("../out.bmp", "/etc/out.bmp", "./b.bmp", "n\u00f6.bmp", "x" * 600 + ".bmp", "new\nline.bmp")
    with tarfile.open(file, "w") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(bmp("blue"))
            tar.addfile(info, io.BytesIO(bmp("blue")))
        link = tarfile.TarInfo("link.bmp")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret.bmp")
        tar.addfile(link)
        hard = tarfile.TarInfo("hard.bmp")
        hard.type, hard.linkname = tarfile.LNKTYPE, "b.bmp"
        tar.addfile(hard)
        hard.name = "hard.txt"
        tar.addfile(hard)
    source = open_source([file])
    records = records_of(source)
    assert source.passed_over() == {"linked_files": 2}
    assert [record.location.partition("#")[2] for record in records] == [*names[:2], "b.bmp", *names[3:]]
    for record in records:
        assert isinstance(record.picture, Path)
        assert read_file(record.picture, 1 << 20) == bmp("blue")
    with pytest.raises(FileNotFoundError):
        read_file(Path(f"{file}#../../secret.bmp"), 1 << 20)
    with pytest.raises(FileNotFoundError):
        read_file(Path(f"{file}#link.bmp"), 1 << 20)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tar", "in", "secret.bmp"]


def test_a_packed_tar_and_a_locked_zip_say_so(tmp_path: Path) -> None:
    """What can't be read from its middle is no empty archive."""
    (tmp_path / "a.tar.gz").write_bytes(b"")
    with pytest.raises(SourceError, match=r"a\.tar\.gz is packed"):
        open_source([tmp_path / "a.tar.gz"])
    data = bytearray(write_zip(tmp_path / "a.zip", [("a.bmp", bmp("red"))]).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    [rejection] = rejections_of(open_source([tmp_path / "a.zip"]))
    assert rejection.detail == "it is encrypted"


@pytest.mark.parametrize("suffix", [".tar", ".ZIP"])
def test_an_archive_from_ingest_to_thumbnail(tmp_path: Path, suffix: str) -> None:
    """Members are encoded, skipped where unchanged, shown again, and pruned by their archive alone."""
    archive, write = tmp_path / f"shard{suffix}", write_zip if suffix == ".ZIP" else write_tar
    write(archive, SHARD[:9])
    cache = ThumbnailCache(tmp_path / "cache")
    with ImageIndex(MemoryStore("i"), "palette", None) as index:
        assert index.ingest(archive).written == 3
        assert index.ingest(archive).skipped == 3
        [hit] = index.search_text("blue", k=1)
        assert hit.location == f"{archive}#003.bmp"
        index.search_text("blue", k=1).copy_to(tmp_path / "copies")
        assert (tmp_path / "copies" / "01_003.bmp").read_bytes() == bmp("blue")
        (tmp_path / "copies" / "01_003.bmp").unlink()
        small = cache.thumbnail(Path(hit.location), hit.content or "", 240)
        assert small is not None
        (tmp_path / "beside.bmp").write_bytes(bmp("white"))
        assert index.ingest(tmp_path, prune=True).pruned == 0
        write(archive, (*SHARD[:6], ("003.bmp", bmp("yellow"))))
        assert cache.thumbnail(Path(hit.location), hit.content or "", 240) is None
        write(archive, SHARD[:6])
        assert index.ingest(archive, prune=True, confirm=lambda path, number: True).pruned == 1
        archive.unlink()
        assert index.ingest(archive, prune=True, confirm=lambda path, number: True).pruned == 2


def test_shards_share_the_types_of_their_fields(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A number that is whole in one shard and not in the next costs the value, not the ingest."""
    first = write_tar(tmp_path / "1.tar", sample(1, "red"))
    second = write_tar(tmp_path / "2.tar", sample(2, "blue", likes=1.5))
    with caplog.at_level(logging.WARNING), ImageIndex(MemoryStore("i"), "palette", None) as index:
        report = index.ingest(first, second)
        assert (report.written, report.rejected) == (2, 0)
        assert [hit.metadata["likes"] for hit in index.search_text("red", k=9, where="likes=1")] == [1]
