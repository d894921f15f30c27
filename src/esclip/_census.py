"""Which records a source has given, so that documents whose record has left it can be told, and removed.

Source.records() ─► Census
                      └─► Store.locations() ─► what the source covers, and did not give ─► Store.delete
"""

from __future__ import annotations

import hashlib
import logging
import os

import numpy as np

from esclip._flow import batches, owned
from esclip._protocols import Source, Store
from esclip._rejections import Reason, Rejection
from esclip._settings import PAGE_SIZE

__all__ = ["Census", "SeenIds", "prune"]

log = logging.getLogger("esclip")


class Census:
    """What a run has had from its source."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._ids = SeenIds()
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
        return id in self._ids or any(_is_in(location, folder) for folder in self._unread)


def prune(source: Source, store: Store, census: Census) -> int:
    """Remove the documents of `source` whose records are not in a complete `census`. Returns how many."""
    if census.unknown:
        log.warning(
            "nothing was pruned: %d rows can't be read, so that it isn't known which documents are theirs",
            census.unknown,
        )
        return 0
    removed = 0
    with store.loading(), owned(batches(store.locations(), PAGE_SIZE)) as pages:
        for page in pages:
            gone = [id for id, location in page if source.covers(location) and not census.has(id, location)]
            store.delete(gone)
            removed += len(gone)
    return removed


def _is_in(location: str, folder: str) -> bool:
    return location == folder or location.startswith(folder.rstrip(os.sep) + os.sep)


class SeenIds:
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
