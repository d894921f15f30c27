"""A manifest of a source: written once, read by many machines, each its own parts of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from threading import Event
from typing import Any

import orjson
import pyarrow as pa
import pytest
from PIL import Image

import esclip
from esclip import ConfigError, Rejection, SourceError, write_manifest
from esclip._core.record_json import load_record
from esclip._errors.reasons import Reason
from esclip._protocols import Source
from esclip.sources import open_source
from esclip.sources.manifest import (
    MAX_PART_RECORDS,
    ManifestSource,
    is_manifest,
    pack_part,
)
from esclip.stores.memory import MemoryStore
from esclip.testing.source import SourceContract, records_of, rejections_of
from tests.command_line import Esclip
from tests.transfers import assert_equal

LINES = (
    {"id": "red", "path": "red.png", "description": "a door", "year": 2020, "taken": "2020-05-01T10:00:00Z"},
    {"id": "green", "path": "green.png", "year": 2021, "place": {"lat": 60.0, "lon": 10.5}},
    {"id": "said", "text": "she smiled", "year": 2020},
    {"id": "far", "url": "https://images.unsplash.com/far.jpg", "year": 2019, "tags": ["a", "b"]},
    {"id": "red", "path": "green.png", "year": 1999},
    {"id": "odd", "path": 7},
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Records of all kinds: one twice, one that can't be read."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for color in ("red", "green"):
        Image.new("RGB", (32, 32), color).save(folder / f"{color}.png")
    file = folder / "list.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in LINES), "utf-8")
    return file


@pytest.fixture
def manifest(table: Path, tmp_path: Path) -> Path:
    """A manifest of it, with two records in each part."""
    write_manifest(table, out=tmp_path / "manifest", records=2)
    return tmp_path / "manifest"


def read_summary(folder: Path) -> dict[str, Any]:
    summary: dict[str, Any] = orjson.loads((folder / "manifest.json").read_bytes())
    return summary


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    (folder / "manifest.json").write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2))


def replace_part(folder: Path, number: int, data: bytes) -> None:
    """Another content of a part, which the summary agrees with."""
    summary = read_summary(folder)
    part = summary["parts"][number]
    (folder / part["name"]).write_bytes(data)
    part["sha256"] = hashlib.sha256(data).hexdigest()
    write_summary(folder, summary)


def lines_of(folder: Path, number: int) -> list[str]:
    data = (folder / read_summary(folder)["parts"][number]["name"]).read_bytes()
    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        return bytes(stream.read()).decode().splitlines()


class TestManifestSource(SourceContract):
    @pytest.fixture
    def origin(self, manifest: Path) -> Path:
        return manifest

    def open(self, origin: Path) -> Source:
        return ManifestSource(origin)

    def change(self, origin: Path) -> set[str]:
        lines = [json.loads(line) for line in lines_of(origin, 0)]
        lines[0]["description"] = "another door"
        replace_part(origin, 0, pack_part([json.dumps(line) for line in lines]))
        return {lines[0]["id"]}


def test_it_has_what_its_source_has(table: Path, manifest: Path) -> None:
    """All records with all that is known of them, of equal ids the first, and the rows that are none."""
    source, read = open_source([table]), open_source([manifest])
    first = list({record.id: record for record in reversed(records_of(source))}.values())
    assert sorted(records_of(read), key=lambda one: one.id) == sorted(first, key=lambda one: one.id)
    assert [one.to_json() for one in rejections_of(read)] == [one.to_json() for one in rejections_of(source)]
    assert set(read.fields) == set(source.fields)


def test_an_ingest_of_it_is_one_of_its_source(photos: Path, tmp_path: Path) -> None:
    """Documents are the same, and an ingest of the source itself finds nothing to do, in either order."""
    (photos / "broken.jpg").write_bytes(b"no picture")
    (photos / "film.mkv").write_bytes(b"")
    write_manifest(photos, out=tmp_path / "manifest", records=3)
    stores = MemoryStore("listed"), MemoryStore("direct")
    reports = []
    for store, path in zip(stores, (tmp_path / "manifest", photos), strict=True):
        with esclip.open_index(store, encoder="palette") as index:
            reports.append(index.ingest(path))
            again = index.ingest(photos)
            assert (again.written, again.skipped) == (0, reports[0].written)
    assert_equal(*stores)
    for one in ("read", "written", "rejections", "passed_over"):
        assert getattr(reports[0], one) == getattr(reports[1], one)


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_a_slice_has_whole_parts(manifest: Path, count: int) -> None:
    """Slices are the whole, and read no part of another."""
    whole = list(open_source([manifest]).records(Event()))
    found: list[Any] = []
    for number in range(1, count + 1):
        some = list(open_source([manifest], slice=f"{number}/{count}").records(Event()))
        found += some
    assert sorted(map(repr, found)) == sorted(map(repr, whole))
    (manifest / "part-00001.jsonl.zst").unlink()
    assert len(records_of(open_source([manifest], slice="1/3"))) == 2
    with pytest.raises(SourceError, match=r"part-00001\.jsonl\.zst is missing"):
        records_of(open_source([manifest], slice="2/3"))


def test_members_of_archives_and_rows_of_tables_are_found_again(photos: Path, tmp_path: Path) -> None:
    """A location in an archive is a place to be read from, as a file's."""
    import tarfile

    import pyarrow.parquet as pq

    pictures = sorted(path for path in photos.rglob("*") if path.suffix in (".png", ".jpg"))
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(pictures[0], "../a/b.jpg")
    pq.write_table(pa.table({"id": ["one"], "image": [pictures[1].read_bytes()]}), tmp_path / "rows.parquet")
    write_manifest(tmp_path / "a.tar", tmp_path / "rows.parquet", out=tmp_path / "manifest")
    with esclip.open_index(MemoryStore("archived"), encoder="palette") as index:
        assert index.ingest(tmp_path / "manifest").written == 2


