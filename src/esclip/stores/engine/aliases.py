"""Aliases of a cluster: which index a name points to, pointed elsewhere in one request; an index renamed.

An engine can't rename an index. Its shards are cloned by hard links, while it is searched and not written,
and one request puts an alias in its place:

marked, blocked for writes ─► cloned, counted ─► alias added and index removed, at once ─► mark removed
      └ a call that was killed here is begun anew: what has the mark is its clone
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from esclip._concurrency.retry import TransientError
from esclip._errors import IndexNotFound, StoreError, StoreUnavailable
from esclip.stores import aliases
from esclip.stores.engine.answers import get_count, get_error, get_mappings, get_object, get_text
from esclip.stores.engine.bulk_errors import error_type, reason_text
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.errors import Forbidden

MARK = "esclip_renamed_to"
"""In the `_meta` of an index that is being renamed, and of its clone: the new name."""

NARROWING = ("filter", "index_routing", "search_routing")
"""What an alias has that stands for some of an index's documents."""


def find_target(client: EngineClient) -> tuple[str | None, Any]:
    """The index that the client's name is an alias of, None where it is none; and the mapping of the index.

    Raises `StoreError` for an alias of several indexes, or of some of the documents.
    """
    try:
        name, mapping = client.named_mapping()
    except IndexNotFound:
        return None, None
    if name == client.index:
        return None, mapping
    with suppress(Forbidden):  # who may not read aliases reads the index that is named by its mapping
        definition = _read_aliases(client, client.index).get(name, {}).get(client.index, {})
        if any(key in get_object(definition) for key in NARROWING):
            raise StoreError(
                f"{client.index!r} at {client.address} is an alias of some documents of index {name!r}, by "
                "a filter or a routing; name the index"
            )
    return name, mapping


def find_aliases(client: EngineClient) -> tuple[str, ...]:
    """The names of the aliases of the client's index; none where the user may not read them."""
    try:
        return tuple(sorted(_read_aliases(client, client.index).get(client.index, {})))
    except (Forbidden, IndexNotFound):
        return ()


def find_all_aliases(client: EngineClient) -> dict[str, tuple[str, ...]]:
    """The aliases of each index; none where the user may not read them."""
    try:
        return {name: tuple(sorted(found)) for name, found in _read_aliases(client, None).items()}
    except (Forbidden, IndexNotFound):
        return {}


def point_alias(client: EngineClient, index: str, previous: str | None) -> None:
    """Add the alias to an index and remove it from its previous one, in one request."""
    actions: list[dict[str, Any]] = [{"add": {"index": index, "alias": client.index}}]
    if previous is not None:
        named = {"index": previous, "alias": client.index, "must_exist": True}
        actions.insert(0, {"remove": named})
    _change_aliases(client, actions)


def rename(client: EngineClient, names: Mapping[str, str]) -> None:
    """Give indexes new names, by their old ones; that of the client becomes an alias of its new name.

    Raises `IndexExists` for a new name that is taken, before anything is changed.
    """
    marked = {old: _require_free(client, old, new) for old, new in names.items()}
    for old, new in names.items():
        _mark(client, old, marked[old] | {MARK: new})
    with client.write_timeouts(), _blocked_for_writes(client, names):
        for old, new in names.items():
            _clone(client, old, new)
        added = {"add": {"index": names[client.index], "alias": client.index}}
        _change_aliases(client, [added, *({"remove_index": {"index": old}} for old in names)])
    for old, new in names.items():
        _mark(client, new, marked[old])


def _read_aliases(client: EngineClient, name: str | None) -> dict[str, dict[str, Any]]:
    def read(answer: Any) -> dict[str, dict[str, Any]]:
        return {index: get_object(value, "aliases") for index, value in get_object(answer).items()}

    return client.request(client.raw.indices.get_alias, read=read, index=name)


