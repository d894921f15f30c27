"""Vector caches: written into an index, without encoding."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import esclip
from esclip import (
    CancelToken,
    Progress,
    Reason,
    Rejection,
    SourceError,
)
from esclip.stores.lance.store import LanceStore
from esclip.stores.memory import MemoryStore
from esclip.stores.vector_cache import parts, reading
from esclip.stores.wrapper import StoreWrapper
from esclip.testing.documents import SCHEMA, SPACE, axis, document, random_vectors
from tests.command_line import Esclip
from tests.transfers import COUNT, assert_equal, write_cache, write_mixed_cache


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents with all kinds of metadata, in two parts."""
    return write_mixed_cache(tmp_path_factory.mktemp("cache") / "cache")


def test_from_store_to_store(cache: Path, tmp_path: Path) -> None:
    """Through two caches and two kinds of store, nothing changes; a second import writes nothing."""
    folder, stores = cache, [MemoryStore("m"), *(LanceStore(tmp_path / "s", name) for name in "ab")]
    stores.append(MemoryStore("n"))
    for store in stores:
        with esclip.open_index(store) as index:
            report = index.import_vectors(folder)
            assert (report.read, report.written, report.skipped, report.rejected) == (COUNT, COUNT, 0, 0)
            assert index.import_vectors(folder).skipped == COUNT
            folder = tmp_path / f"cache {store.index}"
            index.export(folder)
        assert_equal(stores[0], store)
        assert store.schema() == stores[0].schema()


def test_a_later_ingest_encodes_nothing(photos: Path, tmp_path: Path, quick_esclip: Esclip) -> None:
    """Pictures, texts, captions, crops and labels of an imported index are as an ingest of them left them."""
    (photos / "note.txt").write_text("a green field")
    store = ("--store", tmp_path / "store")
    ingest = ("ingest", photos, *store, "--encoder", "palette", "--texts", "--json")
    done = quick_esclip(*ingest, "--index", "a", "--parts", "crops", "--labels", "red,blue").json
    quick_esclip("export", *store, "--index", "a", "--out", tmp_path / "cache")
    imported = quick_esclip("import", tmp_path / "cache", *store, "--index", "b", "--json")
    assert imported.json["written"] == imported.json["read"] == done["written"]
    again = quick_esclip(*ingest, "--index", "b").json
    assert (again["skipped"], again["written"]) == (done["written"], 0)
    sections = [
        quick_esclip("search", "red", "--in", "crops", *store, "--index", name, "--json").hits
        for name in ("a", "b")
    ]
    assert sections[0] == sections[1]
    stats = [quick_esclip("stats", *store, "--index", name, "--json").json for name in ("a", "b")]
    unequal = {name for name in stats[0] if stats[0][name] != stats[1][name]}
    assert unequal <= {"index", "bytes"}


