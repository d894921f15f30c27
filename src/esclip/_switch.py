"""Pointing the name that searches use to another index, made with another model, and back again.

switch_index("photos-2", "photos")
                     ┌─ an alias of photos-1 ─────────────────────────────────┐
photos is ───────────┼─ an index: gets the name photos-1, with its ledger ────┼─► alias of photos-2
                     └─ nothing ──────────────────────────────────────────────┘
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from esclip._concurrency.streams import batches
from esclip._core.arguments import AnyPath, coerce_text
from esclip._core.markup import render_table
from esclip._core.parts import holds_parts, parts_index
from esclip._core.schema import IndexSchema
from esclip._core.settings import DEFAULT_INDEX
from esclip._core.texts import holds_texts, is_companion, texts_index
from esclip._errors import ConfigError, Hint, IndexExists, StoreError
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape
from esclip._index import ImageIndex
from esclip._ingest.review_files import copy_reviews, move_index_files
from esclip._net.access import StoreAuth
from esclip._open_index import open_index
from esclip._protocols import Store
from esclip.stores import require_index_name
from esclip.stores.aliases import is_alias
from esclip.stores.suggestions import require_schema

MOST_NUMBERS = 1000
"""Indexes of one name that are told apart by numbers."""

IDS_AT_ONCE = 256
"""Rejected ids that are looked up at a time."""

_BESIDE = ((parts_index, holds_parts), (texts_index, holds_texts))
"""How the indexes that belong to another one are named, and known."""


@dataclass(frozen=True, slots=True, repr=False)
class SwitchReport:
    """What a switch did."""

    alias: str
    """The name that searches use."""
    index: str
    """The index that it points to."""
    previous: str | None
    """The one that it pointed to before, by its name from now on; None where it pointed nowhere."""
    renamed: bool
    """Whether the previous one had the name of the alias until now."""
    changed: bool
    """False: it pointed to the index already."""
    documents: int
    """Pictures and texts of the index."""
    store: str

    def __repr__(self) -> str:
        return f"<SwitchReport: {self.alias!r} in {escape(self.store)} points to {self.index!r}>"

    def _repr_html_(self) -> str:
        return render_table(self.to_json().items())

    def to_json(self) -> dict[str, Any]:
        """The report as the command line prints it with `--json`."""
        return {name: getattr(self, name) for name in SwitchReport.__dataclass_fields__}


def switch_index(
    to: str,
    index: str = DEFAULT_INDEX,
    store: AnyPath | Store | None = None,
    *,
    auth: StoreAuth | None = None,
    force: bool = False,
) -> SwitchReport:
    """Make a name an alias of an index: whoever opens the name from now on uses that index.

    The name points to one of the two at any moment. The index that it pointed to stays, so that a switch back
    undoes this one. An index that has the name itself gets another one, such as `photos-1` for `photos`, with
    its texts, its parts and its ledger. That of a cluster is cloned for it, which takes seconds and hardly
    any room, and can't be written meanwhile.

    An `ImageIndex` that is open stays with the index that it has; a search service follows within seconds.

    Args:
        to: The index.
        index: The name that becomes its alias, or is one.
        store: As in `open_index`; of a `Store`, its own name is the one that becomes an alias.
        auth: As in `open_index`.
        force: Switch also to an index with more documents, or fewer, than the rejections in the ledgers of
            the two explain. Default: that is refused.

    Returns:
        What the name points to and what it pointed to. Where it points to the index already, nothing is
        changed.

    Raises:
        IndexNotFound: There is no index `to`.
        IndexExists: `to` is itself an alias, or something that esclip did not make.
        ConfigError: The numbers of documents differ, or the store has no aliases.
        StoreError: The store can't be reached, or refuses the change.

    Example:
        with esclip.open_index("store", "flowers-2", encoder="palette") as index:
            index.ingest("photos")
        print(esclip.switch_index("flowers-2", index="flowers", store="store").previous)
    """
    require_index_name(coerce_text("to", to, "an index's name"))
    name = store.index if isinstance(store, Store) else coerce_text("the index", index, "a name")
    require_index_name(name)
    opened = store.open_other(name) if isinstance(store, Store) else store
    with open_index(opened, name, auth=auth) as current, current.store.open_other(name) as alias:
        if current.store.index != name:
            _finish_rename(alias, current.store.index, to)  # what a call that was killed has left
        with open_index(current.store.open_other(to)) as target:
            report = _compare(name, current, target, to, force=force)
        current.close()  # its ledger is about to be moved
        return _point(alias, report) if report.changed else report


def _compare(name: str, current: ImageIndex, target: ImageIndex, to: str, *, force: bool) -> SwitchReport:
    """What a switch will have done. Raises as `switch_index`."""
    if target.store.index != to:
        raise is_alias(target.store.address, to, target.store.index)
    _require_own_index(target.store, require_schema(target.store))
    schema, documents = current.store.schema(), len(target)
    previous = current.store.index if schema else None
    changed = previous != to
    if changed and schema:
        _require_own_index(current.store, schema)
        if not force:
            _require_same_number(current, target)
    renamed = changed and previous == name
    return SwitchReport(name, to, previous, renamed, changed, documents, target.store.address)


def _point(alias: Store, report: SwitchReport) -> SwitchReport:
    """Do what a report says."""
    if report.renamed:
        report = replace(report, previous=_rename(alias, report.index))
    if report.previous is not None:
        copy_reviews(alias.address, report.previous, report.index)
    alias.point_alias(report.index)
    return report


def _rename(store: Store, taken: str) -> str:
    """Give an index the first name with a number that is free, but for one."""
    name = store.index
    beside = [make for make, holds in _BESIDE if _holds(store, make(name), holds)]
    for number in range(1, MOST_NUMBERS):
        new = f"{name}-{number}"
        if new == taken:
            continue
        require_index_name(new)
        try:
            store.rename(new, {make(name): make(new) for make in beside})
        except IndexExists:
            if store.alias_target() is not None:  # another call was faster
                raise
            continue
        _finish_rename(store, new, taken)
        return new
    raise ConfigError(
        f"all names from {name}-1 to {name}-{MOST_NUMBERS} are taken; drop some of these indexes"
    )


def _finish_rename(store: Store, new: str, target: str) -> None:
    """Give a renamed index its files, and its new name to the indexes that were made of its documents."""
    name = store.index
    move_index_files(store.address, name, new)
    try:
        schemas: dict[str, IndexSchema | None] = {
            other: info.schema for other, info in store.list_indexes().items()
        }
    except StoreError:  # a user who may not list indexes
        with store.open_other(target) as other:
            schemas = {target: other.schema()}
    for copy, schema in schemas.items():
        if schema and schema.reencoded_from == name:
            with store.open_other(copy) as other:
                other.ensure_index(replace(schema, reencoded_from=new))


def _holds(store: Store, name: str, holds: Callable[[IndexSchema | None], bool]) -> bool:
    """Whether an index is what another one's name makes of its name: it may have pictures of its own."""
    with store.open_other(name) as beside, suppress(IndexExists):
        return holds(beside.schema())
    return False