def test_bytes_alone_are_refused(tmp_path: Path, quick_esclip: Esclip) -> None:
    """A picture that is in memory only has no place that a manifest could name."""
    import io

    from esclip.sources.memory.source import MemorySource

    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "PNG")
    with pytest.raises(SourceError, match="no place to be read from again"):
        write_manifest(MemorySource([data.getvalue()]), out=tmp_path / "manifest")
    assert not is_manifest(tmp_path / "manifest")


def test_a_part_that_changed_is_refused(manifest: Path) -> None:
    """Not a record is read of a part with another digest, or of a link out of the folder."""
    part = manifest / "part-00000.jsonl.zst"
    data = part.read_bytes()
    part.write_bytes(data[:-1])
    with pytest.raises(SourceError, match="another SHA-256"):
        records_of(open_source([manifest]))
    outside = manifest.parent / "outside"
    outside.write_bytes(data)
    part.unlink()
    part.symlink_to(outside)
    with pytest.raises(SourceError, match="link out of its folder"):
        records_of(open_source([manifest]))


@pytest.mark.parametrize(
    "change",
    [
        {"parts": [{"name": "../part-00000.jsonl.zst", "records": 1, "sha256": "0" * 64}]},
        {"parts": [{"name": "part-00000.jsonl.zst\n", "records": 1, "sha256": "0" * 64}]},
        {"parts": [{"name": "part-00000.jsonl.zst", "records": 2**60, "sha256": "0" * 64}]},
        {"parts": [{"name": "part-00000.jsonl.zst", "records": True, "sha256": "0" * 64}]},
        {"parts": [{"name": "part-00000.jsonl.zst", "records": -1, "sha256": "0" * 64}]},
        {"parts": [{"name": "part-00000.jsonl.zst", "records": 1, "sha256": "x"}]},
        {"parts": [{"name": "part-00000.jsonl.zst", "records": 1, "sha256": "0" * 64}] * 2},
        {"parts": [7]},
        {"parts": None},
        {"fields": {"a": "soup"}},
        {"fields": ["a"]},
        {"passed_over": {"films": "many"}},
        {"version": 2},
    ],
)
def test_a_hostile_summary_is_refused(manifest: Path, change: dict[str, Any]) -> None:
    """Names that lead elsewhere, counts that are none: one line says what is wrong."""
    write_summary(manifest, read_summary(manifest) | change)
    with pytest.raises(SourceError, match=r"manifest\.json is damaged") as caught:
        open_source([manifest])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        "7",
        "{}",
        '{"rejection": 7}',
        '{"rejection": {"id": 1, "location": "", "stage": "read", "reason": "bad_row", "detail": ""}}',
        '{"rejection": {"id": "", "location": "", "stage": "read", "reason": "soup", "detail": ""}}',
        "[" * 100_000,
    ],
)
def test_a_bad_line_is_a_rejection(manifest: Path, line: str) -> None:
    """The other records of its part come."""
    replace_part(manifest, 0, pack_part([line, *lines_of(manifest, 0)]))
    items = list(open_source([manifest]).records(Event()))
    assert isinstance(items[0], Rejection)
    assert items[0].reason is Reason.BAD_ROW
    assert "line 1 " in items[0].detail
    assert load_record(lines_of(manifest, 0)[1]) == items[1]


