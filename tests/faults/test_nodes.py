"""Nodes of an engine that die in the middle of an ingest or have too much to do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.engines import http
from tests.faults.cluster import Cluster
from tests.faults.material import Dataset, SketchEncoder, ingest
from tests.faults.target import AssertWhole, Target

pytestmark = [
    pytest.mark.engine,
    pytest.mark.fault,
    pytest.mark.timeout(900),
]  # others may have the nodes first


@pytest.mark.parametrize(
    ("killed", "copies"),
    [((3,), 0), ((1,), 1), ((1, 2, 3), 1)],
    ids=["one of them", "the one that is asked", "all"],
)
def test_killed_nodes_lose_nothing(
    assert_whole: AssertWhole,
    cluster: Cluster,
    on_cluster: Target,
    dataset: Dataset,
    killed: tuple[int, ...],
    copies: int,
) -> None:
    """Nodes that are killed in the middle of an ingest and come back cost it time, and no document."""
    ingest(dataset, on_cluster, SketchEncoder(), limit=100)
    settings = {"index": {"number_of_replicas": copies}}
    http("PUT", f"{on_cluster.store}/{on_cluster.index}/_settings", settings)
    in_the_middle = {500: lambda: cluster.kill(*killed, back_after=1), 1000: cluster.await_all}
    report = ingest(dataset, on_cluster, SketchEncoder(in_the_middle))
    assert (report.skipped, report.rejected) == (100, 0)
    assert_whole(on_cluster, dataset.records, SketchEncoder())


def test_a_node_that_is_lost_takes_no_document_along(
    assert_whole: AssertWhole, cluster: Cluster, on_cluster: Target, dataset: Dataset
) -> None:
    """A new index has copies from its first document on: an ingest that loses a node for good ends well."""
    in_the_middle = {750: lambda: cluster.kill(3)}
    report = ingest(dataset, on_cluster, SketchEncoder(in_the_middle))
    assert (report.written, report.rejected) == (len(dataset.records), 0)
    assert_whole(on_cluster, dataset.records, SketchEncoder())


def test_a_queue_that_is_full_loses_nothing(
    assert_whole: AssertWhole, cluster: Cluster, on_cluster: Target, dataset: Dataset
) -> None:
    """Nodes with room for one waiting write refuse many; of two ingests at once both write all the same."""
    before = _refused(cluster)
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(ingest, dataset, on_cluster, SketchEncoder()) for _ in range(2)]
    assert [run.result().rejected for run in runs] == [0, 0]
    assert _refused(cluster) > before
    assert_whole(on_cluster, dataset.records, SketchEncoder())


def _refused(cluster: Cluster) -> int:
    """How many writes the nodes have refused because their queue was full."""
    nodes = http("GET", f"{cluster.address}/_nodes/stats/thread_pool")["nodes"].values()
    return sum(node["thread_pool"]["write"]["rejected"] for node in nodes)
