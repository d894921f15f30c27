"""Where a search can look: at pictures as wholes, and at the parts of them that an index has."""

from __future__ import annotations

from collections.abc import Collection, Iterable

__all__ = ["CAPTIONS", "CROPS", "KINDS", "PICTURES", "PLACES", "is_fused", "select_known"]

PICTURES = "pictures"
CAPTIONS = "captions"
CROPS = "crops"

KINDS = (CAPTIONS, CROPS)
"""The parts that an index can have."""

PLACES = (PICTURES, *KINDS)
"""Where a search can look."""


def select_known(names: Iterable[str], known: tuple[str, ...], of: str) -> tuple[str, ...]:
    """The names, each once, in the order of those known. Raises `ValueError` for none and for others."""
    names = [names] if isinstance(names, str) else list(names)
    if not names or not set(names) <= set(known):
        raise ValueError(f"{of} is {', '.join(names) or 'empty'}, not one or more of {', '.join(known)}")
    return tuple(name for name in known if name in names)


def is_fused(targets: Collection[str]) -> bool:
    """Whether captions are looked at beside others, whose scores can't be compared with theirs."""
    return CAPTIONS in targets and len(targets) > 1
