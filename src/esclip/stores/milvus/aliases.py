"""Aliases in Milvus, which are its own: which index a name points to, pointed elsewhere; an index renamed.

renamed: what belongs to it ─► itself ─► an alias by its former name
                                   └ a call that was killed here is completed by another one

An alias is pointed elsewhere at once. Between a rename and its alias a server has neither, for milliseconds;
in a folder of Milvus Lite nobody sees that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from esclip._errors import IndexNotFound
from esclip.stores.milvus.client import MilvusConnection
from esclip.stores.milvus.names import collection_name, index_name


def target_of(connection: MilvusConnection, found: Mapping[str, Any]) -> str | None:
    """The index that the connection's name is an alias of, by the collection's description."""
    name = found["collection_name"]
    return None if name == connection.collection else index_name(name)


def find_target(connection: MilvusConnection) -> str | None:
    """The same, None too where nothing has the name."""
    if not connection.exists:
        return None
    try:
        return target_of(connection, connection.request("describe_collection"))
    except IndexNotFound:
        return None


def find_aliases(connection: MilvusConnection) -> tuple[str, ...]:
    """The names of the aliases that point to the connection's index."""
    found = connection.request("list_aliases")["aliases"]
    return tuple(sorted(name for alias in found if (name := index_name(alias)) is not None))


def point_alias(connection: MilvusConnection, index: str, previous: str | None) -> None:
    """Make the connection's name an alias of an index, in place of the previous one."""
    method = "create_alias" if previous is None else "alter_alias"
    connection.call(method, collection_name(index), connection.collection)


def rename(connection: MilvusConnection, index: str, beside: Mapping[str, str]) -> None:
    """Rename an index, and of what belongs to it what is there; its name becomes an alias."""
    for old, new in beside.items():
        if connection.call("has_collection", collection_name(old)):
            connection.call("rename_collection", collection_name(old), collection_name(new))
    with connection.exclusive():
        if connection.call("has_collection", connection.collection):
            connection.request("rename_collection", collection_name(index))
        point_alias(connection, index, None)


def drop_aliases(connection: MilvusConnection) -> None:
    """Drop the aliases of the connection's index: a server drops no index that has some."""
    for alias in connection.request("list_aliases")["aliases"]:
        connection.call("drop_alias", alias)
