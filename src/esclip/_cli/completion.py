"""Values that a shell completes: names of indexes in a folder, models, kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def complete_index(ctx: Any, incomplete: str) -> list[str]:
    """The indexes in the store's folder; none of a cluster, which would be asked at each press of a key."""
    from esclip._core.settings import default_store
    from esclip._errors import ConfigError
    from esclip._files.locations import server_address, user_path

    try:
        store = ctx.params.get("store") or default_store()
        folder = user_path(store, "store") if server_address(store, "store") is None else None
        found = [*folder.glob("*.lance"), *folder.glob("*.alias")] if folder else []
        names = sorted({path.stem for path in found})
    except (ConfigError, OSError):
        return []
    return complete_choice(names)(incomplete)


def complete_model(incomplete: str) -> list[str]:
    """The models that are known by name."""
    from esclip.encoders.catalogue import MODELS

    return _beginning(incomplete, ["palette", *(model.name for model in MODELS)])


def complete_choice(choices: Iterable[str]) -> Callable[[str], list[str]]:
    """What completes a list of choices with commas between."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in _beginning(last, choices)]

    return complete


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
