"""Aliases of a cluster: which index a name points to, pointed elsewhere in one request; an index renamed.

An engine can't rename an index. Its shards are cloned by hard links, while it is searched and not written,
and one request puts an alias in its place:

marked, blocked for writes ─► cloned, counted ─► alias added and index removed, at once ─► mark removed
      ├ another call marks it anew, and removes the clone
      └ who writes into the index takes the rename back: mark, clone, block

A call that was killed here is undone by either; one that still runs ends with an error, and has changed
nothing: the last request names an alias that only its own clone has, and a clone needs the block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from secrets import token_hex
from typing import Any

from esclip._concurrency.retry import TransientError
from esclip._core.settings import is_index_name
from esclip._errors import IndexNotFound, StoreError, StoreUnavailable
from esclip.stores import aliases
from esclip.stores.engine.answers import get_count, get_error, get_mappings, get_object, get_text
from esclip.stores.engine.bulk_errors import error_type, reason_text
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.errors import Forbidden

MARK = "esclip_renamed_to"
"""In the `_meta` of an index that is being renamed, and of its clone: its new name, and by which call."""

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
        actions.insert(0, _remove(previous, client.index))
    _change_aliases(client, actions)


def rename(client: EngineClient, names: Mapping[str, str]) -> None:
    """Give indexes new names, by their old ones; that of the client becomes an alias of its new name.

    Raises `IndexExists` for a new name that is taken, before anything is changed.
    """
    metas = {old: _require_free(client, old, new) for old, new in names.items()}
    call = token_hex(4)
    marks = {old: _Mark(new, call) for old, new in names.items()}
    for old, mark in marks.items():
        _put_meta(client, old, metas[old] | {MARK: asdict(mark)})
    with client.write_timeouts(), _undone_on_error(client, marks):
        for old in marks:
            client.request_change(client.raw.indices.add_block, index=old, block="write")  # waits for writes
        for old, mark in marks.items():
            _clone(client, old, mark)
        if any(_read_mark(client, old) != mark for old, mark in marks.items()):
            raise _changed_meanwhile(client)
        added = {"add": {"index": names[client.index], "alias": client.index}}
        guards = [_remove(mark.index, mark.alias) for mark in marks.values()]
        _change_aliases(client, [*guards, added, *({"remove_index": {"index": old}} for old in names)])
    for old, new in names.items():
        _put_meta(client, new, metas[old])


def take_back_rename(client: EngineClient, mapping: Mapping[str, Any]) -> bool:
    """Make an index of this mapping one that can be written, if it is being renamed; whether it was.

    A call that renames it and still runs ends with an error.
    """
    meta = mapping.get("_meta") or {}
    if MARK not in meta:
        return False
    _put_meta(client, client.index, _without_mark(meta))
    if mark := _Mark.read(meta):
        _remove_clone(client, client.index, mark)
    _lift_block(client, client.index)
    return True


@dataclass(frozen=True)
class _Mark:
    """That an index is being renamed."""

    index: str
    """Its new name."""
    call: str
    """Tells the call apart from others of the same."""

    @property
    def alias(self) -> str:
        """What points to the clone that the call has made, and to no other."""
        return f"{self.index}-{self.call}"

    @classmethod
    def read(cls, meta: Mapping[str, Any]) -> _Mark | None:
        """That in an index's `_meta`, which anybody may have written; None where there is none."""
        found = meta.get(MARK)
        values = [found.get(name) for name in ("index", "call")] if isinstance(found, Mapping) else [None]
        return cls(*values) if all(isinstance(v, str) and is_index_name(v) for v in values) else None


def _read_aliases(client: EngineClient, name: str | None) -> dict[str, dict[str, Any]]:
    def read(answer: Any) -> dict[str, dict[str, Any]]:
        return {index: get_object(value, "aliases") for index, value in get_object(answer).items()}

    return client.request(client.raw.indices.get_alias, read=read, index=name)


def _change_aliases(client: EngineClient, actions: list[dict[str, Any]]) -> None:
    def check(answer: Any) -> None:
        if get_error(answer):
            raise _changed_meanwhile(client)
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


