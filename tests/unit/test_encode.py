"""Pictures encoded into a vector cache, without a store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

import esclip
from esclip import CancelToken, ConfigError, SourceError, StoreError
from esclip._core.searches import Scan
from esclip.stores.memory import MemoryStore
from esclip.stores.vector_cache import parts, store
from esclip.stores.vector_cache.store import VectorCacheStore
from esclip.testing.documents import SCHEMA, document, random_vectors
from tests.command_line import Esclip
from tests.transfers import assert_equal


def ingested(*paths: Path, **options: bool) -> MemoryStore:
    """A store with an index of these paths."""
    kept = MemoryStore("ingested")
    esclip.open_index(kept, encoder="palette").ingest(*paths, **options)  # type: ignore[arg-type]
    return kept


def imported(folder: Path) -> MemoryStore:
    """A store with the index that a cache becomes."""
    kept = MemoryStore("imported")
    with esclip.open_index(kept, encoder="palette") as index:
        index.import_vectors(folder)
    return kept


def test_as_an_ingest(photos: Path, tmp_path: Path, quick_esclip: Esclip) -> None:
    """What is encoded and imported is what an ingest writes; a second run encodes nothing."""
    (photos / "broken.jpg").write_bytes(b"no picture")
    (photos / "note.txt").write_text("a green field")
    command = ("encode", photos, "--out", tmp_path / "cache", "--encoder", "palette", "--texts", "--json")
    first, second = (quick_esclip(*command).json for _ in range(2))
    assert first["written"] == second["skipped"] == first["read"] - 1
    assert first["rejections"] == second["rejections"] == {"not_an_image": 1}
    assert_equal(ingested(photos, texts=True), imported(tmp_path / "cache"))
    beside = "ingested_texts", "imported_texts"
    texts = ingested(photos, texts=True), imported(tmp_path / "cache")
    assert_equal(*(one.open_other(name) for one, name in zip(texts, beside, strict=True)))


def test_a_run_that_was_ended_goes_on(photos: Path, tmp_path: Path) -> None:
    """Finished parts are skipped; until the end of a whole run, the cache can't be imported."""
    folder, stop = tmp_path / "cache", CancelToken()
    esclip.encode(photos, out=folder, encoder="palette", parts=["crops"], limit=4)
    stop.request()
    assert esclip.encode(photos, out=folder, encoder="palette", stop=stop).stopped
    with pytest.raises(SourceError, match="is not finished"):
        imported(folder)
    (folder / ".new-0123").write_bytes(b"of a process that was killed")
    report = esclip.encode(photos, out=folder, encoder="palette")
    assert (report.skipped, report.written) == (4, report.read - 4)
    assert not (folder / ".new-0123").exists()
    with esclip.open_index(MemoryStore("crops"), encoder="palette") as index:
        index.ingest(photos, parts=["crops"])
        kept = imported(folder)
        assert_equal(index.store, kept)
        assert_equal(index.store.open_other("crops_parts"), kept.open_other("imported_parts"))


