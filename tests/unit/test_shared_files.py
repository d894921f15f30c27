"""Files in caches that processes share: whole or not there, and never changed under one who reads them."""

from __future__ import annotations

import hashlib
import mmap
import os
import threading
from pathlib import Path

import pytest

from esclip._files.atomic import write_atomically
from esclip.encoders.checkpoints.files import file_sha256
from esclip.encoders.runtimes.compiled import private_cache


def test_what_is_mapped_stays_as_it_is_while_another_publishes(tmp_path: Path) -> None:
    """Two that compiled at once publish one after the other: who maps the first one's file is not touched."""
    kept = tmp_path / "compiled"
    late = private_cache(kept)
    folder = late.__enter__()
    assert folder is not None
    with private_cache(kept) as early:
        assert early is not None
        (early / "7.blob").write_bytes(b"a" * 9000)
    (first,) = kept.glob("*.blob")
    with first.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        (folder / "7.blob").write_bytes(b"b" * 10)
        late.__exit__(None, None, None)
        assert mapped[:] == b"a" * 9000
    (second,) = kept.iterdir()
    assert second.read_bytes() == b"b" * 10


def test_only_what_has_its_hash_is_handed_on(tmp_path: Path) -> None:
    """A compiled file that was changed at equal size, and dated back, isn't used; a whole one is."""
    kept = tmp_path / "compiled"
    for id, data in (("1", b"whole"), ("2", b"good!")):
        with private_cache(kept) as folder:
            assert folder is not None
            (folder / f"{id}.blob").write_bytes(data)
    changed = next(kept.glob("2-*.blob"))
    before = changed.stat()
    changed.write_bytes(b"evil!")
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))
    (kept / "3.blob").write_bytes(b"of an earlier version")
    (kept / f"4-{'0' * 64}.blob").symlink_to("/dev/zero")
    with private_cache(kept) as folder:
        assert folder is not None
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"1.blob": b"whole"}


def test_a_large_file_that_was_dated_back_is_hashed_anew(tmp_path: Path) -> None:
    """A note of a hash holds for unchanged files only, whatever time of writing a changed one pretends."""
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"\0" * (2 << 20))
    first, before = file_sha256(file), file.stat()
    assert file_sha256(file) == first
    with file.open("r+b") as opened:
        opened.write(b"\1")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file_sha256(file) != first


def test_a_reader_sees_whole_files_only(tmp_path: Path) -> None:
    """While several write one file again and again, each reading finds one version."""
    path = tmp_path / "folder" / "file"
    versions = [bytes([at]) * 100_000 for at in range(4)]
    write_atomically(path, versions[0])

    def write(data: bytes) -> None:
        for _ in range(20):
            write_atomically(path, data)

    writers = [threading.Thread(target=write, args=(data,)) for data in versions]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_bytes() in versions
    assert [file.name for file in path.parent.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Where a folder is in the way, the error comes through, and no half-written file stays."""
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="file"):
        write_atomically(tmp_path / "file", b"data")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_file_elsewhere_is_not_what_its_name_says(tmp_path: Path) -> None:
    """A name that is a hash, as files of the hub's cache have it, is believed in that cache only."""
    (tmp_path / "blobs").mkdir()
    file = tmp_path / "blobs" / ("0" * 64)
    file.write_bytes(b"data")
    (tmp_path / "model.safetensors").symlink_to(file)
    assert file_sha256(tmp_path / "model.safetensors") == hashlib.sha256(b"data").hexdigest()