def test_an_import_goes_on_where_it_ended(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written before a failure, or before the end was requested, is not written again."""
    monkeypatch.setattr(reading, "PAGE_ROWS", 5)
    monkeypatch.setattr(LanceStore, "table_rows", 5)

    class Failing(StoreWrapper):
        pages = 0

        def upsert_table(self, table: Any) -> list[Rejection]:
            self.pages += 1
            if self.pages == 4:
                raise esclip.StoreUnavailable("the power is gone")
            return super().upsert_table(table)

    store = LanceStore(tmp_path, "own")
    with (
        esclip.open_index(Failing(store)) as index,
        pytest.raises(esclip.StoreUnavailable, match="the power"),
    ):
        index.import_vectors(cache)
    info, stop = store.info(), CancelToken()

    def end(now: Progress) -> None:
        if now.done > 20:
            stop.request()

    assert info is not None
    assert info.documents == 15
    with esclip.open_index(store) as index:
        report = index.import_vectors(cache, stop=stop, on_progress=end)
        assert report.stopped
        assert report.read == report.skipped + report.written
        assert index.import_vectors(cache).skipped >= report.skipped + report.written
        assert len(index) == COUNT
    with esclip.open_index(MemoryStore("whole")) as whole:
        whole.import_vectors(cache)
        assert_equal(whole.store, store)


def test_what_can_not_be_used_is_rejected(tmp_path: Path) -> None:
    """Vectors without direction, ids that none can have and repeated ones are counted; each has a reason."""
    good = [document(f"g{n}", vector) for n, vector in enumerate(random_vectors(5, 2))]
    bad = [
        replace(good[0], record=replace(good[0].record, id="nan"), vector=axis(0) * np.nan),
        replace(good[0], record=replace(good[0].record, id="zero"), vector=axis(0) * 0),
        replace(good[0], record=replace(good[0].record, id=" ")),
    ]
    long = replace(good[1], record=replace(good[1].record, id="long"), vector=good[1].vector * 7)
    folder = write_cache(tmp_path / "cache", [*good, *bad, long, good[0]])
    with esclip.open_index(LanceStore(tmp_path / "s", "own"), encoder="palette") as index:
        report = index.import_vectors(folder)
        assert (report.read, report.written, report.skipped, report.rejected) == (10, 6, 1, 3)
        assert report.rejections == {Reason.BAD_VECTOR: 2, Reason.BAD_ID: 1}
        assert sorted(one.id for one in index.rejections("bad_vector")) == ["nan", "zero"]
        np.testing.assert_allclose(index.get("long")[0].vector, good[1].vector, atol=1e-7)
        with pytest.raises(esclip.TooManyRejections, match="rejected 3 of 10"):
            index.import_vectors(folder, max_rejection_rate=0.1)


def test_what_was_written_last_counts(tmp_path: Path) -> None:
    """Of two documents with one id in a cache, the one in the later part is taken."""
    old, new = document("a", axis(0)), document("a", axis(1), {"likes": 2})
    with esclip.open_index(MemoryStore("own")) as index:
        report = index.import_vectors(write_cache(tmp_path / "cache", [old], [new]))
        assert (report.written, report.skipped) == (1, 1)
        assert index.get("a")[0].record.metadata == {"likes": 2}


def test_an_id_is_of_one_document(tmp_path: Path) -> None:
    """A picture that is imported replaces the text with its id."""
    with esclip.open_index(MemoryStore("own"), encoder="palette") as index:
        index.add([{"id": "a", "text": "red"}, {"id": "b", "text": "blue"}])
        schema = index.store.schema()
        assert schema
        plain = replace(document("a"), vector=axis(0, schema.space.dim))
        index.import_vectors(write_cache(tmp_path / "cache", [plain], schema=replace(schema, texts=False)))
        assert (len(index), index.get("a")[0].record.kind) == (2, "picture")


def test_another_model_is_refused(cache: Path, tmp_path: Path, photos: Path, quick_esclip: Esclip) -> None:
    """Vectors of another model than the index's aren't written into it."""
    store = ("--store", tmp_path / "store")
    quick_esclip("ingest", photos, *store, "--encoder", "palette")
    told = quick_esclip("import", cache, *store, status=1).err
    assert "has vectors of palette" in told
    assert "those of tests (weights sha256:1, 16 dimensions), which can't be compared" in told
    assert told.rstrip().endswith("take another --index")


def _rewrite(folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change the only part of a cache, with a summary that fits."""
    path = folder / "part-00000.parquet"
    table = pq.read_table(path)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    part = parts.Part(path.name, len(table), path.stat().st_size, digest)
    parts.write_summary(folder, parts.Summary((part,)))


def _summary(**changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        known = json.loads((folder / "_SUCCESS.json").read_text())
        (folder / "_SUCCESS.json").write_text(json.dumps(known | changes))

    return damage


def _truncate(folder: Path) -> None:
    path = folder / "part-00000.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def _flip(folder: Path) -> None:
    path = folder / "part-00000.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def _no_parquet(folder: Path) -> None:
    path = folder / "part-00000.parquet"
    path.write_bytes(b"PAR1 no more")
    part = parts.Part(path.name, 1, 12, hashlib.sha256(path.read_bytes()).hexdigest())
    parts.write_summary(folder, parts.Summary((part,)))


def _part(**changes: Any) -> Callable[[Path], None]:
    part: dict[str, Any] = {"name": "part-00000.parquet", "rows": 1, "bytes": 1, "sha256": "0" * 64}
    return _summary(parts=[part | changes])


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (
        _truncate,
        r"part-00000\.parquet has [\d,]+ bytes, not the [\d,]+ that _SUCCESS\.json names",
    ),
    "one byte": (_flip, r"part-00000\.parquet (is damaged: it is not the file|can't be read)"),
    "no Parquet": (_no_parquet, r"part-00000\.parquet can't be read: "),
    "a part is missing": (lambda folder: (folder / "part-00000.parquet").unlink(), "parquet is missing"),
    "unfinished": (lambda folder: (folder / "_SUCCESS.json").unlink(), "is not finished: it has no _SUCC"),
    "no JSON": (lambda folder: (folder / "_SUCCESS.json").write_text("{"), "is no summary of a vector cache"),
    "a number": (
        lambda folder: (folder / "_SUCCESS.json").write_text("3"),
        "is no summary of a vector cache",
    ),
    "another version": (_summary(version=2), "it is of version 2"),
    "other counts": (_summary(rows=7), "its counts or its digest don't fit"),
    "no parts": (_summary(parts=[]), "it names no part"),
    "a path": (_part(name="../part-00000.parquet"), "is no name of a part"),
    "an absolute path": (_part(name="/etc/passwd"), "'/etc/passwd' is no name of a part"),
    "a count that is none": (_part(rows="1"), "a part has no counts"),
    "no vectors": (
        lambda folder: _rewrite(folder, lambda t: t.drop_columns(["vector"])),
        "no column 'vector'",
    ),
    "wrong type": (
        lambda folder: _rewrite(folder, lambda t: t.set_column(0, "id", pa.array([5] * len(t)))),
        r"its column 'id' is int64, not string",
    ),
    "wrong dimension": (
        lambda folder: _rewrite(
            folder,
            lambda t: t.set_column(4, "vector", pa.array([[0.5] * 3] * len(t), pa.list_(pa.float32(), 3))),
        ),
        r"its column 'vector' is fixed_size_list<\w+: float>\[3\], not",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_cache(name: str, tmp_path: Path) -> None:
    """What isn't a whole cache is told in one line that names the file; nothing outside of it is read."""
    damage, told = DAMAGES[name]
    folder = write_cache(tmp_path / "cache", [document("a"), document("b")])
    damage(folder)
    with esclip.open_index(MemoryStore("own")) as index, pytest.raises(SourceError, match=told) as error:
        index.import_vectors(folder)
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)


def test_a_schema_that_is_none(tmp_path: Path) -> None:
    """A part without esclip's schema, or with another one, is told."""
    folder = write_cache(tmp_path / "cache", [document("a")])
    path = folder / "part-00000.parquet"
    with esclip.open_index(MemoryStore("own")) as index:
        for metadata, told in (({}, "was not written by esclip"), ({b"esclip": b"{}"}, "has a schema that")):
            pq.write_table(pq.read_table(path).replace_schema_metadata(metadata), path)
            part = parts.Part(
                path.name, 1, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()
            )
            parts.write_summary(folder, parts.Summary((part,)))
            with pytest.raises(SourceError, match=told):
                index.import_vectors(folder)


def test_nothing_there(tmp_path: Path, quick_esclip: Esclip) -> None:
    """A folder that isn't there, and one without a cache, are told in one line."""
    for folder in (tmp_path / "no", tmp_path):
        told = quick_esclip("import", folder, "--store", tmp_path / "s", status=1).err
        assert told.count("\n") == 1
        assert str(folder) in told


def test_half_precision(tmp_path: Path) -> None:
    """Vectors of float16 are of unit length once they are imported."""
    vectors = random_vectors(8, 9)
    with esclip.open_index(MemoryStore("own")) as index:
        index.store.ensure_index(SCHEMA)
        index.store.upsert([document(f"d{n}", vectors[n]) for n in range(8)])
        index.export(tmp_path / "cache", dtype="float16")
    store = LanceStore(tmp_path / "s", "own")
    with esclip.open_index(store) as index:
        index.import_vectors(tmp_path / "cache")
    rows = np.stack([store.documents([f"d{n}"])[f"d{n}"].vector for n in range(8)])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose((rows * vectors).sum(axis=1), 1, atol=5e-4)
    assert SPACE.dim == rows.shape[1]