def _change_aliases(client: EngineClient, actions: list[dict[str, Any]]) -> None:
    def check(answer: Any) -> None:
        if get_error(answer):
            raise StoreUnavailable(
                f"the alias {client.index!r} at {client.address} was changed by somebody else meanwhile; "
                "try again"
            )
        if not get_object(answer).get("acknowledged"):
            raise StoreUnavailable(
                f"{client.address} did not finish the change of alias {client.index!r} in time; try again"
            )

    client.request(client.raw.indices.update_aliases, read=check, body={"actions": actions}, ignore=404)


def _read_meta(client: EngineClient, index: str) -> dict[str, Any] | None:
    """The `_meta` of an index's mapping; None where there is no such index."""

    def read(answer: Any) -> dict[str, Any] | None:
        if get_error(answer):
            return None
        (mapping,) = get_mappings(answer).values()
        return get_object(mapping.get("_meta", {}))

    return client.request(client.raw.indices.get_mapping, read=read, index=index, ignore=404)


def _require_free(client: EngineClient, old: str, new: str) -> dict[str, Any]:
    """The old index's `_meta` without the mark. Removes the clone of a call that was killed.

    Raises `IndexExists` where something else has the new name.
    """
    meta, taken = _read_meta(client, old) or {}, _read_meta(client, new)
    if taken is not None:
        if not taken.get(MARK) == meta.get(MARK) == new:
            raise aliases.name_taken(client.address, new)
        client.request_change(client.raw.indices.delete, index=new)
    return {name: value for name, value in meta.items() if name != MARK}


def _mark(client: EngineClient, index: str, meta: Mapping[str, Any]) -> None:
    client.request_change(client.raw.indices.put_mapping, index=index, body={"_meta": dict(meta)})


@contextmanager
def _blocked_for_writes(client: EngineClient, indexes: Mapping[str, str]) -> Iterator[None]:
    """Context manager: within it, nothing is written into indexes. On an error they can be written again."""
    try:
        for index in indexes:
            _change_settings(client, index, {"blocks.write": True})
        yield
    except BaseException:
        for index in indexes:
            with suppress(StoreError):
                _change_settings(client, index, {"blocks.write": None})
        raise


def _change_settings(client: EngineClient, index: str, settings: Mapping[str, Any]) -> None:
    client.request_change(client.raw.indices.put_settings, index=index, body={"index": dict(settings)})


def _clone(client: EngineClient, old: str, new: str) -> None:
    """Clone an index, and wait for the clone. Raises `StoreError` where that lacks documents."""
    settings = {"index.blocks.write": None, "index.number_of_replicas": _count_replicas(client, old)}
    error = client.request(
        client.raw.indices.clone,
        read=get_error,
        index=old,
        target=new,
        body={"settings": settings},
        ignore=400,
    )
    if error and error_type(error[1]) != "resource_already_exists_exception":  # of an attempt before
        raise StoreError(f"{client.address} can't clone index {old!r} as {new!r}: {reason_text(error[1])}")

    def check(health: Any) -> None:
        if health.get("status") not in ("yellow", "green"):
            raise TransientError(
                StoreUnavailable(f"{client.address} did not clone index {old!r} in time; try again")
            )

    client.request(
        client.raw.cluster.health,
        read=check,
        index=new,
        params={"wait_for_status": "yellow", "timeout": "20s"},
    )
    before, after = _count(client, old), _count(client, new)
    if before != after:
        raise StoreError(
            f"the clone {new!r} of index {old!r} at {client.address} has {after:,} of {before:,} documents; "
            "nothing was changed"
        )


def _count(client: EngineClient, index: str) -> int:
    client.request(client.raw.indices.refresh, index=index)
    return client.request(client.raw.count, read=lambda answer: get_count(answer, "count"), index=index)


def _count_replicas(client: EngineClient, index: str) -> str:
    def read(answer: Any) -> str:
        (found,) = get_object(answer).values()
        return get_text(found, "settings", "index", "number_of_replicas")

    return client.request(client.raw.indices.get_settings, read=read, index=index)
