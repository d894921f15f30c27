"""The exact side of an audit: the nearest documents of every query, under each filter.

sampled documents that fulfil a filter, page by page ─► cosines with all queries ─► the best of each so far
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from esclip._audit.filters import Filter
from esclip._audit.recall import Cosines, Nearest
from esclip._audit.sampling import Draw
from esclip._core.types import Vectors
from esclip._protocols import Store


class ExactSide:
    """The best documents of each query and filter in a sample; the first filter is none."""

    def __init__(self, queries: Vectors, filters: Sequence[Filter], depth: int) -> None:
        self._queries, self._filters = queries, filters
        self._best = [_Best(len(queries), depth) for _ in filters]

    @property
    def documents(self) -> int:
        """How many documents there were."""
        return self.matching(0)

    def read(self, store: Store, drawn: Draw, on_read: Callable[[int], None]) -> None:
        """Compare the sample with all queries. Vectors are read once for each filter, by the filter."""
        read = 0
        for one, best in zip(self._filters, self._best, strict=True):
            for ids, vectors in drawn.read(store, one.where):
                best.add(ids, self._queries @ vectors.T)
                read += len(ids)
                on_read(read)

    def matching(self, filter: int) -> int:
        """How many of the documents fulfilled a filter, by its number."""
        return self._best[filter].matching

    def nearest(self, filter: int, query: int) -> Nearest:
        """The nearest documents of a query, among those that fulfil a filter."""
        return self._best[filter].nearest(query)


class _Best:
    def __init__(self, queries: int, depth: int) -> None:
        self._depth = depth
        self._cosines: Cosines = np.empty((queries, 0), dtype=np.float32)
        self._numbers: npt.NDArray[np.intp] = np.empty((queries, 0), dtype=np.intp)
        self._ids: list[str] = []
        self.matching = 0

    def add(self, ids: Sequence[str], cosines: Cosines) -> None:
        self.matching += len(ids)
        new = np.arange(len(self._ids), len(self._ids) + len(ids))
        self._ids += ids
        numbers = np.hstack([self._numbers, np.broadcast_to(new, cosines.shape)])
        cosines = np.hstack([self._cosines, cosines])
        if cosines.shape[1] > self._depth:
            best = np.argpartition(-cosines, self._depth - 1, axis=1)[:, : self._depth]
            cosines = np.take_along_axis(cosines, best, 1)
            numbers = np.take_along_axis(numbers, best, 1)
        self._cosines, self._numbers = cosines, numbers
        self._forget()

    def _forget(self) -> None:
        """Keep only ids that are among the best of a query: their number does not grow."""
        kept, numbers = np.unique(self._numbers, return_inverse=True)
        self._ids = [self._ids[number] for number in kept]
        self._numbers = numbers.reshape(self._numbers.shape)

    def nearest(self, query: int) -> Nearest:
        order = np.argsort(-self._cosines[query], kind="stable")
        return Nearest([self._ids[n] for n in self._numbers[query][order]], self._cosines[query][order])
