"""What the tests of faults share: the dataset, the seed, where an ingest writes, the engine that breaks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest
from filelock import FileLock

from esclip._core.types import ImageRecord
from esclip._protocols import Encoder
from tests.engines import engine_address
from tests.faults.cluster import Cluster
from tests.faults.material import Dataset, made
from tests.faults.target import AssertWhole, Target
from tests.faults.whole import assert_same
from tests.sharing import make_once, session_folder

PHOTOS = 1500
"""More than an ingest has on its way, and three pages of documents, so that there is a middle."""

ENGINE_NAMES = [pytest.param(name, marks=pytest.mark.engine) for name in ("opensearch", "elasticsearch")]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A dataset, the same for all tests, and never changed."""
    folder = make_once(
        session_folder(tmp_path_factory) / "dataset", lambda unfinished: made(unfinished, PHOTOS)
    )
    return Dataset.in_folder(folder)


@pytest.fixture
def seed() -> int:
    """What chance begins with; `scripts/soak_faults.py` sets others."""
    return int(os.environ.get("ESCLIP_FAULT_SEED", "1"))


@pytest.fixture(params=["embedded", *ENGINE_NAMES])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """An index of the test's own in each kind of store in turn."""
    name = request.param
    yield from _removed_after(str(tmp_path / "store") if name == "embedded" else engine_address(name))


@pytest.fixture(params=ENGINE_NAMES)
def engine_target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """An index of the test's own on each engine in turn."""
    yield from _removed_after(engine_address(request.param))


@pytest.fixture
def assert_whole(record_property: Callable[[str, object], None]) -> AssertWhole:
    """Compares all documents of a target with their records, and counts them for `scripts/soak_faults.py`."""

    def compare(target: Target, records: Mapping[str, ImageRecord], encoder: Encoder) -> None:
        assert_same(target.held(), records, encoder)
        record_property("documents", len(records))

    return compare


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The engine that breaks, for one test at a time; whole again after the test."""
    cluster = Cluster()
    with FileLock(session_folder(tmp_path_factory) / "faulty.lock"):
        cluster.heal()
        yield cluster
        cluster.heal()


@pytest.fixture
def on_cluster(cluster: Cluster) -> Iterator[Target]:
    """An index of the test's own on the engine that breaks."""
    for target in _removed_after(cluster.address):
        yield target
        cluster.heal()


def _removed_after(store: str) -> Iterator[Target]:
    target = Target(store, f"esclip-fault-{uuid4().hex}")
    yield target
    target.remove()
