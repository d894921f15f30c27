"""Folders that bite: loops, pipes, devices, names of any bytes, what vanishes, and a great many files."""

from __future__ import annotations

import os
import socket
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from esclip import ImageIndex, IngestReport, Rejection
from esclip._errors import FetchError, SourceError
from esclip._errors.reasons import Reason
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy
from esclip.sources import open_source
from esclip.stores.memory import MemoryStore
from esclip.testing.source import records_of, rejections_of

NAMES = (
    "a\nb.png",
    "a\tb.png",
    "a\x1b[31mb.png",
    "a\x9bb.png",
    "a\u202eb.png",
    "a\rb.png",
    "x" * 251 + ".png",
)
"""Names that are no joy to print; the last one as long as a name can be."""


@pytest.fixture
def picture(tmp_path: Path) -> bytes:
    file = tmp_path / "picture.png"
    Image.new("RGB", (8, 8), "red").save(file)
    data = file.read_bytes()
    file.unlink()
    return data


def ingested(*paths: Path) -> tuple[IngestReport, dict[str, Reason]]:
    """The report of an ingest, and why each rejected file was, by name."""
    rejections: list[Rejection] = []
    with ImageIndex(MemoryStore("i"), "palette", None) as index:
        report = index.ingest(*paths, on_rejection=rejections.append, max_rejection_rate=1)
    assert report.read == report.skipped + report.written + report.rejected
    return report, {Path(rejection.location).name: rejection.reason for rejection in rejections}


def test_files_that_are_none_are_rejected_and_the_others_written(tmp_path: Path, picture: bytes) -> None:
    """Links in circles, pipes, sockets and devices are told, and nobody waits for them."""
    (tmp_path / "good.png").write_bytes(picture)
    links = {
        "link.png": "good.png",
        "a.png": "b.png",
        "b.png": "a.png",
        "broken.png": "nowhere.png",
        "zero.png": "/dev/zero",
        "memory.png": "/proc/self/mem",
        "up": "..",
        "up.png": "..",
    }
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.png"))
        report, reasons = ingested(tmp_path)
    unreadable = ("a.png", "b.png", "zero.png", "memory.png", "up.png", "pipe.png", "socket.png")
    assert reasons == {
        **dict.fromkeys(unreadable, Reason.UNREADABLE_FILE),
        "broken.png": Reason.FILE_NOT_FOUND,
    }
    assert report.written == 2


def test_a_link_to_a_folder_is_followed_when_it_is_named(tmp_path: Path, picture: bytes) -> None:
    """What the user names is read, whichever way it leads there; a link in circles leads nowhere."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "good.png").write_bytes(picture)
    (tmp_path / "link").symlink_to("real")
    assert ingested(tmp_path / "link")[0].written == 1
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(SourceError, match="not there"):
        open_source([tmp_path / "a"])


def test_names_of_any_bytes_are_read(tmp_path: Path, picture: bytes) -> None:
    """Line ends, escape sequences and other encodings in names of files and folders are no obstacle."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n"))
    folder.mkdir()
    for name in (*NAMES, os.fsdecode(b"\xff\xfe.png")):
        (folder / name).write_bytes(picture)
    report, reasons = ingested(tmp_path)
    assert reasons == {}
    assert report.written == len(NAMES) + 1


def test_paths_longer_than_a_path_may_be_are_rejected(tmp_path: Path, picture: bytes) -> None:
    """A tree deeper than the system can name is read as far as that, and its rest is one rejection."""
    top = tmp_path / "d".ljust(249 - len(str(tmp_path)), "d")  # 250 characters with the next slash
    top.mkdir()
    depth, here = 30, os.open(top, os.O_RDONLY)
    for _ in range(depth):
        file = os.open("p.png", os.O_CREAT | os.O_WRONLY, dir_fd=here)
        os.write(file, picture)
        os.close(file)
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    source = open_source([top])
    records, [rejection] = records_of(source), rejections_of(source)
    assert 10 < len(records) < depth
    assert rejection.reason is Reason.UNREADABLE_FILE
    assert source.total() == len(records) + 1


def test_files_that_vanish_and_grow_while_they_are_read(tmp_path: Path, picture: bytes) -> None:
    """A file that is gone, or not what it was, when its bytes are wanted costs only itself."""
    for name in ("1.png", "2.png", "3.png", "4.png"):
        (tmp_path / name).write_bytes(picture)
    one, two, three, four = records_of(open_source([tmp_path]))
    (tmp_path / "2.png").unlink()
    (tmp_path / "3.png").unlink()
    (tmp_path / "3.png").mkdir()
    (tmp_path / "4.png").write_bytes(picture + bytes(1_000))
    with Fetcher(HostPolicy(()), max_bytes=len(picture) + 10) as fetcher:
        assert fetcher.fetch(one.picture) == picture
        for record, reason in (
            (two, Reason.FILE_NOT_FOUND),
            (three, Reason.UNREADABLE_FILE),
            (four, Reason.TOO_LARGE),
        ):
            with pytest.raises(FetchError) as caught:
                fetcher.fetch(record.picture)
            assert caught.value.reason is reason


@contextmanager
def nobody() -> Iterator[Path]:
    """A folder, and a time in which this process may not do what only root may."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "locked").mkdir()
        Image.new("RGB", (8, 8), "red").save(folder / "locked" / "in.png")
        for file in ("good.png", "locked.png"):
            Image.new("RGB", (8, 8), "red").save(folder / file)
        for file in ("locked", "locked.png"):
            (folder / file).chmod(0)
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(before)
            (folder / "locked").chmod(0o755)


def test_what_may_not_be_read_is_rejected() -> None:
    """A file and a folder without permission are told by name; a folder that is named is an error at once."""
    with nobody() as folder:
        report, reasons = ingested(folder)
        with pytest.raises(SourceError, match="locked can't be read: Permission denied"):
            open_source([folder / "locked"])
    assert reasons == dict.fromkeys(("locked", "locked.png"), Reason.UNREADABLE_FILE)
    assert (report.read, report.written) == (3, 1)


def test_a_folder_that_is_removed_while_it_is_walked(tmp_path: Path, picture: bytes) -> None:
    """What was listed and is gone is rejected file by file, and folders beside it still come."""
    for name in ("a/1.png", "a/2.png", "a/3/4.png", "b/5.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(picture)
    items = open_source([tmp_path]).records(Event())
    assert Path(next(items).location).name == "1.png"
    for name in ("a/1.png", "a/2.png", "a/3/4.png"):
        (tmp_path / name).unlink()
    (tmp_path / "a" / "3").rmdir()
    (tmp_path / "a").rmdir()
    rest = list(items)
    assert [Path(item.location).name for item in rest] == ["2.png", "3", "5.png"]
    assert [getattr(item, "reason", None) for item in rest] == [Reason.FILE_NOT_FOUND] * 2 + [None]


def test_many_files_in_a_folder_cost_their_names(tmp_path: Path) -> None:
    """Of each file a name is held and nothing else, and to count them not even that."""
    count = 2_000
    for number in range(count):
        (tmp_path / f"{number:08}.jpg").touch()
    tracemalloc.start()
    try:
        source = open_source([tmp_path])
        assert source.total() == count
        counting = tracemalloc.get_traced_memory()[1]
        walking = []
        for _ in range(2):  # Python's own table of interned names may grow in one of them, by megabytes
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            assert sum(1 for _ in source.records(Event())) == count
            walking.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    assert counting < 20 * count
    assert min(walking) < 150 * count
