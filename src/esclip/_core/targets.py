"""Targets of a search: whole pictures, the parts of pictures that an index has, and its text documents."""

from __future__ import annotations

from collections.abc import Collection, Iterable

PICTURES = "pictures"
CAPTIONS = "captions"
CROPS = "crops"

PART_KINDS = (CAPTIONS, CROPS)
"""The parts that an index can have."""

TEXTS = "texts"

TARGETS = (PICTURES, *PART_KINDS, TEXTS)
"""What a query vector can be compared with."""


def select_known(names: Iterable[str], known: tuple[str, ...], option: str) -> tuple[str, ...]:
    """The names, each once, in the order of `known`. Raises `ValueError` for none and for unknown ones."""
    names = [names] if isinstance(names, str) else list(names)
    if not names or not set(names) <= set(known):
        raise ValueError(f"{option} is {', '.join(names) or 'empty'}, not one or more of {', '.join(known)}")
    return tuple(name for name in known if name in names)


def is_fused(targets: Collection[str]) -> bool:
    """Whether captions are searched beside other parts of pictures, whose scores are not comparable with
    theirs.
    """
    return CAPTIONS in targets and not {CAPTIONS, TEXTS} >= set(targets)
