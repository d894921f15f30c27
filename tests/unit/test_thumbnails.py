"""Thumbnails are made once, of the very bytes that were encoded, and take no more room than they may."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from esclip import Hit
from esclip._core.types import content_fingerprint
from esclip._images.thumbnail_cache import HEIGHTS, ThumbnailCache, thumbnail

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where thumbnails are kept."""
    return tmp_path / "thumbnails"


def draw(file: Path, color: str = "red", size: tuple[int, int] = (900, 600)) -> Hit:
    """A hit of a picture of one colour."""
    Image.new("RGB", size, color).save(file)
    return hit_of(file)


def hit_of(file: Path) -> Hit:
    content = content_fingerprint(file.read_bytes())
    return Hit(1, "a", 0.5, str(file), None, "", {}, content=content)


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.jpg"))


@pytest.mark.parametrize("height", HEIGHTS)
def test_a_thumbnail_is_made_once_for_each_height(tmp_path: Path, folder: Path, height: int) -> None:
    """What is made and what is kept are the same JPEG with the same size, never larger than the picture."""
    hit = draw(tmp_path / "a.png")
    made, again = (thumbnail(hit, height, ThumbnailCache(folder)) for _ in range(2))
    assert made is not None
    assert made == again
    shown = min(height, 600)
    assert (made.width, made.height) == (shown * 3 // 2, shown)
    assert Image.open(io.BytesIO(made.jpeg)).size == made[1:]
    assert len(kept(folder)) == 1


def test_what_is_kept_is_not_shown_when_its_file_is_gone_or_changed(tmp_path: Path, folder: Path) -> None:
    """Another picture under the name is not shown, nor the one that was there; back again, it is."""
    cache = ThumbnailCache(folder)
    hit = draw(tmp_path / "a.png")
    first = thumbnail(hit, cache=cache)
    (tmp_path / "a.png").rename(tmp_path / "b.png")
    assert thumbnail(hit, cache=cache) is None
    draw(tmp_path / "a.png", "blue")
    assert thumbnail(hit, cache=cache) is None
    (tmp_path / "b.png").rename(tmp_path / "a.png")
    assert thumbnail(hit, cache=cache) == first


def test_a_damaged_thumbnail_is_made_again(tmp_path: Path, folder: Path) -> None:
    """A file that a power cut left empty, or that is no JPEG, is replaced."""
    hit = draw(tmp_path / "a.png")
    made = thumbnail(hit, cache=ThumbnailCache(folder))
    (file,) = kept(folder)
    for damaged in (b"", b"no JPEG", SVG):
        file.write_bytes(damaged)
        assert thumbnail(hit, cache=ThumbnailCache(folder)) == made
        assert file.read_bytes() not in (b"", damaged)


def test_the_folder_does_not_grow_for_ever(tmp_path: Path, folder: Path) -> None:
    """Beyond its bytes, those that were not asked for longest are removed, whoever made them."""
    hits = [draw(tmp_path / f"{n}.png", "red", (300 + n, 200)) for n in range(12)]
    made = thumbnail(hits[0], cache=ThumbnailCache(folder))
    assert made is not None
    size = len(made.jpeg)
    cache = ThumbnailCache(folder, max_bytes=size * 7)
    for n, hit in enumerate(hits):
        assert thumbnail(hit, cache=cache)
        assert thumbnail(hits[0], cache=cache)
        for file in kept(folder):  # later ones are of later seconds
            status = file.stat()
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns - (12 - n) * 1_000_000_000))
    assert sum(file.stat().st_size for file in kept(folder)) <= size * 7 * 1.1
    before = kept(folder)
    assert thumbnail(hits[0], cache=cache)
    assert kept(folder) == before


@pytest.mark.parametrize("data", [SVG, b"<?xml version='1.0'?>" + SVG, b"%PDF-1.7", b"", b"\xff\xd8\xff"])
def test_what_is_no_picture_has_no_thumbnail(tmp_path: Path, folder: Path, data: bytes) -> None:
    """An SVG, which may hold scripts, and other files have none, and leave nothing."""
    (tmp_path / "a.png").write_bytes(data)
    assert thumbnail(hit_of(tmp_path / "a.png"), cache=ThumbnailCache(folder)) is None
    assert kept(folder) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Thumbnails are made anew where they can't be kept."""
    (tmp_path / "file").write_bytes(b"")
    cache = ThumbnailCache(tmp_path / "file" / "thumbnails")
    assert thumbnail(draw(tmp_path / "a.png"), cache=cache)


@pytest.mark.parametrize(
    "location", ["https://h/a.jpg", "memory:a", "file:///etc/passwd", "a\0b.png", "", "/"]
)
def test_what_is_no_file_has_no_thumbnail(folder: Path, location: str) -> None:
    """A web address, a picture of a program's memory and odd paths have none."""
    hit = Hit(1, "a", 0.5, location, None, "", {}, content="0" * 24)
    assert thumbnail(hit, cache=ThumbnailCache(folder)) is None
