"""What a user gives to be read: paths and sources, one by one or in lists."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from esclip._core.arguments import coerce_paths
from esclip._protocols import Source


def paths_and_sources(given: Iterable[object]) -> list[str | Path | Source]:
    """Paths and sources, one by one: each may be a path, a source, or a collection of both."""
    found: list[str | Path | Source] = []
    for one in given:
        if isinstance(one, Source):
            found.append(one)
        elif isinstance(one, list | tuple) and any(isinstance(item, Source) for item in one):
            found += paths_and_sources(one)
        else:
            found += coerce_paths("a path", [one])
    return found