@pytest.mark.parametrize("change", [{"id": ""}, {"id": "a\nb"}, {"picture_fields": ["year"]}])
def test_a_record_that_no_store_takes_is_a_rejection(manifest: Path, change: dict[str, Any]) -> None:
    """Ids that can't be stored, and facts of pictures that are none."""
    lines = lines_of(manifest, 0)
    replace_part(manifest, 0, pack_part([json.dumps(json.loads(lines[0]) | change), *lines[1:]]))
    items = list(open_source([manifest]).records(Event()))
    assert isinstance(items[0], Rejection)
    assert not isinstance(items[1], Rejection)


@pytest.mark.parametrize("data", [b"no zstd", pack_part(["x" * (2 << 20)])])
def test_a_part_that_is_none_is_refused(manifest: Path, data: bytes) -> None:
    """Its path is in the error."""
    replace_part(manifest, 0, data)
    with pytest.raises(SourceError, match="part-00000"):
        records_of(open_source([manifest]))


def test_a_web_applications_manifest_is_none(photos: Path) -> None:
    """Pictures beside a file of that name are ingested as others."""
    (photos / "manifest.json").write_text('{"name": "an application"}')
    assert records_of(open_source([photos]))


def test_what_is_in_the_folder_stays(table: Path, manifest: Path, tmp_path: Path) -> None:
    """A finished manifest is not written over, nor is anything else; what a kill has left is."""
    with pytest.raises(ConfigError, match="holds a manifest already"):
        write_manifest(table, out=manifest)
    with pytest.raises(ConfigError, match=r"holds 'green\.png'"):
        write_manifest(table, out=table.parent)
    with pytest.raises(ConfigError, match="is no folder"):
        write_manifest(table, out=table)
    (manifest / "manifest.json").unlink()
    (manifest / ".new-1234").touch()
    write_manifest(table, out=manifest)
    assert sorted(path.name for path in manifest.iterdir()) == ["manifest.json", "part-00000.jsonl.zst"]


def test_counts_and_errors_of_the_command(table: Path, tmp_path: Path, quick_esclip: Esclip) -> None:
    """What is printed adds up; pruning by a manifest says where to prune."""
    ran = quick_esclip("manifest", table, "--out", tmp_path / "m", "--records", "2", "--json")
    assert {"records": 5, "unreadable": 1, "repeated": 1, "files": 3}.items() <= ran.json.items()
    assert "5 records, 1 can't be read, 1 left out, with the id of another, in 3 files" in ran.err
    options = ("--store", tmp_path / "store", "--encoder", "palette")
    report = quick_esclip("ingest", tmp_path / "m", *options, "--slice", "1/3", "--json").json
    assert report["read"] == 2
    refused = quick_esclip("ingest", tmp_path / "m", *options, "--prune", status=1)
    assert "ingest the source itself" in refused.err
    over = quick_esclip(
        "manifest", table, "--out", tmp_path / "n", "--records", str(MAX_PART_RECORDS + 1), status=2
    )
    assert "--records" in over.err
