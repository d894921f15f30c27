"""The refresh interval of an index during a bulk load, and after it.

    disable_refresh ─► off ─► writes ─► restore_refresh: as before

A killed bulk load leaves an index without refreshes; the end of the next one repairs it. Replicas stay as
they are: without them writes are twice as fast, but a lost node loses documents, and copying them afterwards
takes as long.
"""

from __future__ import annotations

from typing import Any

from esclip._core.index_settings import IndexSettings
from esclip.stores.engine.answers import get_count, get_object, get_text
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.dialects import REFRESH_OFF
from esclip.stores.engine.index_bodies import refresh_interval


def count_data_nodes(client: EngineClient) -> int:
    """The number of data nodes."""
    return client.request(
        client.raw.cluster.health,
        read=lambda health: get_count(health, "number_of_data_nodes"),
        filter_path="number_of_data_nodes",
    )


def disable_refresh(client: EngineClient) -> str | None:
    """Turn refreshes off. Returns the previous interval; None: the engine's default."""
    previous = _get_interval(client)
    _set_interval(client, REFRESH_OFF)
    return previous


def restore_refresh(client: EngineClient, previous: str | None, standard: str) -> None:
    """Make all writes visible and restore the interval; after a killed bulk load, the `standard` one."""
    client.request(client.raw.indices.refresh, index=client.index)
    if previous != REFRESH_OFF:
        _set_interval(client, previous)
    elif _get_interval(client) == REFRESH_OFF:
        _set_interval(client, standard)


def _get_interval(client: EngineClient) -> str | None:
    return read_setting(client, "refresh_interval")


def read_setting(client: EngineClient, name: str) -> str | None:
    """One of the index's settings; None: the engine's default."""
    (value,) = _read_settings(client, name)
    return value


def _read_settings(client: EngineClient, *names: str) -> list[str | None]:
    def read(answer: Any) -> list[str | None]:
        (index,) = get_object(answer).values()
        settings = get_object(index, "settings", "index")
        return [get_text(settings, name) if name in settings else None for name in names]

    return client.request(client.raw.indices.get_settings, read=read, index=client.index)


def change_live_settings(client: EngineClient, wanted: IndexSettings) -> None:
    """Give the index the replicas and the refresh interval that were asked for.

    Where another bulk load has turned refreshes off, it restores the interval that it found.
    """
    if wanted.replicas is None and wanted.refresh is None:
        return
    replicas, interval = _read_settings(client, "number_of_replicas", "refresh_interval")
    changes: dict[str, Any] = {}
    if wanted.replicas is not None and replicas != str(wanted.replicas):
        changes["number_of_replicas"] = wanted.replicas
    if wanted.refresh is not None and interval not in (REFRESH_OFF, refresh_interval(wanted)):
        changes["refresh_interval"] = refresh_interval(wanted)
    if changes:
        client.request_change(client.raw.indices.put_settings, index=client.index, body={"index": changes})


def _set_interval(client: EngineClient, interval: str | None) -> None:
    body = {"index": {"refresh_interval": interval}}
    client.request_change(client.raw.indices.put_settings, index=client.index, body=body)