def _remove(index: str, alias: str) -> dict[str, Any]:
    return {"remove": {"index": index, "alias": alias, "must_exist": True}}


def _changed_meanwhile(client: EngineClient) -> StoreError:
    return StoreError(
        f"{client.index!r} at {client.address} was written or switched by somebody else meanwhile; try again"
    )


def _without_mark(meta: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in meta.items() if name != MARK}


def _read_mark(client: EngineClient, index: str) -> _Mark | None:
    return _Mark.read(_read_meta(client, index) or {})


def _require_free(client: EngineClient, old: str, new: str) -> dict[str, Any]:
    """The old index's `_meta` without the mark. Removes the clone of a call that was killed.

    Raises `IndexExists` where something else has the new name.
    """
    meta = _read_meta(client, old) or {}
    mark = _Mark.read(meta)
    if mark and mark.index == new:
        _remove_clone(client, old, mark)
    if _read_meta(client, new) is not None:
        raise aliases.name_taken(client.address, new)
    return _without_mark(meta)


def _remove_clone(client: EngineClient, old: str, mark: _Mark) -> None:
    """Remove the clone that a call has made of an index, unless that has taken the index's place.

    Without its alias it can't take that any more, whatever the call has sent.
    """
    with suppress(IndexNotFound):
        has_alias = mark.alias in _read_aliases(client, mark.index).get(mark.index, {})
        if mark.index == old or not (has_alias or _read_mark(client, mark.index) == mark):
            return
        body = {"actions": [_remove(mark.index, mark.alias)]}
        client.request(client.raw.indices.update_aliases, body=body, ignore=404)
        named = client.request(client.raw.indices.get_mapping, read=get_object, index=old, ignore=404)
        if old in named:
            client.request_change(client.raw.indices.delete, index=mark.index)


def _put_meta(client: EngineClient, index: str, meta: Mapping[str, Any]) -> None:
    client.request_change(client.raw.indices.put_mapping, index=index, body={"_meta": dict(meta)})


@contextmanager
def _undone_on_error(client: EngineClient, marks: Mapping[str, _Mark]) -> Iterator[None]:
    """Context manager: on an error the clones of this call go, and the indexes can be written again."""
    try:
        yield
    except BaseException:
        for old, mark in marks.items():
            with suppress(StoreError):
                _remove_clone(client, old, mark)
                if _read_mark(client, old) in (None, mark):  # else another call goes on
                    _lift_block(client, old)
        raise


def _lift_block(client: EngineClient, index: str) -> None:
    client.request_change(client.raw.indices.put_settings, index=index, body={"index.blocks.write": None})


def _clone(client: EngineClient, old: str, mark: _Mark) -> None:
    """Clone an index, and wait for the clone. Raises `StoreError` where that lacks documents."""
    new = mark.index
    settings = {"index.blocks.write": None, "index.number_of_replicas": _count_replicas(client, old)}

    def require_mark() -> None:
        if _read_mark(client, old) != mark:  # who has removed that removes the clone
            raise _changed_meanwhile(client)

    def check_answer(answer: Any) -> None:
        status, error = get_error(answer) or (200, None)
        if not error or error_type(error) == "resource_already_exists_exception":  # of an attempt before
            return
        require_mark()
        failure = f"{client.address} can't clone index {old!r} as {new!r}: {reason_text(error)}"
        if status == 400 or error_type(error) == "illegal_state_exception":  # it isn't blocked
            raise StoreError(failure)
        raise TransientError(StoreUnavailable(failure))

    client.request(
        client.raw.indices.clone,
        read=check_answer,
        index=old,
        target=new,
        body={"settings": settings, "aliases": {mark.alias: {}}},
        ignore=(400, 500),
    )

    def check(health: Any) -> None:
        if health.get("status") not in ("yellow", "green"):
            require_mark()
            raise TransientError(
                StoreUnavailable(f"{client.address} did not clone index {old!r} in time; try again")
            )

    client.request(
        client.raw.cluster.health,
        read=check,
        index=new,
        params={"wait_for_status": "yellow", "timeout": "5s"},
        ignore=408,
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
