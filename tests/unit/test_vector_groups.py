"""Groups of nearly equal vectors, beside the comparison of all pairs; their end by Ctrl-C and a full disk."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from esclip import StoreError
from esclip._core.types import Vectors, unit_rows
from esclip._search.vector_file import Rows
from esclip._search.vector_groups import VectorGroups

DIM = 32


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Vectors around centres, each third one near another, the last ones equal to the first."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((100, DIM))
    rows = unit_rows(centres[rng.integers(0, 100, 3_000)] + 0.7 * rng.standard_normal((3_000, DIM)))
    near = unit_rows(rows[:1_000] + 0.03 * rng.standard_normal((1_000, DIM)))
    return np.concatenate([rows, near, rows[:200]])


@pytest.mark.parametrize("all_pairs", [100_000, 1_000])
def test_groups_are_those_of_all_pairs(vectors: Vectors, all_pairs: int) -> None:
    """Each near pair is in one group, and each of a group has a pair; progress ends with all."""
    counts: list[int] = []
    found = _find(vectors, all_pairs, counts.append)
    near = vectors @ vectors.T >= 0.95
    assert [rows.tolist() for rows in found] == [rows.tolist() for rows in _components(near)]
    assert counts[-1] == len(vectors)


@pytest.mark.parametrize("all_pairs", [100_000, 1_000])
def test_an_interrupt_ends_it(vectors: Vectors, all_pairs: int) -> None:
    """A real SIGINT while vectors are compared ends it before the next block, and frees the file."""
    done: list[int] = []

    def interrupt(count: int) -> None:
        done.append(count)
        signal.raise_signal(signal.SIGINT)

    opened = _open_files()
    with pytest.raises(KeyboardInterrupt):
        _find(vectors, all_pairs, interrupt)
    assert len(done) == 1
    assert done[0] < len(vectors)
    assert _open_files() == opened


def test_a_file_that_cannot_grow(vectors: Vectors) -> None:
    """The error says where, after how much, and what to do; nothing is left open."""
    opened = _open_files()
    message = r"^the temporary folder /.+ can't hold .+ after 0\.\d MB; .*TMPDIR"
    with _files_limited_to(400_000), pytest.raises(StoreError, match=message) as failed:
        _find(vectors, 100_000, lambda count: None)
    assert "\n" not in str(failed.value)
    assert _open_files() == opened


def _find(vectors: Vectors, all_pairs: int, on_progress: Callable[[int], None]) -> list[Rows]:
    with VectorGroups(all_pairs) as groups:
        for page in np.array_split(vectors, 7):
            groups.add(page)
        return groups.find(0.95, on_progress)


@contextmanager
def _files_limited_to(size: int) -> Iterator[None]:
    """Within it, the system lets this process write no file that is larger."""
    resource = pytest.importorskip("resource", reason="only POSIX has limits")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _open_files() -> int:
    """How many files this process has open, where the system tells."""
    listed = Path("/proc/self/fd")
    return len([*listed.iterdir()]) if listed.exists() else 0


def _components(
    near: np.ndarray[tuple[int, int], np.dtype[np.bool_]],
) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The connected parts of a graph of more than one vertex, by their first vertex."""
    labels = np.arange(len(near))
    first, second = np.nonzero(near)
    while True:
        lower = labels.copy()
        np.minimum.at(lower, first, labels[second])
        if (lower == labels).all():
            break
        labels = lower
    return [rows for label in np.unique(labels) if len(rows := np.flatnonzero(labels == label)) > 1]
