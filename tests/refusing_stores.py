"""Stores in memory that refuse documents, for tests of what becomes of those."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from esclip import Rejection, StoredDocument
from esclip.stores.memory import MemoryStore
from esclip.stores.validation import write_rejection


class RefusingStore(MemoryStore):
    """Refuses the documents that `refuses` is true of; by default all."""

    def __init__(self, index: str, refuses: Callable[[StoredDocument], bool] = lambda document: True) -> None:
        super().__init__(index)
        self._refuses = refuses
        self.is_refusing = True

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        refused = [document for document in documents if self.is_refusing and self._refuses(document)]
        taken = [document for document in documents if document not in refused]
        return [*(write_rejection(document.record, "no") for document in refused), *super().upsert(taken)]


class StoreBeside(MemoryStore):
    """A store with another one beside it, which has the name of an index of texts, or of parts."""

    def __init__(self, index: str, beside: MemoryStore) -> None:
        super().__init__(index)
        self._beside = beside

    def open_other(self, index: str) -> MemoryStore:
        return self._beside if index == self._beside.index else super().open_other(index)
