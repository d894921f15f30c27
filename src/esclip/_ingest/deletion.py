"""Documents taken out of an index by id, by path or by a filter, with their parts and rejections.

ids, paths, where ─► Selection ─► counted ─► asked ─► rejections, parts and documents removed, page by page

What a kill leaves half done, the same delete finishes: each page is found again until it is gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from esclip._concurrency.streams import batches, owned
from esclip._core.filters import Condition
from esclip._core.searches import Scan
from esclip._core.settings import PAGE_SIZE
from esclip._errors import ConfigError, DocumentNotFound, one_line
from esclip._files.paths import is_below
from esclip._ingest.ledger import Ledger
from esclip._protocols import Store
from esclip._text.forms import compose

__all__ = ["Deletion", "Selection", "delete"]

log = logging.getLogger("esclip")

SHOWN = 3
"""Names of which nothing is held that are shown one by one."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a delete is about to remove."""

    documents: int
    rejections: int
    """In the ledger: of these documents, and of records that never became one."""
    missing: tuple[str, ...] = ()
    """Ids and paths of which nothing is held."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which documents: those with one of the ids or below one of the paths, which fulfil the conditions."""

    ids: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    """As `_files.paths.location_of` gives them."""
    where: tuple[Condition, ...] = ()

    def names(self, id: str, location: str) -> Iterator[str]:
        """The id and the paths by which this is chosen, conditions left aside."""
        if id in self.ids:
            yield id
        if self.paths:
            place = compose(location)
            yield from (path for path in self.paths if is_below(place, compose(path)))

    def documents(self, store: Store) -> Iterator[list[tuple[str, str]]]:
        """Id and location of those that are held, page by page; no location where the id is named."""
        if self.where:
            yield from self._listed(store)
            return
        for ids in batches(sorted(filter(_is_text, self.ids)), PAGE_SIZE):
            yield [(id, "") for id in store.fingerprints(ids)]
        if self.paths:
            with owned(batches(store.scan_locations(), PAGE_SIZE)) as pages:
                for page in pages:
                    yield [one for one in page if one[0] not in self.ids and any(self.names(*one))]

    def _listed(self, store: Store) -> Iterator[list[tuple[str, str]]]:
        after, everything = "", not (self.ids or self.paths)
        while hits := store.search(Scan(PAGE_SIZE, self.where, after))[0]:
            after = hits[-1].id
            yield [
                (hit.id, hit.location) for hit in hits if everything or any(self.names(hit.id, hit.location))
            ]


def _is_text(id: str) -> bool:
    """Whether a document can have the id: none has half of a surrogate pair in it."""
    try:
        id.encode()
    except UnicodeEncodeError:
        return False
    return True


def delete(
    store: Store | None,
    ledger: Ledger,
    selection: Selection,
    confirm: Callable[[Deletion], bool] | None,
) -> int:
    """Remove what is selected from `store`, where there is one, and from `ledger`.

    `confirm` is told what would be removed, and says whether to. Returns how many documents were removed.
    Raises `DocumentNotFound` when nothing is held of all the ids and paths that are named, and `ConfigError`
    for an id that is empty.
    """
    if not all(id.strip() for id in selection.ids):
        raise ConfigError("an id is empty; give one as searches print it")
    found, rejections = _found(store, ledger, selection)
    _tell_missing(selection, found)
    if not found.documents and not found.rejections:
        return 0
    if confirm and not confirm(found):
        return 0
    ledger.discard(rejections)
    return _removed(store, ledger, selection) if store and found.documents else 0


def _found(store: Store | None, ledger: Ledger, selection: Selection) -> tuple[Deletion, list[int]]:
    """What would be removed, with the numbers of its rejections, but of those of a filter's documents."""
    documents, of_documents = 0, 0
    names: set[str] = set()
    for page in selection.documents(store) if store else ():
        documents += len(page)
        of_documents += ledger.of_ids([id for id, _ in page]) if selection.where and page else 0
        names.update(name for one in page for name in selection.names(*one))
    numbers: list[int] = []
    for number, id, location in ledger.places() if not selection.where else ():
        if chosen := list(selection.names(id, location)):
            numbers.append(number)
            names.update(chosen)
    missing = [name for name in (*sorted(selection.ids), *selection.paths) if name not in names]
    return Deletion(documents, len(numbers) or of_documents, tuple(missing)), numbers


def _tell_missing(selection: Selection, found: Deletion) -> None:
    if selection.where and not found.documents:
        log.warning("no document %sfulfils the filter", "of these " if found.missing else "")
    if not found.missing or selection.where:
        return
    names = ", ".join(one_line(name, 200) for name in found.missing[:SHOWN])
    more = f" and {len(found.missing) - SHOWN} others" if len(found.missing) > SHOWN else ""
    if not found.documents and not found.rejections:
        raise DocumentNotFound(
            f"the index holds nothing of {names}{more}; an id is as searches print it, a path has a / in it"
        )
    log.warning("nothing is held of %s%s", names, more)


def _removed(store: Store, ledger: Ledger, selection: Selection) -> int:
    removed = 0
    with store.bulk_load(), owned(selection.documents(store)) as pages:
        for page in pages:
            ids = [id for id, _ in page]
            if ledger.exists():
                ledger.settle(ids)  # first: afterwards a filter finds them no more
            store.delete(ids)
            removed += len(ids)
    return removed
