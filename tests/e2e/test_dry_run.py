"""`esclip ingest --dry-run`: what it prints, and that it leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

from tests.command_line import Esclip


def test_nothing_is_left_behind(photos: Path, tmp_path: Path, quick_esclip: Esclip) -> None:
    """Neither index nor ledger is made, and no model is needed; an index that there is stays as it is."""
    store = tmp_path / "store"
    (photos / "page.jpg").write_text("<html>")
    plain = quick_esclip("ingest", photos, "--store", store, "--dry-run", "--rate", "1")
    assert not store.exists()
    lines = dict(line.split("\t")[:2] for line in plain.out.splitlines())
    done = quick_esclip("ingest", photos, "--store", store, "--encoder", "palette", "--json").json
    assert [int(lines[name]) for name in ("records", "new", "rejected")] == [
        done[name] for name in ("read", "written", "rejected")
    ]
    files = sorted((path, path.stat().st_mtime_ns) for path in store.rglob("*"))
    next(photos.glob("*.png")).unlink()
    said = quick_esclip("ingest", photos, "--store", store, "--dry-run", "--prune", "--json").json
    assert (said["pruned"], said["skipped"], said["rejections"]) == (1, said["read"] - 1, {"not_an_image": 1})
    assert said["dry_run"] == dict.fromkeys(("new", "changed", "updated", "encoded", "copied", "fetched"), 0)
    other = quick_esclip("ingest", photos, "--store", store, "--encoder", "ViT-B-32", "--dry-run", status=1)
    assert "not on this machine" in other.err
    assert sorted((path, path.stat().st_mtime_ns) for path in store.rglob("*")) == files


def test_options_without_a_dry_run(photos: Path, quick_esclip: Esclip) -> None:
    """A rate is of no use to an ingest: that is wrong usage, and nothing is ingested."""
    assert "--rate goes with --dry-run" in quick_esclip("ingest", photos, "--rate", "1", status=2).err
