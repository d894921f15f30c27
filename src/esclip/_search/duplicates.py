"""Near-duplicates in a whole index, in groups.

documents by id, page by page ─► nearest neighbours of each ─► pairs ─► disjoint sets ─► documents of each

In memory are one page, and the ids that have a duplicate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from esclip._concurrency.streams import batches
from esclip._core.filters import Condition
from esclip._core.searches import KnnSearch, Scan
from esclip._core.types import ImageRecord, StoredDocument, Vector, cosines, document_hit, rank_hits
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape
from esclip._protocols import Store
from esclip._search.collapse import COSINE_TOLERANCE
from esclip._search.hits import Hits
from esclip.stores.paged_reads import iter_documents

PAGE = 1024
"""Documents of one scan."""

BATCH = 256
"""Neighbour searches of one request, and groups that are read together."""

DEPTHS = (2, 8, 32)
"""Neighbours retrieved: more where all of them are near-duplicates. Pairs join larger groups."""


@dataclass(frozen=True, slots=True, repr=False)
class DuplicateGroup:
    """Pictures that are nearly the same."""

    hits: Hits
    """The largest picture first, then the others by their cosine with it, which is their score."""
    exact: bool
    """Whether all have the same bytes. Else they are similar: cropped, scaled, or of the same subject."""

    @property
    def lowest(self) -> float:
        """The lowest cosine with the first; below the threshold for duplicates of other hits only."""
        return min(hit.score for hit in self.hits[1:])

    @property
    def highest(self) -> float:
        """The highest cosine with the first."""
        return max(hit.score for hit in self.hits[1:])

    def __repr__(self) -> str:
        shown = ", ".join(escape(hit.id) for hit in self.hits[:3])
        return f"<{describe_group(self)}: {shown}{', ...' if len(self.hits) > 3 else ''}>"

    def _repr_html_(self) -> str:
        return DuplicateGroups([self])._repr_html_()

    def to_json(self) -> dict[str, Any]:
        """The group as the command line prints it with `--json`."""
        return {
            "exact": self.exact,
            "lowest": self.lowest,
            "highest": self.highest,
            "hits": [hit.to_json() for hit in self.hits],
        }


def describe_group(group: DuplicateGroup) -> str:
    """How many pictures there are, and how near they are to each other."""
    kind = "exact" if group.exact else "near"
    pictures = pluralize(len(group.hits), "picture")
    return f"{pictures}, {kind}, cosines {group.lowest:.4f} to {group.highest:.4f}"


class DuplicateGroups(list[DuplicateGroup]):
    """Groups, the largest first. A list that a notebook shows as galleries."""

    def _repr_html_(self) -> str:
        from esclip._search.gallery import render_results

        return render_results([(describe_group(group), group.hits) for group in self], "group")


def find_duplicates(
    store: Store,
    where: tuple[Condition, ...],
    threshold: float,
    on_progress: Callable[[int], None],
) -> DuplicateGroups:
    """The groups of pictures of which each has a cosine of `threshold` with another, largest group first.

    Only pictures that fulfil `where` are compared. `on_progress` is called with the number of pictures done.
    """
    sets = _DisjointSets()
    compared = 0
    for vectors in _scan_vectors(store, where):
        for first, second in _find_pairs(store, vectors, where, threshold - COSINE_TOLERANCE):
            sets.join(first, second)
        compared += len(vectors)
        on_progress(compared)
    groups = sorted(sets.groups(), key=lambda ids: (-len(ids), ids))
    return DuplicateGroups(_read_groups(store, groups))


def _scan_vectors(store: Store, where: tuple[Condition, ...]) -> Iterator[dict[str, Vector]]:
    """Ids and vectors of all documents, batch by batch."""
    last_id = ""
    while hits := store.search(Scan(PAGE, where, last_id))[0]:
        for batch in batches(hits, BATCH):
            documents = iter_documents(store, [hit.id for hit in batch])
            yield {document.record.id: document.vector for document in documents}
        last_id = hits[-1].id


def _find_pairs(
    store: Store, vectors: Mapping[str, Vector], where: tuple[Condition, ...], min_cosine: float
) -> Iterator[tuple[str, str]]:
    """Each of these pictures with its near-duplicates; searches deeper where all neighbours are some."""
    first_ids: dict[bytes, str] = {}  # equal vectors have the same neighbours: one of them is searched for
    for id, vector in vectors.items():
        if (first := first_ids.setdefault(vector.tobytes(), id)) != id:
            yield first, id
    vectors = {id: vectors[id] for id in first_ids.values()}
    for k in DEPTHS:
        searches = [KnnSearch(vector, k, where) for vector in vectors.values()]
        neighbours = dict(zip(vectors, store.search(*searches) if searches else [], strict=True))
        for id, hits in neighbours.items():
            yield from ((id, hit.id) for hit in hits if hit.score >= min_cosine and hit.id != id)
        full = (id for id, hits in neighbours.items() if len(hits) == k and hits[-1].score >= min_cosine)
        vectors = {id: vectors[id] for id in full}


class _DisjointSets:
    """Union-find: ids in disjoint sets, joined by pairs. The root of a set is its lowest id."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def join(self, first: str, second: str) -> None:
        """Unite the sets of both ids."""
        lower, higher = sorted((self._root(first), self._root(second)))
        self._parents[higher] = self._parents[lower] = lower

    def groups(self) -> Iterable[list[str]]:
        """The ids of each set, sorted."""
        groups: dict[str, list[str]] = {}
        for id in sorted(self._parents):
            groups.setdefault(self._root(id), []).append(id)
        return groups.values()

    def _root(self, id: str) -> str:
        while (parent := self._parents.get(id, id)) != id:
            self._parents[id] = self._parents[parent]  # path halving
            id = parent
        return id


def _read_groups(store: Store, groups: Sequence[Sequence[str]]) -> Iterator[DuplicateGroup]:
    """The groups with their documents, without those of which deletions left a single picture."""
    for batch in batches(groups, BATCH):
        documents = {d.record.id: d for d in iter_documents(store, [id for ids in batch for id in ids])}
        for ids in batch:
            members = [documents[id] for id in ids if id in documents]
            if len(members) > 1:
                yield _to_group(members)


def _to_group(documents: Sequence[StoredDocument]) -> DuplicateGroup:
    first, *others = sorted(documents, key=lambda document: _size_key(document.record))
    scores = cosines(np.stack([document.vector for document in others]), first.vector).tolist()
    rest = rank_hits(document_hit(document, score) for document, score in zip(others, scores, strict=True))
    hits = [replace(document_hit(first, 1.0), rank=1), *(replace(hit, rank=hit.rank + 1) for hit in rest)]
    contents = {document.content for document in documents}
    return DuplicateGroup(Hits(hits), exact=len(contents) == 1 and "" not in contents)


def _size_key(record: ImageRecord) -> tuple[float, float, str]:
    """Sorts the largest first: by pixels, where known, then by bytes."""
    width, height, size = (record.metadata.get(name) for name in ("width", "height", "file_size"))
    pixels = width * height if isinstance(width, int) and isinstance(height, int) else 0
    return -pixels, -size if isinstance(size, int) else 0, record.id
