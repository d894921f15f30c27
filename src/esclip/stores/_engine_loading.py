"""An index's settings while many documents are written, and after.

    begin_loading ─► no refresh, no replicas while it is empty ─► writes ─► end_loading: as it was before

A loader that died leaves an index that doesn't refresh; the next one's end repairs it.
"""

from __future__ import annotations

from dataclasses import dataclass

from esclip.stores._dialects import LOADING, settled
from esclip.stores._engine_client import EngineClient

__all__ = ["Settings", "begin_loading", "data_nodes", "end_loading"]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of an index that loading changes."""

    refresh_interval: str | None
    """None: the engine's default."""
    number_of_replicas: str

    @property
    def loading(self) -> bool:
        """Whether a loader has set them, alive or dead."""
        return self.refresh_interval == LOADING["refresh_interval"]


def data_nodes(client: EngineClient) -> int:
    """How many nodes can hold shards."""
    health = client.ask(client.raw.cluster.health, filter_path="number_of_data_nodes")
    return int(health["number_of_data_nodes"])


def begin_loading(client: EngineClient) -> Settings:
    """Turn off what slows many writes down. Returns what was set before.

    Replicas are dropped only while nothing is lost by it: a filled index keeps its copies.
    """
    before = _read(client)
    empty = client.count() == 0
    _write(client, LOADING | {"number_of_replicas": 0} if empty else LOADING)
    return before


def end_loading(client: EngineClient, before: Settings) -> None:
    """Make all that was written visible, and set what was `before`, or the standard after a dead loader."""
    client.ask(client.raw.indices.refresh, within=client.patience.write, index=client.index)
    if not before.loading:
        _write(client, _json(before))
    elif _read(client).loading:
        _write(client, settled(data_nodes(client)))


def _json(settings: Settings) -> dict[str, object]:
    return {
        "refresh_interval": settings.refresh_interval,
        "number_of_replicas": settings.number_of_replicas,
    }


def _read(client: EngineClient) -> Settings:
    answer = client.ask(client.raw.indices.get_settings, index=client.index)
    (found,) = answer.values()
    index = found["settings"]["index"]
    return Settings(index.get("refresh_interval"), index["number_of_replicas"])


def _write(client: EngineClient, settings: object) -> None:
    client.ask(client.raw.indices.put_settings, index=client.index, body={"index": settings})
