"""Vector caches: an index written as Parquet files."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as pq
import pytest

import esclip
from esclip._core.document_tables import read_vectors, table_documents
from esclip._core.schema import IndexSchema
from esclip.stores.lance.store import LanceStore
from esclip.stores.memory import MemoryStore
from esclip.stores.vector_cache import parts, sorting
from esclip.testing.documents import EVERYTHING, FIELDS, SCHEMA, SPACE, document, random_vectors
from tests.command_line import Esclip


def filled(store: esclip.Store, count: int, dim: int = SPACE.dim) -> esclip.Store:
    """The store with an index of so many documents, of which the first has all metadata."""
    store.ensure_index(SCHEMA)
    vectors = random_vectors(count, 3)
    with store.bulk_load():
        store.upsert([document(f"d{n:05}", vectors[n], EVERYTHING if n == 0 else {}) for n in range(count)])
    return store


@pytest.fixture(scope="module")
def lance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[esclip.ImageIndex]:
    """An embedded index of some documents."""
    store = filled(LanceStore(tmp_path_factory.mktemp("lance"), "own"), 30)
    with esclip.open_index(store) as index:
        yield index


def test_a_cache_is_a_table_for_other_programs(lance: esclip.ImageIndex, tmp_path: Path) -> None:
    """Any reader of Parquet sees ids, vectors and typed metadata; the schema stands in the file."""
    report = lance.export(tmp_path / "cache")
    table = arrow_dataset.dataset(tmp_path / "cache", format="parquet").to_table()
    assert len(table) == report.documents == 30
    types = {column.name: str(column.type) for column in table.schema}
    assert types == {
        **dict.fromkeys(("id", "content", "pixels_fingerprint", "record_fingerprint"), "string"),
        "vector": f"fixed_size_list<element: float>[{SPACE.dim}]",
        **dict.fromkeys(("location", "page", "description", "country", "caption"), "string"),
        "colors": "list<element: string>",
        "likes": "int64",
        "aperture": "double",
        "featured": "bool",
        "taken_at": "timestamp[ms, tz=UTC]",
        "place": "struct<lat: double, lon: double>",
    }
    kept = json.loads(pq.read_schema(tmp_path / "cache/part-00000.parquet").metadata[b"esclip"])
    assert IndexSchema.from_json(kept) == SCHEMA
    documents = {one.record.id: one for one in table_documents(table, SCHEMA)}
    stored = lance.store.documents(["d00000"])["d00000"]
    assert documents["d00000"].record == stored.record
    assert documents["d00000"].fingerprint == lance.store.fingerprints(["d00000"])["d00000"]
    np.testing.assert_array_equal(documents["d00000"].vector, stored.vector)
    page = documents["d00007"].record.page
    assert page == "https://example.org/photos/d00007"


def test_a_summary_says_what_is_there(lance: esclip.ImageIndex, tmp_path: Path) -> None:
    """`_SUCCESS.json` counts the documents of each part and names its SHA-256; another export's is equal."""
    reports = [lance.export(tmp_path / name) for name in ("a", "b")]
    summary = json.loads((tmp_path / "a/_SUCCESS.json").read_text())
    assert summary["rows"] == sum(part["rows"] for part in summary["parts"]) == 30
    assert [len(part["sha256"]) for part in summary["parts"]] == [64]
    assert summary["digest"] == reports[0].digest == reports[1].digest
    assert not list((tmp_path / "a").glob(".new-*"))


