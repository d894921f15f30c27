"""Reads many documents of a store in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from esclip._concurrency.streams import batches
from esclip._core.types import StoredDocument
from esclip._protocols import Store

READ_BATCH = 256
"""Documents per read."""


def iter_documents(store: Store, ids: Sequence[str]) -> Iterator[StoredDocument]:
    """The documents with these ids; missing ids are left out."""
    for batch in batches(ids, READ_BATCH):
        yield from store.documents(batch).values()
