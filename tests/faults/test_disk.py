"""An engine whose disk runs full in the middle of an ingest."""

from __future__ import annotations

from contextlib import closing
from threading import Timer

import pytest

from esclip._errors import StoreUnavailable
from esclip.stores._patience import Patience
from esclip.stores.engine import EngineStore
from tests.contracts.documents import SCHEMA
from tests.engines import http
from tests.faults.cluster import Cluster, await_that
from tests.faults.material import Dataset, SketchEncoder, ingest
from tests.faults.target import AssertWhole, Target

pytestmark = [pytest.mark.engine, pytest.mark.fault]

NEVER_FREE = "9000tb"
"""More than any disk has: as if it were full."""


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

    report = ingest(dataset, on_cluster, SketchEncoder({1500: fill}))
    timers[0].join()
    assert (report.written, report.rejected) == (len(dataset.records), 0)
    assert not _blocked(on_cluster)
    assert_whole(on_cluster, dataset.records, SketchEncoder())


def test_an_index_that_a_full_disk_forbids(cluster: Cluster, on_cluster: Target) -> None:
    """An engine that makes no new index for lack of room is no engine that lacks a permission."""
    cluster.put_settings(blocks={"create_index": True})
    store = EngineStore(on_cluster.store, on_cluster.index, Patience(read=0.5))
    with closing(store), pytest.raises(StoreUnavailable, match="full"):
        store.prepare(SCHEMA)


def _watermarks(cluster: Cluster, free: str) -> None:
    """Set how much of each disk has to be free; looked at every 10 seconds, the least that engines allow."""
    watermark = {"low": free, "high": free, "flood_stage": free}
    disk = {"threshold_enabled": True, "watermark": watermark}
    cluster.put_settings(info={"update.interval": "10s"}, routing={"allocation": {"disk": disk}})


def _blocked(target: Target) -> bool:
    (found,) = http("GET", f"{target.store}/{target.index}/_settings").values()
    return "read_only_allow_delete" in found["settings"]["index"].get("blocks", {})
