"""The command that takes documents out of the index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from esclip._cli.confirmation import confirm
from esclip._cli.groups import StoreOptions
from esclip._cli.options import Json, Yes
from esclip._cli.search_options import Where
from esclip._cli.signals import handle_signals

if TYPE_CHECKING:
    from esclip._ingest.deletion import Deletion

__all__ = ["forget"]


def forget(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH|ID]...",
            help="A file or a folder, gone or not, a URL, or a document's id. What has a / in it, is . or "
            ".., or begins with ~ is a path; all else is an id.",
            show_default=False,
        ),
    ] = None,
    id: Annotated[
        list[str] | None,
        typer.Option(
            "--id",
            metavar="ID",
            help="An id that looks like a path or an option; repeatable.",
            show_default=False,
        ),
    ] = None,
    where: Where = None,
    yes: Yes = False,
    *,
    at: StoreOptions,
    json: Json = False,
) -> None:
    """Remove documents from the index, with their parts and rejections. Pictures are untouched.

    What is still in an ingested folder comes back with its next ingest.
    """
    from esclip._cli.output.reports import print_deletion

    paths = [word for word in words or () if _is_path(word)]
    ids = [*(id or ()), *(word for word in words or () if not _is_path(word))]
    if not ids and not paths and not where:
        raise typer.BadParameter("name a PATH, an ID or a --where; `esclip drop` removes the whole index")
    asked: list[Deletion] = []

    def agree(found: Deletion) -> bool:
        confirm(_what(found, at.index), yes=yes)
        asked.append(found)
        return True

    with handle_signals(lambda: False), at.open() as held:
        removed = held.delete(ids, paths=paths, where=where, confirm=agree)
        rejections = sum(found.rejections for found in asked)
        missing = [name for found in asked for name in found.missing]
        print_deletion(at.index, removed, rejections, missing, json=json)


def _is_path(word: str) -> bool:
    return "/" in word or word in (".", "..") or word.startswith("~")


def _what(found: Deletion, index: str) -> str:
    parts = [f"{found.documents:,} documents"] if found.documents or not found.rejections else []
    parts += [f"{found.rejections:,} rejections"] if found.rejections else []
    return f"remove {' and '.join(parts)} from index {index!r}"
