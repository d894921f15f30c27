"""The exact side of an audit: the nearest documents of every query, under each filter, in one pass.

documents, batch by batch ─► cosines with all queries ─► under each filter the best of each query so far
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from esclip._audit.filters import Filter
from esclip._audit.recall import Cosines, Nearest
from esclip._core.filter_limits import simplify
from esclip._core.types import StoredDocument, Vectors
from esclip.stores.filter_eval import compile_filter


class ExactSide:
    """The best documents of each query and filter among those that it was given."""

    def __init__(self, queries: Vectors, filters: Sequence[Filter], depth: int) -> None:
        self._queries = queries
        self._best = [_Best(compile_filter(simplify(one.where)), len(queries), depth) for one in filters]
        self.documents = 0
        """How many there were."""

    def read(self, pages: Iterable[Sequence[StoredDocument]], on_read: Callable[[int], None]) -> None:
        """Compare documents with all queries."""
        for page in pages:
            if page:
                cosines = self._queries @ np.stack([document.vector for document in page]).T
                for best in self._best:
                    best.add(page, cosines)
                self.documents += len(page)
                on_read(self.documents)

    def matching(self, filter: int) -> int:
        """How many of the documents fulfilled a filter, by its number."""
        return self._best[filter].matching

    def nearest(self, filter: int, query: int) -> Nearest:
        """The nearest documents of a query, among those that fulfil a filter."""
        return self._best[filter].nearest(query)


class _Best:
    def __init__(self, matches: Callable[..., bool], queries: int, depth: int) -> None:
        self._matches, self._depth = matches, depth
        self._cosines: Cosines = np.empty((queries, 0), dtype=np.float32)
        self._numbers: npt.NDArray[np.intp] = np.empty((queries, 0), dtype=np.intp)
        self._ids: list[str] = []
        self.matching = 0

    def add(self, page: Sequence[StoredDocument], cosines: Cosines) -> None:
        chosen = [number for number, document in enumerate(page) if self._matches(document.record)]
        if not chosen:
            return
        self.matching += len(chosen)
        new = np.arange(len(self._ids), len(self._ids) + len(chosen))
        self._ids += [page[number].record.id for number in chosen]
        numbers = np.hstack([self._numbers, np.broadcast_to(new, (len(cosines), len(chosen)))])
        cosines = np.hstack([self._cosines, cosines[:, chosen]])
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
