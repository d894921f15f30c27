"""Which records a source has given, so that documents whose record has left it can be told, and removed.

Source.records() ─► SeenRecords
                      └─► Store.scan_locations() ─► what the source covers, and did not give
                                                 ├─► counted by path: where hardly any stay, it is asked first
                                                 └─► Store.delete
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from esclip._concurrency.streams import batches, owned
from esclip._core.rejections import Reason, Rejection
from esclip._core.settings import PAGE_SIZE
from esclip._files.paths import is_below
from esclip._ingest.ledger import Ledger
from esclip._protocols import Source, Store

__all__ = ["IdSet", "Pruning", "SeenRecords", "delete_stale"]

log = logging.getLogger("esclip")

MANY = 100
"""From so many documents on it is asked also where a minority stays: a folder may hold several disks, and one
of them not be mounted."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """How a run removes, at its end, what has left its source."""

    roots: tuple[str, ...] = ()
    """Where its paths are, as locations name them."""
    confirm: Callable[[str, int], bool] | None = None
    """Asked before documents of a path are removed if hardly any stay there; None: it is not agreed to."""
    ledger: Ledger | None = None
    """Forgets the rejections of what has left."""
    until: int = 0
    """`Ledger.newest` before the run: later ones are of this run."""


class SeenRecords:
    """What a run has had from its source."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._ids = IdSet()
        self._unread: list[str] = []
        self._unknown = 0

    def add(self, id: str) -> bool:
        """Note a record; whether its id is new."""
        return self._ids.add(id)

    def note(self, rejection: Rejection) -> None:
        """Note what the source itself could not read: a document of it may be there with good reason."""
        match rejection.reason:
            case Reason.FILE_NOT_FOUND | Reason.BAD_ID:
                pass  # what is gone, or never had a document
            case Reason.BAD_ROW:
                self._unknown += 1
            case _:
                self._ids.add(rejection.id)
                self._unread.append(rejection.location)

    @property
    def unknown(self) -> int:
        """Rows of which not even the id could be read."""
        return self._unknown

    def has(self, id: str, location: str) -> bool:
        """Whether the source has given this record, or may have: folders that can't be listed count."""
        return id in self._ids or any(is_below(location, folder) for folder in self._unread)


def delete_stale(source: Source, store: Store, census: SeenRecords, pruning: Pruning) -> tuple[int, int]:
    """Remove the documents of `source` whose records are not in a complete `census`, and their rejections.

    Returns how many documents were removed, and how many were not because that was not agreed to.
    """
    if census.unknown:
        log.warning(
            "nothing was pruned: %d rows can't be read, so that it isn't known which documents are theirs",
            census.unknown,
        )
        return 0, 0
    left = _Left(source, census, pruning.roots)
    spared = left.count(store.scan_locations(), pruning.confirm)
    if pruning.ledger:
        places = pruning.ledger.places(pruning.until)
        pruning.ledger.discard([number for number, id, location in places if left.has(id, location)])
    if not left.documents:
        return 0, spared
    removed = 0
    with store.bulk_load(), owned(batches(store.scan_locations(), PAGE_SIZE)) as pages:
        for page in pages:
            gone = [id for id, location in page if left.has(id, location)]
            store.delete(gone)
            removed += len(gone)
    return removed, spared


class _Left:
    """What has left a source, but for paths that it is not agreed to empty."""

    def __init__(self, source: Source, census: SeenRecords, roots: tuple[str, ...]) -> None:
        self._source = source
        self._census = census
        self._roots = roots
        self._spared: set[str] = set()
        self.documents = 0
        """How many of those counted are to be removed."""

    def count(self, held: Iterable[tuple[str, str]], confirm: Callable[[str, int], bool] | None) -> int:
        """Count what has left among all that is held, and ask. Returns how many are spared."""
        gone: Counter[str] = Counter()
        stays: Counter[str] = Counter()
        for id, location in held:
            if self._source.covers(location):
                counts = stays if self._census.has(id, location) else gone
                counts[self._root(location)] += 1
        for root, number in gone.items():
            empties = not stays[root] or (number >= MANY and number > stays[root])
            if empties and not (confirm and confirm(root or ", ".join(self._roots), number)):
                self._spared.add(root)
        self.documents = sum(number for root, number in gone.items() if root not in self._spared)
        return gone.total() - self.documents

    def has(self, id: str, location: str) -> bool:
        """Whether what is at this location has left, and is to go."""
        return (
            self._source.covers(location)
            and not self._census.has(id, location)
            and self._root(location) not in self._spared
        )

    def _root(self, location: str) -> str:
        """The innermost path that a location is below; empty for those of a dataset, which are elsewhere."""
        place = location
        while place and place not in self._roots:
            place = place.rpartition(os.sep)[0]
        return place


class IdSet:
    """Ids at 8 bytes each: 64-bit hashes, most of them in a sorted array.

    Two of 100 million ids share a hash with a probability of 3 in 10,000 (n²/2⁶⁵).
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._sorted = np.empty(0, dtype=np.uint64)
        self._recent: set[int] = set()

    def __contains__(self, id: str) -> bool:
        return self._has(_hash(id))

    def add(self, id: str) -> bool:
        """Remember `id`; whether it is new."""
        key = _hash(id)
        if self._has(key):
            return False
        self._recent.add(key)
        if len(self._recent) > 50_000 + len(self._sorted) // 16:
            recent = np.fromiter(self._recent, dtype=np.uint64, count=len(self._recent))
            self._sorted = np.union1d(self._sorted, recent)
            self._recent.clear()
        return True

    def _has(self, key: int) -> bool:
        at = int(np.searchsorted(self._sorted, np.uint64(key)))
        return key in self._recent or (at < len(self._sorted) and int(self._sorted[at]) == key)


def _hash(id: str) -> int:
    return int.from_bytes(hashlib.blake2b(id.encode(errors="surrogatepass"), digest_size=8).digest(), "big")
