"""Numbers in messages: `1 picture`, `2 pictures`, `12,345 pictures`."""

from __future__ import annotations


def pluralize(number: int, noun: str) -> str:
    """The number and its noun, in the plural where it isn't one. `noun` may have adjectives before it."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {_plural(noun)}"


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith(("ry", "ty")) else f"{noun}s"
