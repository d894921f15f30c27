"""Documents taken out of the index on the command line, by `forget` and by a prune of what is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from esclip.testing.pictures import PLAIN
from tests.command_line import Esclip

MORE = len(PLAIN) // 2
"""How many pictures are in the folder `more`."""


@pytest.fixture
def filled(quick_esclip: Esclip, photos: Path) -> Esclip:
    """Runs commands where the pictures are in the index, and a broken file in its ledger."""
    (photos / "more" / "broken.png").write_bytes(b"nothing")
    quick_esclip("ingest", photos, "--encoder", "palette")
    return quick_esclip


def test_by_id_and_by_path(filled: Esclip, photos: Path) -> None:
    """What has a slash in it is a path, all else an id; several at once, and what isn't held is told."""
    (red,) = filled("search-text", "red", "-k", "1", "--json").hits
    shutil.rmtree(photos / "more")
    ran = filled("forget", red["id"], "more/", "no-such-id", "--yes", "--json", cwd=photos)
    assert ran.json == {
        "index": "image_search",
        "documents": 1 + MORE,
        "rejections": 1,
        "missing": ["no-such-id"],
    }
    assert "comes back with its next ingest" in ran.err
    assert filled("stats", "--json").json["documents"] == len(PLAIN) - 1 - MORE
    assert filled("rejections").out == ""
    assert filled("ingest", photos, "--json").json["written"] == 1


def test_it_asks_first(filled: Esclip, photos: Path) -> None:
    """On a terminal the answer counts; elsewhere nothing goes without --yes."""
    ran = filled("forget", photos / "more", status=1)
    assert f"remove {MORE:,} documents and 1 rejection from index 'image_search'" in ran.err
    assert "--yes" in ran.err
    for answer in ("n", "", "\x04"):
        filled("forget", photos / "more", answer=answer, status=1)
    assert filled("stats", "--json").json["documents"] == len(PLAIN)
    ran = filled("forget", photos / "more", "--json", answer="y")
    assert (ran.json["documents"], ran.json["rejections"]) == (MORE, 1)


def test_what_looks_like_something_else(filled: Esclip, photos: Path) -> None:
    """Ids may begin with a dash, or stand in --id; a path that isn't held and an id are told apart."""
    assert "nothing of -x;" in filled("forget", "-x", "--yes", status=1).err
    assert "nothing of a/b;" in filled("forget", "--id", "a/b", "--yes", status=1).err
    assert f"nothing of {photos}/a/b;" in filled("forget", "a/b", "--yes", status=1, cwd=photos).err
    assert "nothing of more;" in filled("forget", "more", "--yes", status=1, cwd=photos).err
    assert "--where" in filled("forget", "--yes", status=2).err
    assert "no document fulfils" in filled("forget", "--where", "folder=x", "--yes").err
    assert filled("forget", "--where", "file_name=red.png", "--yes", "--json").json["documents"] == 1
    assert filled("forget", ".", "--yes", "--json", cwd=photos / "more").json["documents"] == MORE


def test_a_prune_of_what_is_gone(filled: Esclip, photos: Path) -> None:
    """A folder that is gone or empty is pruned when that is agreed to, and a typo is an error."""
    (photos / "more").rename(photos.parent / "moved")
    assert "--prune" in filled("ingest", photos / "more", status=1).err
    ran = filled("ingest", photos / "more", "--prune", "--json", status=1)
    assert (ran.json["pruned"], ran.json["unpruned"]) == (0, MORE)
    assert "--yes" in ran.err
    ran = filled("ingest", photos / "more", "--prune", "--json", answer="n", status=1)
    assert f"Remove {MORE} documents" in ran.err
    ran = filled("ingest", photos / "more", "--prune", "--json", answer="\x04", status=1)
    assert ran.json["unpruned"] == MORE
    ran = filled("ingest", photos / "more", "--prune", "--json", answer="y")
    assert (ran.json["pruned"], ran.json["unpruned"]) == (MORE, 0)
    assert filled("rejections").out == ""
    shutil.rmtree(photos)
    photos.mkdir()
    assert filled("ingest", photos, "--prune", "--yes", "--json").json["pruned"] == len(PLAIN) - MORE
    assert "is not there" in filled("ingest", photos / "none", "--prune", "--yes", status=1).err
