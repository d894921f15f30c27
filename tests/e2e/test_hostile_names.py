"""Names that would write on somebody's terminal, or break a line, shown by the command line."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from esclip import open_index
from esclip.encoders.palette import PaletteEncoder
from tests.command_line import Esclip

NAMES = ("line\nend.png", "tab\tbed.png", "color\x1b[31med.png", "single\x9bbyte.png", "turned\u202egnp.png")
EVIL = "a\x1b[31mb\nforged\tc\x9bd\u202ee"


def test_nothing_is_shown_raw(tmp_path: Path, quick_esclip: Esclip) -> None:
    """In lines, JSON, errors and the rejections file what breaks a line or commands a terminal is escaped."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    for name in NAMES:
        Image.new("RGB", (8, 8), "red").save(folder / name)
        (folder / f"bad {name}").touch()
    rejections = tmp_path / "rejections"
    ran = quick_esclip("ingest", folder, "--encoder", "palette", "--json", "--rejections", rejections)
    assert (ran.json["written"], ran.json["rejected"]) == (len(NAMES), len(NAMES))
    lines = quick_esclip("search-text", "red").out
    assert len(lines.splitlines()) == len(NAMES)
    assert lines.replace("\n", "").replace("\t", "").isprintable()
    found = quick_esclip("search-text", "red", "--json")
    assert found.out.replace("\n", "").isprintable()
    assert {hit["metadata"]["file_name"] for hit in found.hits} == set(NAMES)
    assert rejections.read_text("utf-8").replace("\n", "").isprintable()
    for place in (folder / "no\x1b[31mwhere", folder / "no\x9bwhere", folder / "no\nwhere"):
        error = quick_esclip("ingest", place, status=1).err
        assert error.endswith("\n")
        assert error.rstrip("\n").isprintable()


def test_lines_name_files_that_are_there(tmp_path: Path, quick_esclip: Esclip) -> None:
    """Names with spaces of any kind, joiners and marks come out of a pipe as they are on disk."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    names = (
        "Screenshot at 1.23.45\u202fPM.png",
        "a\u00a0b\u3000c.png",
        "می\u200cخواهم\u200f.png",
        "👩\u200d🚀.png",
    )
    for name in names:
        Image.new("RGB", (8, 8), "red").save(folder / name)
    quick_esclip("ingest", folder, "--encoder", "palette")
    locations = [line.split("\t")[2] for line in quick_esclip("search-text", "red").out.splitlines()]
    assert {Path(location).name for location in locations if Path(location).is_file()} == set(names)


class EvilPalette(PaletteEncoder):
    """Palette, on something whose name writes on a terminal."""

    runtime = EVIL


def test_statistics_show_nothing_raw(tmp_path: Path, quick_esclip: Esclip) -> None:
    """What an index remembers, as runtimes and labels, can neither forge a line nor command a terminal."""
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    with open_index(tmp_path / "store", encoder=EvilPalette()) as index:
        index.ingest(tmp_path / "red.png", labels=["red\u202e", "blue"])
    shown = quick_esclip("stats", "--store", tmp_path / "store").out
    assert "\\u001b[31mb\\nforged" in shown
    assert shown.replace("\n", "").isprintable()
    assert all(line.split()[0].isidentifier() for line in shown.splitlines())
    assert quick_esclip("stats", "--store", tmp_path / "store", "--json").json["runtimes"] == [EVIL]


def test_pages_hold_nothing_raw(tmp_path: Path, quick_esclip: Esclip) -> None:
    """The page of duplicates shows locations and descriptions without controls, and as text, not as HTML."""
    folder = tmp_path / "<b>\u202e\x1b"
    folder.mkdir()
    for name in ("1.png", "2.png"):
        Image.new("RGB", (8, 8), "red").save(folder / name)
        (folder / name).with_suffix(".txt").write_text(f"<i>\u202e{EVIL}", encoding="utf-8")
    quick_esclip("ingest", folder, "--encoder", "palette", "--captions", "sidecar")
    page = tmp_path / "page.html"
    quick_esclip("duplicates", "--page", page)
    written = page.read_text("utf-8")
    assert "&lt;b&gt;\\u202e\\u001b" in written
    assert "<b>" not in written
    assert "<i>" not in written
    assert not set(written) & {"\u202e", "\x1b", "\x9b"}