def _require_own_index(store: Store, schema: IndexSchema) -> None:
    """Raise `ConfigError` for an index that belongs to another one, and goes with that."""
    if is_companion(schema):
        raise ConfigError(
            f"index {store.index!r} in {store.address} holds the texts, or parts of the pictures, of another "
            "index, and goes with that"
        )


def _require_same_number(current: ImageIndex, target: ImageIndex) -> None:
    """Raise `ConfigError` where rejections don't explain that two indexes hold different numbers."""
    before, after = len(current), len(target)
    if before == after:
        return
    fewer, more = (target, current) if after < before else (current, target)
    explained = _count_rejected(fewer, more)
    if abs(before - after) > explained:
        lacks = f"{pluralize(abs(before - after), 'document')} fewer than {more.store.index!r}"
        which = f"{explained:,} of them" if explained else "none of them"
        raise ConfigError(
            f"index {fewer.store.index!r} has {lacks}, and its ledger has {which} as rejected; "
            "nothing was changed",
            Hint.BEHIND,
        )


def _count_rejected(fewer: ImageIndex, more: ImageIndex) -> int:
    """How many documents of one index another one lacks, which has rejected them."""
    ids = dict.fromkeys(entry.id for entry in fewer.rejections() if entry.id)
    return sum(len(_held(more, some) - _held(fewer, some)) for some in batches(ids, IDS_AT_ONCE))


def _held(index: ImageIndex, ids: Sequence[str]) -> set[str]:
    return {document.record.id for document in index.get(ids)}
