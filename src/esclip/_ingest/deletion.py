"""Deletes documents from an index by id, path or filter, with their parts and rejections.

ids, paths, where ─► Selection ─► counted ─► confirmed ─► rejections, parts, documents deleted page by page

A delete that was killed can be repeated: rejections and parts go before their documents.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from esclip._concurrency.streams import batches, owned
from esclip._core.filters import Condition
from esclip._core.searches import Scan
from esclip._core.settings import PAGE_SIZE
from esclip._core.text_forms import compose
from esclip._errors import ConfigError, DocumentNotFound, one_line
from esclip._errors.counts import pluralize
from esclip._files.paths import is_below
from esclip._ingest.ledger import Ledger
from esclip._protocols import Store

log = logging.getLogger("esclip")

MAX_NAMES_SHOWN = 3
"""Missing ids and paths that are named in a message."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a delete would remove."""

    documents: int
    rejections: int
    """In the ledger: of these documents, and of records without one."""
    missing: tuple[str, ...] = ()
    """Ids and paths without a document or rejection."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Documents with one of the ids or below one of the paths, which fulfil the conditions."""

    ids: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    """As `_files.paths.location_of` gives them."""
    where: tuple[Condition, ...] = ()

    def matching_names(self, id: str, location: str) -> Iterator[str]:
        """The given id and paths that match a document, regardless of the conditions."""
        if id in self.ids:
            yield id
        if self.paths:
            normalized = compose(location)
            yield from (path for path in self.paths if is_below(normalized, compose(path)))

    def documents(self, store: Store) -> Iterator[list[tuple[str, str]]]:
        """Id and location of the selected documents, page by page; no location where the id is given."""
        if self.where:
            yield from self._scan(store)
            return
        for ids in batches(sorted(filter(_is_text, self.ids)), PAGE_SIZE):
            yield [(id, "") for id in store.fingerprints(ids)]
        if self.paths:
            with owned(batches(store.scan_locations(), PAGE_SIZE)) as pages:
                for page in pages:
                    yield [
                        (id, location)
                        for id, location in page
                        if id not in self.ids and any(self.matching_names(id, location))
                    ]

    def _scan(self, store: Store) -> Iterator[list[tuple[str, str]]]:
        last_id, all_match = "", not (self.ids or self.paths)
        while hits := store.search(Scan(PAGE_SIZE, self.where, last_id))[0]:
            last_id = hits[-1].id
            yield [
                (hit.id, hit.location)
                for hit in hits
                if all_match or any(self.matching_names(hit.id, hit.location))
            ]


def _is_text(id: str) -> bool:
    """Whether a document can have the id: it has no lone surrogates."""
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
    """Remove the selected documents from `store`, if any, and their rejections from `ledger`.

    `confirm` returns whether to remove a `Deletion`. Returns the number of documents removed. Raises
    `DocumentNotFound` when none of the given ids and paths is in the index or the ledger, and `ConfigError`
    for an empty id.
    """
    if not all(id.strip() for id in selection.ids):
        raise ConfigError("an id is empty; give one as searches print it")
    deletion, rejections = _plan(store, ledger, selection)
    _report_missing(selection, deletion)
    if not deletion.documents and not deletion.rejections:
        return 0
    if confirm and not confirm(deletion):
        return 0
    ledger.discard(rejections)
    return _remove(store, ledger, selection) if store and deletion.documents else 0


def _plan(store: Store | None, ledger: Ledger, selection: Selection) -> tuple[Deletion, list[int]]:
    """What would be removed, with the numbers of its rejections, unless there is a filter."""
    documents, of_documents = 0, 0
    names: set[str] = set()
    for page in selection.documents(store) if store else ():
        documents += len(page)
        of_documents += ledger.count_ids([id for id, _ in page]) if selection.where and page else 0
        names.update(name for id, location in page for name in selection.matching_names(id, location))
    numbers: list[int] = []
    for number, id, location in ledger.locations() if not selection.where else ():
        if matching := list(selection.matching_names(id, location)):
            numbers.append(number)
            names.update(matching)
    missing = [name for name in (*sorted(selection.ids), *selection.paths) if name not in names]
    return Deletion(documents, len(numbers) or of_documents, tuple(missing)), numbers


def _report_missing(selection: Selection, deletion: Deletion) -> None:
    if selection.where and not deletion.documents:
        log.warning("no document %sfulfils the filter", "of these " if deletion.missing else "")
    if not deletion.missing or selection.where:
        return
    names = ", ".join(one_line(name, 200) for name in deletion.missing[:MAX_NAMES_SHOWN])
    more = (
        f" and {pluralize(len(deletion.missing) - MAX_NAMES_SHOWN, 'other')}"
        if len(deletion.missing) > MAX_NAMES_SHOWN
        else ""
    )
    if not deletion.documents and not deletion.rejections:
        raise DocumentNotFound(
            f"the index holds nothing of {names}{more}; an id is as searches print it, a path has a / in it",
            id=deletion.missing[0],
        )
    log.warning("nothing is held of %s%s", names, more)


def _remove(store: Store, ledger: Ledger, selection: Selection) -> int:
    removed = 0
    with store.bulk_load(), owned(selection.documents(store)) as pages:
        for page in pages:
            ids = [id for id, _ in page]
            if ledger.exists():
                ledger.resolve(ids)  # first: a repeated delete finds the documents, not the rejections
            store.delete(ids)
            removed += len(ids)
    return removed
