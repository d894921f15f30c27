"""Pictures of a whole index that show nearly the same, in groups.

all documents by id, page by page ─► the neighbours of each ─► pairs ─► groups ─► their documents

Held in memory are a page, and the ids that have a duplicate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from esclip._concurrency.streams import batches
from esclip._core.filters import Condition
from esclip._core.searches import KnnSearch, Scan
from esclip._core.types import Document, ImageRecord, Vector, cosines, document_hit, ranked
from esclip._protocols import Store
from esclip._search.collapse import SLACK
from esclip._search.hits import Hits
from esclip.stores.paged_reads import documents_of

__all__ = ["DuplicateGroup", "duplicate_groups"]

PAGE = 1024
"""Documents that are listed at a time."""

AT_ONCE = 256
"""Searches for neighbours, and groups that are read, at a time."""

DEPTHS = (2, 8, 32)
"""How many neighbours are asked for: most pictures have no duplicate, and two tell. Larger groups chain."""


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Pictures that show nearly the same."""

    hits: Hits
    """The largest first; then the others by their cosine with it, which is their score."""
    exact: bool
    """Whether all are the same bytes. Else they are alike: one cut or scaled, or of the same thing."""

    @property
    def lowest(self) -> float:
        """The lowest cosine with the first; below the threshold for what is alike to others of the group."""
        return min(hit.score for hit in self.hits[1:])

    @property
    def highest(self) -> float:
        """The highest cosine of another one with the first."""
        return max(hit.score for hit in self.hits[1:])

    def to_json(self) -> dict[str, Any]:
        """The group as the command line prints it with `--json`."""
        return {
            "exact": self.exact,
            "lowest": self.lowest,
            "highest": self.highest,
            "hits": [hit.to_json() for hit in self.hits],
        }


def duplicate_groups(
    store: Store,
    where: tuple[Condition, ...],
    threshold: float,
    on_progress: Callable[[int], None],
) -> list[DuplicateGroup]:
    """The groups of pictures of which each has a cosine of `threshold` with another, the largest group first.

    Only pictures that fulfil `where` take part. `on_progress` is told how many were looked at.
    """
    joined = _Joined()
    looked_at = 0
    for vectors in _vectors(store, where):
        for one, other in _pairs(store, vectors, where, threshold - SLACK):
            joined.join(one, other)
        looked_at += len(vectors)
        on_progress(looked_at)
    groups = sorted(joined.groups(), key=lambda ids: (-len(ids), ids))
    return list(_read(store, groups))


def _vectors(store: Store, where: tuple[Condition, ...]) -> Iterator[dict[str, Vector]]:
    """Ids and vectors of all documents, some at a time."""
    after = ""
    while hits := store.search(Scan(PAGE, where, after))[0]:
        for some in batches(hits, AT_ONCE):
            documents = documents_of(store, [hit.id for hit in some])
            yield {document.record.id: document.vector for document in documents}
        after = hits[-1].id


def _pairs(
    store: Store, vectors: Mapping[str, Vector], where: tuple[Condition, ...], least: float
) -> Iterator[tuple[str, str]]:
    """Each of these pictures with those that are alike, more being asked for where all found are."""
    first_of: dict[bytes, str] = {}  # equal vectors have the same neighbours: one is searched for
    for id, vector in vectors.items():
        if (first := first_of.setdefault(vector.tobytes(), id)) != id:
            yield first, id
    vectors = {id: vectors[id] for id in first_of.values()}
    for k in DEPTHS:
        searches = [KnnSearch(vector, k, where) for vector in vectors.values()]
        found = dict(zip(vectors, store.search(*searches) if searches else [], strict=True))
        for id, hits in found.items():
            yield from ((id, hit.id) for hit in hits if hit.score >= least and hit.id != id)
        full = (id for id, hits in found.items() if len(hits) == k and hits[-1].score >= least)
        vectors = {id: vectors[id] for id in full}


class _Joined:
    """Ids in disjoint groups, which pairs join. An id points towards the least one of its group."""

    def __init__(self) -> None:
        self._towards: dict[str, str] = {}

    def join(self, one: str, other: str) -> None:
        """Make the groups of both one group."""
        least, more = sorted((self._end(one), self._end(other)))
        self._towards[more] = self._towards[least] = least

    def groups(self) -> Iterable[list[str]]:
        """The ids of each group, sorted."""
        groups: dict[str, list[str]] = {}
        for id in sorted(self._towards):
            groups.setdefault(self._end(id), []).append(id)
        return groups.values()

    def _end(self, id: str) -> str:
        while (towards := self._towards.get(id, id)) != id:
            self._towards[id] = self._towards[towards]  # the way is halved for those who come after
            id = towards
        return id


def _read(store: Store, groups: Sequence[Sequence[str]]) -> Iterator[DuplicateGroup]:
    """The groups with their documents; one of which but one picture was left by now is none."""
    for some in batches(groups, AT_ONCE):
        held = {d.record.id: d for d in documents_of(store, [id for ids in some for id in ids])}
        for ids in some:
            documents = [held[id] for id in ids if id in held]
            if len(documents) > 1:
                yield _group(documents)


def _group(documents: Sequence[Document]) -> DuplicateGroup:
    first, *others = sorted(documents, key=lambda document: _rank(document.record))
    scores = cosines(np.stack([one.vector for one in others]), first.vector).tolist()
    rest = ranked(document_hit(one, score) for one, score in zip(others, scores, strict=True))
    hits = [replace(document_hit(first, 1.0), rank=1), *(replace(hit, rank=hit.rank + 1) for hit in rest)]
    contents = {document.content for document in documents}
    return DuplicateGroup(Hits(hits), exact=len(contents) == 1 and "" not in contents)


def _rank(record: ImageRecord) -> tuple[float, float, str]:
    """The largest first: by pixels, where they are known, then by bytes."""
    width, height, size = (record.metadata.get(name) for name in ("width", "height", "file_size"))
    pixels = width * height if isinstance(width, int) and isinstance(height, int) else 0
    return -pixels, -size if isinstance(size, int) else 0, record.id
