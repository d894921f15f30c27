"""What is evaluated: an index, here or behind a search service, as far as an evaluation uses it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from esclip._concurrency.streams import batches
from esclip._core.types import StoredDocument
from esclip._search.documents import Documents

if TYPE_CHECKING:
    from esclip._search.hits import Hits
    from esclip._search.query import Query

READ_AT_ONCE = 256
"""Documents, which come with their vectors."""


class Searchable(Protocol):
    """An `ImageIndex`, or a `Client`."""

    def search_many(self, queries: Iterable[Query], /) -> list[Hits]:
        """Search by several queries at once."""

    def get(self, ids: Iterable[str], /) -> Documents:
        """Read documents."""

    def ids(self) -> Iterator[str]:
        """Iterate over the ids of all documents."""


def read_documents(index: Searchable, ids: Iterable[str]) -> Iterator[StoredDocument]:
    """The documents of these ids, without those that the index lacks."""
    for batch in batches(ids, READ_AT_ONCE):
        yield from index.get(batch)
