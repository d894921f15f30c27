"""Which documents are drawn, by a hash of their ids: independent of when and where they were written.

ids, read once ─┬─► the lowest hashes: pictures that are queries, filters by ids
                └─► hashes below the share: the sample. A small one is read by its ids, else all are read
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from heapq import nsmallest

import numpy as np

from esclip._concurrency.streams import batches
from esclip._core.filters import Condition, HasId
from esclip._core.types import Vectors
from esclip._protocols import Store

DRAWN, SAMPLED = b"drawn", b"sampled"
"""What ids are hashed for: what queries and filters are made of is no likelier to be in the sample."""

TOLD = 1024
"""Ids between two calls of a callback."""

READ_BY_IDS = 0.02
"""Share of the documents below which a sample is read by its ids: those of all take less time than as many
pages of a few, in an embedded index and in engines alike."""

READ_AT_ONCE = 4096
"""Documents of one read by ids."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What was drawn of an index's documents, by a seed."""

    ids: Sequence[str]
    """Of some documents at random, the same whatever the share."""
    documents: int
    """The number of all."""
    share: float
    """The part of all that is in the sample, about."""
    sampled: Sequence[str] | None
    """The ids of a small sample; None where it is chosen from all while they are read."""
    seed: int

    def read(self, store: Store, where: tuple[Condition, ...]) -> Iterator[tuple[Sequence[str], Vectors]]:
        """The sample's ids and vectors, page by page, of documents that fulfil conditions."""
        if self.sampled is not None:
            for batch in batches(self.sampled, READ_AT_ONCE):
                yield from store.scan_vectors((HasId(tuple(batch)), *where))
            return
        for ids, vectors in store.scan_vectors(where):
            chosen = [n for n, id in enumerate(ids) if is_sampled(id, self.share, self.seed)]
            if len(chosen) == len(ids):
                yield ids, vectors
            elif chosen:
                yield [ids[n] for n in chosen], np.take(vectors, chosen, axis=0)


def draw(store: Store, count: int, share: float, seed: int, on_read: Callable[[int], None]) -> Draw:
    """Draw `count` ids and a share of all in one pass over the ids."""
    read, sampled = 0, []
    by_ids = share < READ_BY_IDS

    def hashes() -> Iterator[tuple[float, str]]:
        nonlocal read
        for read, (id, _) in enumerate(store.scan_locations(), 1):
            if read % TOLD == 0:
                on_read(read)
            if by_ids and is_sampled(id, share, seed):
                sampled.append(id)
            yield hash_of(id, seed, DRAWN), id

    drawn = [id for _, id in nsmallest(count, hashes())]
    return Draw(drawn, read, share, sampled if by_ids else None, seed)


def is_sampled(id: str, share: float, seed: int) -> bool:
    """Whether a document is in the sample that has this share of all."""
    return share >= 1 or hash_of(id, seed, SAMPLED) < share


def hash_of(id: str, seed: int, purpose: bytes) -> float:
    """A number in [0, 1) that says nothing else of the id, and nothing of its number for another purpose."""
    key = seed.to_bytes(8, "little")
    digest = blake2b(id.encode("utf-8", "surrogatepass"), digest_size=8, key=key, person=purpose).digest()
    return int.from_bytes(digest, "little") / 2**64
