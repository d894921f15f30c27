"""How often an index is refreshed while many documents are written, and after.

    begin_loading ─► never ─► writes ─► end_loading: as it was before

A loader that died leaves an index that doesn't refresh; the next one's end repairs it. Replicas stay as they
are: without them writes are twice as fast, but a node that is lost takes its documents along, and until there
are copies of all it takes as long either way.
"""

from __future__ import annotations

from typing import Any

from esclip.stores.engine.answers import integer_of, object_of, text_of
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.dialects import REFRESH_INTERVAL, REFRESH_OFF

__all__ = ["data_nodes", "disable_refresh", "restore_refresh"]


def data_nodes(client: EngineClient) -> int:
    """How many nodes can hold shards."""
    return client.ask(
        client.raw.cluster.health,
        read=lambda health: integer_of(health, "number_of_data_nodes"),
        filter_path="number_of_data_nodes",
    )


def disable_refresh(client: EngineClient) -> str | None:
    """Turn off refreshes. Returns the interval that was set before; None: the engine's default."""
    before = _interval(client)
    _set_interval(client, REFRESH_OFF)
    return before


def restore_refresh(client: EngineClient, before: str | None) -> None:
    """Make all that was written visible; set the interval `before`, or the standard after a dead loader."""
    client.ask(client.raw.indices.refresh, index=client.index)
    if before != REFRESH_OFF:
        _set_interval(client, before)
    elif _interval(client) == REFRESH_OFF:
        _set_interval(client, REFRESH_INTERVAL)


def _interval(client: EngineClient) -> str | None:
    def read(answer: Any) -> str | None:
        (found,) = object_of(answer).values()
        settings = object_of(found, "settings", "index")
        return text_of(settings, "refresh_interval") if "refresh_interval" in settings else None

    return client.ask(client.raw.indices.get_settings, read=read, index=client.index)


def _set_interval(client: EngineClient, interval: str | None) -> None:
    body = {"index": {"refresh_interval": interval}}
    client.change(client.raw.indices.put_settings, index=client.index, body=body)
