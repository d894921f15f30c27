"""An ingest by Ray whose workers are killed, and whose driver is, at moments that they do not choose."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from esclip import LedgerEntry, open_index
from esclip._core.types import Pixels, Vectors
from esclip._ingest.distribution import LEAST
from esclip.encoders.palette import PaletteEncoder
from tests.encoder_servers import served
from tests.faults.material import made, records_of
from tests.faults.ray_cluster import RayCluster, ray_cluster
from tests.faults.target import AssertWhole, Target
from tests.faults.whole import RawDocument

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

PHOTOS, BROKEN = 6 * LEAST, 5
WORKERS, KILLS = 2, 3


class CountingEncoder(PaletteEncoder):
    """Counts what it encodes, and does `at[n]` once, when there are n."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded = 0
        self.at: dict[int, Callable[[], object]] = {}
        self._counting = threading.Lock()

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        with self._counting:
            self.encoded += len(batch)
            due = [self.at.pop(number) for number in sorted(self.at) if number <= self.encoded]
        for action in due:
            action()
        return super().encode_images(batch)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, and some files that are none."""
    folder = made(tmp_path_factory.mktemp("workers"), PHOTOS).images
    for number in range(BROKEN):
        (folder / f"broken-{number}.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    pytest.importorskip("ray")
    with ray_cluster() as cluster:
        yield cluster


def by_id(target: Target) -> dict[str, RawDocument]:
    """All columns of all documents."""
    return {document["id"]: document for document in target.held()}


def rejected(target: Target) -> list[tuple[object, ...]]:
    """What a ledger has, but for times and tries."""

    def facts(entry: LedgerEntry) -> tuple[object, ...]:
        return (entry.id, entry.location, entry.stage.value, entry.reason.value, entry.detail, entry.record)

    with open_index(target.store, target.index) as opened:
        return sorted(map(facts, opened.rejections()), key=str)


@pytest.fixture(scope="module")
def undisturbed(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Target:
    """The index of an ingest in one process."""
    target = Target(str(tmp_path_factory.mktemp("undisturbed")), "photos")
    with open_index(target.store, target.index, "palette") as index:
        assert index.ingest(photos).rejected == BROKEN
    return target


@pytest.mark.parametrize(
    "target",
    [
        "embedded",
        *(pytest.param(name, marks=pytest.mark.engine) for name in ("opensearch2", "elasticsearch")),
    ],
    indirect=True,
)
def test_kills_lose_nothing(
    assert_whole: AssertWhole,
    target: Target,
    undisturbed: Target,
    photos: Path,
    cluster: RayCluster,
    seed: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three workers and a driver are killed: the index and its ledger are those of an undisturbed ingest.

    Of each part that was under way, no picture is encoded again that was written.
    """
    encoder, chance, killed = CountingEncoder(), random.Random(seed), list[int]()
    *kills, last = sorted(chance.sample(range(LEAST // 2, PHOTOS - LEAST), KILLS + 1))
    with served(encoder) as server:
        command = (
            *(sys.executable, "-m", "esclip", "ingest", str(photos), "--encoder", server.address),
            *("--on", "ray", "--workers", str(WORKERS), "--json", *target.options),
        )
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))  # the ledger of an engine's index is there
        environ = os.environ | cluster.environ
        first = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        encoder.at = {number: lambda: killed.append(cluster.kill_worker(chance)) for number in kills}
        encoder.at[last] = first.kill
        _, told = first.communicate()
        assert first.returncode == -signal.SIGKILL, told
        assert (len(set(killed)), encoder.at) == (KILLS, {})
        ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert encoder.encoded - PHOTOS <= (KILLS + WORKERS) * LEAST
    report = json.loads(ran.stdout)
    assert (report["skipped"] + report["written"], report["rejected"]) == (PHOTOS, BROKEN), ran.stderr
    records = {id: one for id, one in records_of(photos).items() if "broken" not in one.location}
    assert_whole(target, records, encoder)
    assert rejected(target) == rejected(undisturbed)
    if not target.is_engine:
        assert by_id(target) == by_id(undisturbed)
