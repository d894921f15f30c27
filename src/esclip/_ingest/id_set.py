"""A set of ids at 8 bytes each."""

from __future__ import annotations

import hashlib

import numpy as np


class IdSet:
    """Ids as 64-bit hashes, most of them in a sorted array.

    Two of 100 million ids share a hash with a probability of 3 in 10,000 (n²/2⁶⁵).
    """

    def __init__(self) -> None:
        self._sorted = np.empty(0, dtype=np.uint64)
        self._recent: set[int] = set()

    def __contains__(self, id: str) -> bool:
        return self._has(_hash(id))

    def add(self, id: str) -> bool:
        """Add an id; whether it is new."""
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
        position = int(np.searchsorted(self._sorted, np.uint64(key)))
        return key in self._recent or (position < len(self._sorted) and int(self._sorted[position]) == key)


def _hash(id: str) -> int:
    return int.from_bytes(hashlib.blake2b(id.encode(errors="surrogatepass"), digest_size=8).digest(), "big")
