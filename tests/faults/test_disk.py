"""Disks that run full: an engine's, an embedded index's in an ingest, an export's, the temporary one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Timer

import numpy as np
import pytest

from esclip import ImageRecord, IndexSchema, StoredDocument, load_encoder
from esclip._concurrency.retry import StoreTimeouts
from esclip._core.types import unit_rows
from esclip._errors import StoreUnavailable
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.engine.store import EngineStore
from esclip.stores.lance.store import LanceStore
from esclip.testing.documents import SCHEMA
from tests.engines import http
from tests.faults.cluster import Cluster, await_that
from tests.faults.material import Dataset, SketchEncoder, ingest, records_of
from tests.faults.target import AssertWhole, Target

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]  # others may have the nodes first

NEVER_FREE = "9000tb"
"""More than any disk has: as if it were full."""


@pytest.mark.engine
def test_a_full_disk_is_waited_for(
    assert_whole: AssertWhole, cluster: Cluster, on_cluster: Target, dataset: Dataset
) -> None:
    """While the engine writes nothing because disks are nearly full an ingest waits, and loses nothing."""
    timers = []

    def fill() -> None:
        _watermarks(cluster, NEVER_FREE)
        await_that(lambda: _blocked(on_cluster), "the engine has blocked the index")
        timers.append(Timer(3, _watermarks, (cluster, "1b")))
        timers[0].start()

    report = ingest(dataset, on_cluster, SketchEncoder({750: fill}))
    timers[0].join()
    assert (report.written, report.rejected) == (len(dataset.records), 0)
    assert not _blocked(on_cluster)
    assert_whole(on_cluster, dataset.records, SketchEncoder())


@pytest.mark.engine
def test_an_index_that_a_full_disk_forbids(cluster: Cluster, on_cluster: Target) -> None:
    """An engine that makes no new index for lack of room is no engine that lacks a permission."""
    cluster.put_settings(blocks={"create_index": True})
    store = EngineStore(on_cluster.store, on_cluster.index, StoreTimeouts(read=0.5))
    with closing(store), pytest.raises(StoreUnavailable, match="full"):
        store.ensure_index(SCHEMA)


IN_A_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
ON_A_SMALL_DISK = """
mount -t tmpfs -o size=700k tmpfs "$SMALL" || exit 77
if "$@"; then echo "700 kB were enough" >&2; exit 1; fi
mount -o remount,size=500m "$SMALL"
"$@" && cp -r "$SMALL/." "$KEPT"
"""
"""The same command twice: on a disk that is too small for it, and when there is room."""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="only Linux lets everybody mount a small disk")
def test_an_embedded_index_on_a_full_disk(
    assert_whole: AssertWhole, dataset: Dataset, tmp_path: Path
) -> None:
    """The run ends with an error that says so; what it wrote is there, and the next one writes the rest."""
    small, kept = tmp_path / "small", tmp_path / "kept"
    small.mkdir()
    options = ["--store", str(small), "--index", "i", "--encoder", "palette", "--json"]
    command = [sys.executable, "-m", "esclip", "ingest", str(dataset.images), *options]
    done = _run_on_a_disk(ON_A_SMALL_DISK, command, SMALL=str(small), KEPT=str(kept))
    assert done.returncode == 0, done.stderr
    assert "the disk is full" in done.stderr
    assert json.loads(done.stdout)["skipped"] > 0
    assert_whole(Target(str(kept), "i"), records_of(dataset.images), load_encoder("palette"))


EXPORT_ON_A_SMALL_DISK = """
mount -t tmpfs -o size=1m tmpfs "$SMALL" || exit 77
"$@"; echo "$? $(find "$SMALL/cache" -type f | wc -l)"
mount -o remount,ro "$SMALL"
"$@"; echo "$?"
mount -o remount,rw,size=50m "$SMALL"
"$@"
"""
"""The same command three times: on a disk that is too small, on one that can only be read, with room."""

EXPORT = """
import sys
from esclip._cli.app import main
from esclip.stores.vector_cache import sorting
sorting.MEMORY_BYTES = int(sys.argv.pop(1))
main()
"""


@pytest.mark.parametrize("memory", [1 << 16, 1 << 28], ids=["while it is sorted", "while it is written"])
@pytest.mark.skipif(shutil.which("unshare") is None, reason="only Linux lets everybody mount a small disk")
def test_an_export_on_a_full_disk(tmp_path: Path, memory: int) -> None:
    """One line says so, and nothing is left there; where there is room, the same command ends well."""
    small = tmp_path / "small"
    small.mkdir()
    _fill(tmp_path / "folder", 40_000)
    to = ["--store", str(tmp_path / "folder"), "--out", str(small / "cache")]
    command = [sys.executable, "-c", EXPORT, str(memory), "export", "--json", *to]
    done = _run_on_a_disk(EXPORT_ON_A_SMALL_DISK, command, SMALL=str(small))
    full, locked, report = done.stdout.splitlines()
    assert (full, locked, json.loads(report)["documents"]) == ("1 0", "1", 40_000), done.stderr
    told = [line for line in done.stderr.splitlines() if "vector cache" in line]
    assert len(told) == 2
    assert f"{small / 'cache'}: the disk is full; free some space" in told[0]
    assert "can't be written there; give another folder" in told[1]


ON_A_SMALL_TEMPORARY_DISK = (
    'mount -t tmpfs -o size=16k tmpfs "$TMPDIR" || exit 77; "$@"; echo "$?"; ls "$TMPDIR"'
)


@pytest.mark.skipif(shutil.which("unshare") is None, reason="only Linux lets everybody mount a small disk")
def test_near_duplicates_on_a_full_temporary_disk(tmp_path: Path) -> None:
    """One line says where and what to do, with status 1, and nothing is left there."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    _fill(tmp_path / "folder", 1_000)
    command = [sys.executable, "-m", "esclip", "duplicates", "--store", f"{tmp_path / 'folder'}"]
    done = _run_on_a_disk(ON_A_SMALL_TEMPORARY_DISK, command, TMPDIR=str(temporary))
    assert done.stdout == "1\n", done.stderr
    (line,) = done.stderr.splitlines()
    assert f"the temporary folder {temporary} can't hold" in line
    assert "TMPDIR" in line


def _fill(folder: Path, count: int) -> None:
    """An embedded index with so many documents."""
    space = PaletteEncoder().space
    vectors = unit_rows(np.random.default_rng(1).standard_normal((count, space.dim)))
    with closing(LanceStore(folder, "image_search")) as store:
        store.ensure_index(IndexSchema(space))
        store.upsert(
            [StoredDocument(ImageRecord(f"{n}", "/x", b"", "1"), row) for n, row in enumerate(vectors)]
        )


def _run_on_a_disk(script: str, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """A command by a script that makes a small disk for it; skipped where this machine lets nobody do so."""
    done = subprocess.run(
        [*IN_A_NAMESPACE, script, "sh", *command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("this machine lets nobody make a small disk")
    return done


def _watermarks(cluster: Cluster, free: str) -> None:
    """Set how much of each disk has to be free; looked at every 10 seconds, the least that engines allow."""
    watermark = {"low": free, "high": free, "flood_stage": free}
    disk = {"threshold_enabled": True, "watermark": watermark}
    cluster.put_settings(info={"update.interval": "10s"}, routing={"allocation": {"disk": disk}})


def _blocked(target: Target) -> bool:
    (found,) = http("GET", f"{target.store}/{target.index}/_settings").values()
    return "read_only_allow_delete" in found["settings"]["index"].get("blocks", {})
