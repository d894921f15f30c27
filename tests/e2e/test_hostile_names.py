"""Names that would write on somebody's terminal, or break a line, shown by the command line."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from tests.command_line import Esclip

NAMES = ("line\nend.png", "tab\tbed.png", "color\x1b[31med.png", "single\x9bbyte.png", "turned\u202egnp.png")


def test_nothing_is_shown_raw(tmp_path: Path, esclip: Esclip) -> None:
    """In lines, JSON, errors and the rejections file what can't be printed is escaped."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    for name in NAMES:
        Image.new("RGB", (8, 8), "red").save(folder / name)
        (folder / f"bad {name}").touch()
    rejections = tmp_path / "rejections"
    ran = esclip("ingest", folder, "--encoder", "palette", "--json", "--rejections", rejections)
    assert (ran.json["written"], ran.json["rejected"]) == (len(NAMES), len(NAMES))
    lines = esclip("search-text", "red").out
    assert len(lines.splitlines()) == len(NAMES)
    assert lines.replace("\n", "").replace("\t", "").isprintable()
    found = esclip("search-text", "red", "--json")
    assert found.out.replace("\n", "").isprintable()
    assert {hit["metadata"]["file_name"] for hit in found.hits} == set(NAMES)
    assert not set(rejections.read_bytes()) & set(range(32)) - {ord("\n")}
    for place in (folder / "no\x1b[31mwhere", folder / "no\x9bwhere", folder / "no\nwhere"):
        error = esclip("ingest", place, status=1).err
        assert error.endswith("\n")
        assert error.rstrip("\n").isprintable()
