"""Many documents of a store, read a page at a time, so that memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from esclip._concurrency.streams import batches
from esclip._core.types import Document
from esclip._protocols import Store

__all__ = ["documents_of"]

READ = 256
"""Documents that are read at a time."""


def documents_of(store: Store, ids: Sequence[str]) -> Iterator[Document]:
    """Those of `ids` that the store still holds, read some at a time."""
    for some in batches(ids, READ):
        yield from store.documents(some).values()
