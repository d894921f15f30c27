"""Documents taken out of an index, in memory and in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import esclip
from esclip._core.settings import PAGE_SIZE
from esclip._core.types import StoredDocument
from esclip._ingest.pruning import Pruning, SeenRecords, delete_stale
from esclip.sources.folder import FolderSource
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import SCHEMA, axis, record
from tests.contracts.deletions import DeletionContract
from tests.contracts.stores import OfLance, OfMemory


class TestDeletionsInMemory(OfMemory, DeletionContract):
    pass


class TestDeletionsInLance(OfLance, DeletionContract):
    pass


class Interrupted(MemoryStore):
    """A store in which Ctrl-C comes at a certain delete."""

    deletes = 0
    breaks_at = 2

    def delete(self, ids: Sequence[str]) -> None:
        self.deletes += 1
        if self.deletes == self.breaks_at:
            raise KeyboardInterrupt
        super().delete(ids)


def planted(store: MemoryStore, folders: dict[str, int]) -> MemoryStore:
    """The store with so many documents of each folder."""
    store.ensure_index(SCHEMA)
    for folder, number in folders.items():
        records = (
            record(f"{folder}{n}", {"country": folder}, location=f"{folder}/{n}.png") for n in range(number)
        )
        store.upsert([StoredDocument(one, axis(0)) for one in records])
    return store


@pytest.mark.parametrize("chosen", [{"paths": "/old"}, {"where": "country=/old"}])
def test_what_an_interrupt_leaves_the_same_delete_finishes(chosen: dict[str, str]) -> None:
    """Page by page, and the counts add up."""
    store = Interrupted("i")
    index = esclip.open_index(planted(store, {"/old": PAGE_SIZE + 10, "/new": 10}))
    with pytest.raises(KeyboardInterrupt):
        index.delete(**chosen)  # type: ignore[arg-type]
    left = index.stats().documents
    assert 20 <= left < PAGE_SIZE + 20
    assert index.delete(**chosen) == left - 10  # type: ignore[arg-type]
    assert {id.rstrip("0123456789") for id, _ in store.scan_locations()} == {"/new"}


def test_a_prune_of_most_of_a_path_is_asked(tmp_path: Path) -> None:
    """One of several disks in a folder may not be mounted; of a few documents that is not asked."""
    root, held = str(tmp_path), {f"{tmp_path}/disk": 150, f"{tmp_path}/other": 100}
    for folders, asked in ((held, [(root, 150)]), ({f"{root}/disk": 50, f"{root}/other": 40}, [])):
        store = planted(MemoryStore("i"), folders)
        seen, questions = SeenRecords(), list[tuple[str, int]]()
        for id, _ in store.scan_locations():
            if "other" in id:
                seen.mark(id)

        def no(path: str, documents: int) -> bool:
            questions.append((path, documents))  # noqa: B023
            return False

        pruned = delete_stale(FolderSource(tmp_path, gone=True), store, seen, Pruning((root,), no))
        assert questions == asked
        assert pruned == ((0, 150) if asked else (50, 0))
