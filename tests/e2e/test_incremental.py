"""A folder that changes between two ingests: what is encoded again, what is only written, what is removed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from esclip.testing.pictures import PLAIN
from tests.command_line import Esclip


@pytest.fixture
def filled(quick_esclip: Esclip, photos: Path) -> Esclip:
    """Runs commands where there is an index of the photos."""
    quick_esclip("ingest", photos, "--encoder", "palette")
    return quick_esclip


def found(esclip: Esclip, color: str) -> list[str]:
    """The locations of the pictures that are nothing but this colour."""
    return sorted(
        hit["location"] for hit in esclip("search-text", color, "--json").hits if hit["score"] > 0.999
    )


def test_renamed_and_copied_pictures_are_found_at_once(filled: Esclip, photos: Path) -> None:
    """A new name gets the vector of its bytes; with --prune the old name goes, and only that one."""
    red = photos / "red.png"
    shutil.copy(red, photos / "copy.png")
    red.rename(photos / "more" / "renamed.png")
    report = filled("ingest", photos, "--prune", "--json").json
    assert (report["written"], report["skipped"], report["pruned"]) == (2, len(PLAIN) - 1, 1)
    assert found(filled, "red") == [str(photos / "copy.png"), str(photos / "more" / "renamed.png")]


def test_prune_keeps_what_other_paths_gave(filled: Esclip, photos: Path, tmp_path: Path) -> None:
    """Only documents of the named paths can go; without --prune none does."""
    (photos / "more" / "blue.png").unlink()
    (photos / "red.png").unlink()
    assert "pruned" not in filled("ingest", photos, "--json").json
    assert filled("stats", "--json").json["documents"] == len(PLAIN)
    assert filled("ingest", photos / "more", "--prune", "--json").json["pruned"] == 1
    assert found(filled, "blue") == []
    assert found(filled, "red") == [str(photos / "red.png")]


def test_a_touched_picture_is_not_encoded_again(filled: Esclip, photos: Path) -> None:
    """New times are written, and the next run skips it; the vector stays."""
    os.utime(photos / "red.png", (1, 1))
    assert filled("ingest", photos, "--json").json["written"] == 1
    assert filled("ingest", photos, "--json").json["written"] == 0
    (hit,) = (h for h in filled("search-text", "red", "--json").hits if h["location"].endswith("/red.png"))
    assert hit["metadata"]["modified"] == "1970-01-01T00:00:01Z"


def test_prune_with_a_limit_is_wrong_usage(filled: Esclip, photos: Path) -> None:
    """What lies beyond the limit hasn't left the source."""
    run = filled("ingest", photos, "--prune", "--limit", "3", status=2)
    assert "--limit" in run.err
