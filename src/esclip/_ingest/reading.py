"""What an ingest reads: the paths and sources that it is given, as one source.

paths, sources ─► open_paths ─► OpenedPaths ─► Reading, for a run
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from esclip._core.schema import Field
from esclip._errors import ConfigError, Hint, SourceError
from esclip._files.paths import location_of
from esclip._ingest.options import IngestOptions, read_options
from esclip._ingest.pruning import Pruning
from esclip._protocols import Source
from esclip.sources import is_manifest_path, open_source


@dataclass(frozen=True, slots=True)
class Reading:
    """What a run reads, and what follows for the index from what is not there."""

    source: Source
    origin: str | None = None
    """Names a source that gives all that there is: at the end the ledger forgets rejections from there that
    were not repeated. None: it may give less."""
    pruning: Pruning | None = None
    """How documents are removed whose record is gone; None: they stay."""


@dataclass(frozen=True, slots=True)
class OpenedPaths:
    """Paths and sources that can be read."""

    source: Source
    roots: tuple[str, ...]
    """The paths, as locations name them."""
    is_whole: bool
    """Whether all records are read, and the paths name all of them."""

    def reading(self, options: IngestOptions) -> Reading:
        """What a run of these options reads."""
        pruning = Pruning(self.roots, options["confirm"], options["texts"]) if options["prune"] else None
        return Reading(self.source, "\n".join(self.roots) if self.is_whole else None, pruning)


def check_prunable(given: Sequence[str | Path | Source], options: IngestOptions) -> None:
    """Raise where documents can't be removed: `ValueError` for other options, `ConfigError` for manifests."""
    if not options["prune"]:
        return
    if left_out := [name for name in ("limit", "slice") if options[name] is not None]:
        raise ValueError(f"prune needs all records, and {left_out[0]} leaves some out")
    if any(map(is_manifest_path, given)):
        raise ConfigError(
            "prune: a manifest doesn't say which other documents its source had; ingest the source "
            "itself to remove what is gone, which encodes nothing that is there"
        )


def open_paths(
    given: Sequence[str | Path | Source],
    options: IngestOptions,
    index_fields: Sequence[Field],
    gone: Collection[str | Path],
) -> OpenedPaths:
    """Open what is given, but for paths that are `gone`: the index holds documents of them.

    Raises `SourceError` where there is nothing to read, `ConfigError` for options that fit none of it.
    """
    if gone and not options["prune"]:
        first = next(iter(gone))
        raise SourceError(f"{location_of(first)} is not there any more, or has no pictures", Hint.PRUNE)
    source = open_source(
        given,
        limit=options["limit"],
        slice=options["slice"],
        known=index_fields,
        gone=gone,
        **read_options(options),
    )
    paths = [path for path in given if not isinstance(path, Source)]
    # a source has no name to be known by again
    is_whole = options["limit"] is None and options["slice"] is None and len(paths) == len(given)
    return OpenedPaths(source, tuple(sorted(map(location_of, paths))), is_whole)