def test_parts_are_finished_by_size_and_age(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more than a part, or ten minutes, has to be encoded again after a kill."""
    kept, vectors = VectorCacheStore(tmp_path), random_vectors(9, 1)
    monkeypatch.setattr(parts, "PART_ROWS", 4)
    kept.ensure_index(SCHEMA)
    for n in range(9):
        kept.upsert([document(f"d{n}", vectors[n])])
    assert len(parts.part_files(tmp_path)) == 2
    monkeypatch.setattr(store, "FINISH_AFTER_S", 0)
    kept.upsert([document("d9")])
    assert len(parts.part_files(tmp_path)) == 3
    again = VectorCacheStore(tmp_path)
    assert len(again.fingerprints([f"d{n}" for n in range(12)])) == 10


def test_what_has_changed_is_encoded_again(photos: Path, tmp_path: Path) -> None:
    """The newest part counts: of a picture, and of a description, for which nothing is encoded."""
    folder = tmp_path / "cache"
    esclip.encode(photos, out=folder, encoder="palette")
    blue, red = (next(photos.rglob(name)) for name in ("blue.png", "red.png"))
    Image.new("RGB", (30, 30), "green").save(red)
    (tmp_path / "captions.json").write_text(json.dumps({str(blue): "deep"}))
    encoded: list[int] = []
    report = esclip.encode(
        photos,
        out=folder,
        captions=str(tmp_path / "captions.json"),
        on_progress=lambda now: encoded.append(now.encoded),
    )
    assert (report.written, max(encoded)) == (2, 1)
    with esclip.open_index(imported(folder)) as index:
        found = index.search_text("green", 2, where="file_name=red.png")
        assert found[0].score > 0.9
        assert index.search_text("blue", 1, where="file_name=blue.png")[0].description == "deep"
        assert len(index) == len(list(photos.rglob("*.png")))


def test_what_is_refused(photos: Path, tmp_path: Path, quick_esclip: Esclip) -> None:
    """Options of an index, another model, and a folder with something else in it."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("")
    with pytest.raises(ConfigError, match=r"is not empty: it holds 'mine\.txt'"):
        esclip.encode(photos, out=tmp_path / "full", encoder="palette")
    for option in ({"prune": True}, {"shards": 3}, {"dry_run": True}):
        with pytest.raises(ValueError, match="is for an index"):
            esclip.encode(photos, out=tmp_path / "cache", encoder="palette", **option)
    assert not (tmp_path / "cache").exists()
    assert "--prune" in quick_esclip("encode", photos, "--out", tmp_path / "c", "--prune", status=2).err


def test_a_cache_is_no_index(tmp_path: Path) -> None:
    """It can't be searched, and nothing leaves a finished part; what is open is read and removed."""
    kept = VectorCacheStore(tmp_path)
    assert kept.schema() is None
    kept.ensure_index(SCHEMA)
    with kept.bulk_load():
        kept.upsert([document("a"), document("b")])
        kept.delete(["b", "c"])
        assert kept.documents(["a", "b"]).keys() == kept.fingerprints(["a", "b"]).keys() == {"a"}
    assert [path.name for path in parts.part_files(tmp_path)] == ["part-00000.parquet"]
    again = VectorCacheStore(tmp_path)
    assert again.fingerprints(["a", "b"]) == {"a": document("a").record.fingerprint}
    assert again.documents(["a"])["a"].record.description == "picture a"
    info = again.info()
    assert info is not None
    assert (info.documents, info.schema) == (1, SCHEMA)
    with pytest.raises(StoreError, match="nothing can be removed"):
        again.delete(["a"])
    with pytest.raises(StoreError, match="can't be searched"):
        again.search(Scan(1))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("spoil", [_cut, _flip])
@pytest.mark.parametrize("noted", [True, False])
def test_a_part_that_was_spoiled(spoil: Callable[[Path], None], noted: bool, tmp_path: Path) -> None:
    """A run that goes on names it, and writes anew what it had; so where its digest wasn't noted yet."""
    planted = [document(f"d{n}", vector) for n, vector in enumerate(random_vectors(40, 1))]

    def write(*, end: bool) -> VectorCacheStore:
        kept, cancelled = VectorCacheStore(tmp_path), Event()
        kept.ensure_index(SCHEMA)
        with kept.bulk_load(cancelled):
            stored = kept.fingerprints([one.record.id for one in planted])
            kept.upsert([one for one in planted if one.record.id not in stored])
            if not end:
                cancelled.set()
        return kept

    write(end=False)
    path = tmp_path / "part-00000.parquet"
    if not noted:
        (tmp_path / "_PARTS.json").unlink()
    write(end=False)
    spoil(path)
    if not noted:
        (tmp_path / "_PARTS.json").unlink()
    with pytest.raises(SourceError, match=r"part-00000\.parquet is damaged: .*; remove it, and what it has"):
        write(end=True)
    assert not (tmp_path / "_SUCCESS.json").exists()
    path.unlink()
    kept = write(end=True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["_SUCCESS.json", "part-00000.parquet"]
    assert [len(table) for table in kept.scan_tables()] == [40]


def test_a_part_that_is_spoiled_later(tmp_path: Path) -> None:
    """The summary has the digests of what was written, not of what is on disk when a run ends."""
    kept = VectorCacheStore(tmp_path)
    kept.ensure_index(SCHEMA)
    with kept.bulk_load():
        kept.upsert([document("a")])
        kept._finish_part()
        _flip(tmp_path / "part-00000.parquet")
    with pytest.raises(SourceError, match=r"part-00000\.parquet (is damaged|can't be read)"):
        list(kept.scan_tables())
