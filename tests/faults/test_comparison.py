"""The comparison itself: whatever is wrong with an index, it is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.material import Dataset, SketchEncoder, ingest, made
from tests.faults.target import Target
from tests.faults.whole import RawDocument, assert_same

pytestmark = pytest.mark.fault


def swap_vectors(held: list[RawDocument]) -> None:
    held[0]["vector"], held[1]["vector"] = held[1]["vector"], held[0]["vector"]


def nudge_vector(held: list[RawDocument]) -> None:
    held[0]["vector"][0] += 0.01


def change(name: str, value: Any) -> Callable[[list[RawDocument]], None]:
    return lambda held: held[0].update({name: value})


HARMS: dict[str, Callable[[list[RawDocument]], Any]] = {
    "lost": lambda held: held.pop(),
    "twice": lambda held: held.append(dict(held[0])),
    "strange": lambda held: held.append(held[0] | {"id": "another"}),
    "swapped vectors": swap_vectors,
    "a slightly other vector": nudge_vector,
    "another value": change("width", 1),
    "another fingerprint": change("pixels_fingerprint", "0"),
    "other bytes": change("content_fingerprint", "0"),
    "a field too many": change("colour", "red"),
    "a field too few": lambda held: held[0].pop("width"),
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A dataset of a few photos."""
    return made(tmp_path_factory.mktemp("small"), 5)


@pytest.mark.parametrize("harm", HARMS)
def test_a_harm_is_found(small: Dataset, tmp_path: Path, harm: str) -> None:
    """An index in which one thing is wrong is not the same as its source."""
    target = Target(str(tmp_path), "i")
    ingest(small, target, SketchEncoder())
    held = list(target.held())
    HARMS[harm](held)
    with pytest.raises(AssertionError):
        assert_same(held, small.records, SketchEncoder())
