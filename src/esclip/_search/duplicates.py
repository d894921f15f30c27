"""Near-duplicates in a whole index, in groups.

ids and vectors, page by page ─► groups of vectors ─► documents of each

No search of the store is needed: its vectors are read once, and compared here (`_search/vector_groups.py`).
In memory are a page and the ids, besides the groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from esclip._concurrency.streams import batches
from esclip._core.filters import Condition
from esclip._core.types import ImageRecord, StoredDocument, cosines, document_hit, rank_hits
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape
from esclip._protocols import Store
from esclip._search.collapse import COSINE_TOLERANCE
from esclip._search.hits import Hits
from esclip._search.vector_file import Rows
from esclip._search.vector_groups import VectorGroups
from esclip.stores.paged_reads import iter_documents

BATCH = 256
"""Groups that are read together."""


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

    Only pictures that fulfil `where` are compared. `on_progress` is called with the number of pictures done,
    half of which are those that were read, half those that were compared.
    """
    with VectorGroups() as vectors:
        ids = _IdPages()
        for page_ids, rows in store.scan_vectors(where):
            vectors.add(rows)
            ids.add(page_ids)
            on_progress(len(ids) // 2)
        groups = vectors.find(
            threshold - COSINE_TOLERANCE, lambda compared: on_progress((len(ids) + compared) // 2)
        )
    named = (sorted(ids.take(rows)) for rows in groups)
    return DuplicateGroups(_read_groups(store, sorted(named, key=lambda group: (-len(group), group))))


class _IdPages:
    """Ids by the order in which they were added, in little more memory than their characters."""

    def __init__(self) -> None:
        self._pages: list[Any] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, ids: Sequence[str]) -> None:
        """Append some ids."""
        import pyarrow as pa  # which clients of a service do without

        self._pages.append(pa.array(ids, pa.large_string()))
        self._count += len(ids)

    def take(self, rows: Rows) -> list[str]:
        """The ids of these rows."""
        import pyarrow as pa

        if len(self._pages) > 1:
            self._pages = [pa.concat_arrays(self._pages)]
        ids: list[str] = self._pages[0].take(pa.array(rows)).to_pylist()
        return ids


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
