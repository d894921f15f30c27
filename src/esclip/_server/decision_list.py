"""The decisions about near-duplicates as a list to take along: tab-separated, or JSON.

Decision ─► the picture to drop, the one to keep, when that was decided; their paths where paths are shown
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import orjson

from esclip._concurrency.streams import batches
from esclip._errors.escaping import escape
from esclip._index import ImageIndex
from esclip._server.decisions import Decision
from esclip._server.duplicate_jobs import read_pictures

PAGE = 500
"""Decisions whose pictures are read at once."""


def as_table(index: ImageIndex, decisions: Iterable[Decision], *, show_paths: bool) -> bytes:
    """A line for each picture to drop: its id, that of the picture to keep, when; with paths before them."""
    names = ["drop", "keep", "decided"]
    lines = ["\t".join(["drop_path", "keep_path", *names] if show_paths else names)]
    for decision, paths in _with_paths(index, decisions, show_paths=show_paths):
        if named := decision.kept_and_dropped:
            keep, drop = named
            shown = [paths.get(drop, ""), paths.get(keep, "")] if show_paths else []
            lines.append("\t".join(map(escape, [*shown, drop, keep, decision.at])))
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def as_json(index: ImageIndex, decisions: Iterable[Decision], *, show_paths: bool) -> bytes:
    """All decisions, those to keep both among them; paths are null where a picture is gone."""
    said = []
    for decision, paths in _with_paths(index, decisions, show_paths=show_paths):
        shown = {f"{side}_path": paths.get(getattr(decision, side)) for side in ("left", "right")}
        said.append(decision._asdict() | (shown if show_paths else {}))
    return orjson.dumps({"decisions": said})


def _with_paths(
    index: ImageIndex, decisions: Iterable[Decision], *, show_paths: bool
) -> Iterator[tuple[Decision, Mapping[str, str]]]:
    """Each decision with the locations of its pictures by id."""
    for page in batches(decisions, PAGE):
        ids = {id for decision in page for id in (decision.left, decision.right)} if show_paths else ()
        hits = read_pictures(index, ids) if ids else {}
        locations = {id: hit.location for id, hit in hits.items()}
        yield from ((decision, locations) for decision in page)