def test_parts_have_a_number_of_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is finished when it is full, across pages of the store and groups of rows."""
    monkeypatch.setattr(parts, "PART_ROWS", 1_500)
    monkeypatch.setattr(parts, "GROUP_ROWS", 400)
    with esclip.open_index(filled(MemoryStore("many"), 3_200)) as index:
        counts: list[tuple[str, int]] = []
        index.export(tmp_path / "cache", on_progress=lambda what, count: counts.append((what, count)))
    files = sorted((tmp_path / "cache").glob("part-*.parquet"))
    assert [pq.read_metadata(file).num_rows for file in files] == [1_500, 1_500, 200]
    assert counts[-1] == ("pictures", 3_200)
    ids = [id for file in files for id in pq.read_table(file, columns=["id"])["id"].to_pylist()]
    expected = [f"d{n:05}" for n in range(3_200)]
    assert ids == sorted(expected, key=lambda id: hashlib.sha256(id.encode()).digest())


def test_the_same_documents_are_the_same_bytes(
    lance: esclip.ImageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the store, the order in which it was filled, and whether they had room in memory."""
    whole = lance.export(tmp_path / "whole")
    monkeypatch.setattr(sorting, "BUCKET_ROWS", 4)
    monkeypatch.setattr(sorting, "MEMORY_BYTES", 1)
    assert lance.export(tmp_path / "by bucket").digest == whole.digest
    table = pa.concat_tables(lance.store.scan_tables())
    other = MemoryStore("other")
    other.ensure_index(SCHEMA)
    for n in reversed(range(30)):
        assert other.upsert_table(table.slice(n, 1)) == []
    with esclip.open_index(other) as index:
        assert index.export(tmp_path / "other").digest == whole.digest
    names = sorted(path.name for path in (tmp_path / "by bucket").iterdir())
    assert names == ["_SUCCESS.json", "part-00000.parquet"]


def test_half_as_large(lance: esclip.ImageIndex, tmp_path: Path) -> None:
    """With float16 a cosine differs by less than 0.0005."""
    lance.export(tmp_path / "cache", dtype="float16")
    table = pq.read_table(tmp_path / "cache/part-00000.parquet")
    assert str(table["vector"].type.value_type) == "halffloat"
    stored = lance.store.documents(table["id"].to_pylist())
    own = np.stack([stored[id].vector for id in table["id"].to_pylist()])
    np.testing.assert_allclose((read_vectors(table) * own).sum(axis=1), 1, atol=5e-4)


def test_texts_and_parts_stand_beside(tmp_path: Path) -> None:
    """What an index has beside its pictures is in folders that readers of the table pass over."""
    from PIL import Image

    with esclip.open_index(MemoryStore("all"), encoder="palette") as index:
        records: list[Any] = [{"id": "p", "image": Image.new("RGB", (64, 64), "red"), "description": "a red"}]
        index.add([*records, {"id": "t", "text": "blue"}], parts=["captions"])
        report = index.export(tmp_path / "cache")
    assert (report.documents, report.texts, report.parts, report.files) == (1, 1, 1, 3)
    assert arrow_dataset.dataset(tmp_path / "cache", format="parquet").count_rows() == 1
    assert pq.read_table(tmp_path / "cache/_texts/part-00000.parquet")["id"].to_pylist() == ["t"]
    assert pq.read_table(tmp_path / "cache/_parts/part-00000.parquet")["id"].to_pylist() == ["p#caption"]


def test_an_export_that_was_killed_is_begun_anew(lance: esclip.ImageIndex, tmp_path: Path) -> None:
    """What is left of it makes no trouble, and is gone at the end."""
    folder = tmp_path / "cache"
    (folder / "_texts").mkdir(parents=True)
    (folder / "part-00000.parquet").write_bytes(b"PAR1")
    (folder / ".new-0011223344556677").write_bytes(b"PAR1")
    for place in (folder, folder / "_texts"):
        (place / ".new-0011223344556677-0003").write_bytes(b"of documents")
    lance.export(folder)
    names = sorted(path.name for path in folder.rglob("*"))
    assert names == ["_SUCCESS.json", "_texts", "part-00000.parquet"]
    assert pq.read_metadata(folder / "part-00000.parquet").num_rows == 30


