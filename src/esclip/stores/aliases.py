"""What aliases are in all stores: names that point to an index, such as `photos` to `photos-2`.

A store is that of one index. Opened by the name of an alias it would answer by whatever index that points
to at the moment, which may have another model's vectors: so it refuses, and `Store.resolve_alias` gives the
store of the index itself.
"""

from __future__ import annotations

from esclip._errors import IndexExists, one_line
from esclip._protocols import Store


def is_alias(address: str, index: str, target: str) -> IndexExists:
    """The error that a name is an alias, where an index is wanted."""
    return IndexExists(
        f"{index!r} in {address} is an alias of index {one_line(target, 200)!r}, and no index itself; "
        "name the index, or open it again"
    )


def name_taken(address: str, index: str) -> IndexExists:
    """The error that an index has the name that something else is to get."""
    return IndexExists(f"{index!r} in {address} is an index already; take another name")


def pointed_to(alias: Store) -> str | None:
    """The index that a store's name points to; None where it is free. Raises `IndexExists` for an index's."""
    target = alias.alias_target()
    if target is None and alias.schema() is not None:
        raise name_taken(alias.address, alias.index)
    return target
