"""Which documents are drawn, by a hash of their ids: independent of when and where they were written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from heapq import nsmallest

from esclip._concurrency.streams import batches
from esclip._core.types import StoredDocument
from esclip._protocols import Store

DRAWN, SAMPLED = b"drawn", b"sampled"
"""What ids are hashed for: what queries and filters are made of is no likelier to be in the sample."""

READ_AT_ONCE = 1024
"""Documents of one read, which come with their vectors."""


def hash_of(id: str, seed: int, purpose: bytes) -> float:
    """A number in [0, 1) that says nothing else of the id, and nothing of its number for another purpose."""
    key = seed.to_bytes(8, "little")
    digest = blake2b(id.encode("utf-8", "surrogatepass"), digest_size=8, key=key, person=purpose).digest()
    return int.from_bytes(digest, "little") / 2**64


def draw_ids(store: Store, count: int, seed: int, on_read: Callable[[int], None]) -> tuple[list[str], int]:
    """The ids with the lowest hashes, and the number of all documents."""
    read = 0

    def hashes() -> Iterator[tuple[float, str]]:
        nonlocal read
        for read, (id, _) in enumerate(store.scan_locations(), 1):
            if read % READ_AT_ONCE == 0:
                on_read(read)
            yield hash_of(id, seed, DRAWN), id

    drawn = [id for _, id in nsmallest(count, hashes())]
    return drawn, read


def read_sample(store: Store, share: float, seed: int) -> Iterator[list[StoredDocument]]:
    """The documents whose hash is below the share, batch by batch."""
    ids = (id for id, _ in store.scan_locations() if share == 1 or hash_of(id, seed, SAMPLED) < share)
    for batch in batches(ids, READ_AT_ONCE):
        yield list(store.documents(batch).values())