class InterruptedStore(MemoryStore):
    """Gives a few pages of its documents; then something happens."""

    happens: Callable[[], None]

    def scan_tables(self) -> Iterator[Any]:
        for number, table in enumerate(super().scan_tables()):
            for start in range(0, len(table), 10):
                yield table.slice(start, 10)
            if number == 0:
                self.happens()


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def spilling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents go to disk at once, in several files."""
    monkeypatch.setattr(sorting, "MEMORY_BYTES", 1)
    monkeypatch.setattr(sorting, "BUCKET_ROWS", 10)


@pytest.mark.usefixtures("spilling")
def test_an_interrupted_export_leaves_nothing(tmp_path: Path) -> None:
    """By Ctrl-C in the middle; no file stays in the folder, which the next export takes."""
    store, folder = InterruptedStore("p"), tmp_path / "cache"
    found: list[int] = []

    def happens() -> None:
        found.append(len([*folder.iterdir()]))
        interrupt()

    store.happens = happens
    with esclip.open_index(filled(store, 99)) as index:
        with pytest.raises(KeyboardInterrupt):
            index.export(folder)
        assert found[0] > 1
        assert [*folder.iterdir()] == []
        store.happens = lambda: None
        assert index.export(folder).documents == 99


@pytest.mark.usefixtures("spilling")
def test_two_exports_into_one_folder(tmp_path: Path) -> None:
    """One that begins while another one is under way ends that: no cache lacks what the other took away."""
    store, folder = InterruptedStore("p"), tmp_path / "cache"
    with (
        esclip.open_index(filled(MemoryStore("p"), 99)) as second,
        esclip.open_index(filled(store, 99)) as first,
    ):
        whole = second.export(tmp_path / "whole").digest

        def begin_another() -> None:
            with pytest.raises(KeyboardInterrupt):
                second.export(folder, on_progress=lambda what, rows: interrupt())

        store.happens = begin_another
        with pytest.raises(esclip.StoreError, match="files were removed from it while they were written"):
            first.export(folder)
        assert not (folder / "_SUCCESS.json").exists()
        store.happens = lambda: None
        assert first.export(folder).digest == whole


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as exFAT's, or a bucket that is mounted: parts get their names, each once."""

    def refuse(*paths: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(parts, "PART_ROWS", 40)
    with esclip.open_index(filled(MemoryStore("p"), 99)) as index:
        whole = index.export(tmp_path / "linked").digest
        monkeypatch.setattr("os.link", refuse)
        assert index.export(tmp_path / "cache").digest == whole
    names = sorted(path.name for path in (tmp_path / "cache").iterdir())
    assert names == ["_SUCCESS.json", *(f"part-{number:05}.parquet" for number in range(3))]


def test_where_nothing_is_exported(lance: esclip.ImageIndex, tmp_path: Path, quick_esclip: Esclip) -> None:
    """A folder with something in it, a file, and an index that isn't there are told in one line."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full/holiday.jpg").write_bytes(b"")
    store = ("--store", lance.store.address, "--index", "own")
    told = quick_esclip("export", "--out", tmp_path / "full", *store, status=1).err
    assert told.rstrip().endswith("not empty: it holds 'holiday.jpg'; give a new folder, or an empty one")
    done = quick_esclip("export", "--out", tmp_path / "c", *store, "--json")
    assert done.json["documents"] == 30
    told = quick_esclip("export", "--out", tmp_path / "c", *store, status=1).err
    assert "holds a vector cache already" in told
    told = quick_esclip("export", "--out", tmp_path / "full/holiday.jpg", *store, status=1).err
    assert "is no folder" in told
    told = quick_esclip("export", "--out", tmp_path / "n", "--store", tmp_path / "no", status=1).err
    assert "esclip ingest PATH" in told
    assert not (tmp_path / "n").exists()
    assert "--dtype" in quick_esclip("export", "--out", tmp_path / "n", "--dtype", "int8", status=2).err


def test_an_empty_index_is_a_cache_without_documents(tmp_path: Path) -> None:
    """Its schema is kept all the same."""
    with esclip.open_index(filled(MemoryStore("none"), 0)) as index:
        assert index.export(tmp_path / "cache").documents == 0
    kept = pq.read_schema(tmp_path / "cache/part-00000.parquet").metadata[b"esclip"]
    assert IndexSchema.from_json(json.loads(kept)).fields == FIELDS
