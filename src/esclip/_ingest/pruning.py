"""Removes the documents whose record has left the source.

Source.records() ─► SeenRecords
                      └─► Store.scan_locations() ─► covered by the source, and not seen: stale
                                                 ├─► counted by path: confirmed where hardly any would stay
                                                 └─► Store.delete
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from esclip._concurrency.streams import batches, owned
from esclip._core.rejections import Rejection
from esclip._core.settings import PAGE_SIZE
from esclip._errors.counts import pluralize
from esclip._errors.reasons import Reason
from esclip._files.paths import is_below
from esclip._ingest.id_set import IdSet
from esclip._ingest.run_ledger import RunLedger
from esclip._protocols import Source, Store

log = logging.getLogger("esclip")

CONFIRM_FROM = 100
"""From this number of documents on, confirmation is needed also where a minority stays: a folder may hold
several disks, and one of them may not be mounted."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """How a run removes stale documents at its end."""

    roots: tuple[str, ...] = ()
    """The source's paths, as locations name them."""
    confirm: Callable[[str, int], bool] | None = None
    """Called before documents of a path are removed if hardly any would stay; None: they stay."""
    texts: bool = False
    """Whether texts are removed as well: where the source gives those of its paths."""


class SeenRecords:
    """The records that a run has read from its source."""

    def __init__(self) -> None:
        self._ids = IdSet()
        self._unreadable_locations: list[str] = []
        self.unidentified = 0
        """Rows whose id could not be read."""

    def mark(self, id: str) -> bool:
        """Mark a record as seen; whether its id is new."""
        return self._ids.add(id)

    def mark_unreadable(self, rejection: Rejection) -> None:
        """Mark a rejection of the source itself: what it could not read may have a document."""
        match rejection.reason:
            case Reason.FILE_NOT_FOUND | Reason.BAD_ID:
                pass  # it is gone, or never had a document
            case Reason.BAD_ROW:
                self.unidentified += 1
            case _:
                self._ids.add(rejection.id)
                self._unreadable_locations.append(rejection.location)

    def may_contain(self, id: str, location: str) -> bool:
        """Whether the source has this record, or may have: folders that can't be listed count."""
        return id in self._ids or any(is_below(location, folder) for folder in self._unreadable_locations)


def delete_stale(
    source: Source, store: Store, seen: SeenRecords, pruning: Pruning, ledger: RunLedger | None = None
) -> tuple[int, int]:
    """Remove the documents of `source` whose records were not seen in a complete run, and their rejections.

    Those are in `ledger`. Returns the number of documents removed, and of those left in place without a
    confirmation.
    """
    if seen.unidentified:
        log.warning(
            "nothing was pruned: whose documents are gone isn't known, because of %s that can't be read",
            pluralize(seen.unidentified, "row"),
        )
        return 0, 0
    stale = _Stale(source, seen, pruning.roots)
    spared = stale.count(store.scan_locations(), pruning.confirm)
    if ledger:
        locations = ledger.earlier_locations()
        ledger.discard([number for number, id, location in locations if stale.has(id, location)])
    if not stale.documents:
        return 0, spared
    removed = 0
    with store.bulk_load(), owned(batches(store.scan_locations(), PAGE_SIZE)) as pages:
        for page in pages:
            ids = [id for id, location in page if stale.has(id, location)]
            store.delete(ids)
            removed += len(ids)
    return removed, spared


class _Stale:
    """The stale documents of a source, except those of paths whose removal was not confirmed."""

    def __init__(self, source: Source, seen: SeenRecords, roots: tuple[str, ...]) -> None:
        self._source = source
        self._seen = seen
        self._roots = roots
        self._spared_roots: set[str] = set()
        self.documents = 0
        """The number to remove, of those counted."""

    def count(self, locations: Iterable[tuple[str, str]], confirm: Callable[[str, int], bool] | None) -> int:
        """Count the stale ones by path, and ask for confirmation. Returns how many are spared."""
        stale: Counter[str] = Counter()
        current: Counter[str] = Counter()
        for id, location in locations:
            if self._source.covers(location):
                counts = current if self._seen.may_contain(id, location) else stale
                counts[self._root(location)] += 1
        for root, number in stale.items():
            empties = not current[root] or (number >= CONFIRM_FROM and number > current[root])
            if empties and not (confirm and confirm(root or ", ".join(self._roots), number)):
                self._spared_roots.add(root)
        self.documents = sum(number for root, number in stale.items() if root not in self._spared_roots)
        return stale.total() - self.documents

    def has(self, id: str, location: str) -> bool:
        """Whether a document at this location is stale, and to be removed."""
        return (
            self._source.covers(location)
            and not self._seen.may_contain(id, location)
            and self._root(location) not in self._spared_roots
        )

    def _root(self, location: str) -> str:
        """The innermost root that a location is below; empty for URLs, which are below none."""
        path = location
        while path and path not in self._roots:
            path = path.rpartition(os.sep)[0]
        return path
