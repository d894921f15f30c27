"""The command that takes documents out of the index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from esclip._cli.confirmation import confirm
from esclip._cli.groups import StoreOptions
from esclip._cli.options import Json, WhereOption, Yes
from esclip._cli.signals import handle_signals
from esclip._errors.counts import pluralize

if TYPE_CHECKING:
    from esclip._ingest.deletion import Deletion


def forget(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH|ID]...",
            help="A file or a folder, gone or not, a URL, or a document's id. What has a / in it, is . or "
            ".., or begins with ~ is a path; all else is an id.",
        ),
    ] = None,
    id: Annotated[
        list[str] | None,
        typer.Option(
            "--id",
            metavar="ID",
            help="An id that looks like a path or an option; repeatable.",
        ),
    ] = None,
    where: WhereOption = None,
    yes: Yes = False,
    *,
    store: StoreOptions,
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
    confirmed: list[Deletion] = []

    def ask_first(deletion: Deletion) -> bool:
        confirm(_describe(deletion, store.index), yes=yes)
        confirmed.append(deletion)
        return True

    with handle_signals(lambda: False), store.open() as index:
        removed = index.delete(ids, paths=paths, where=where, confirm=ask_first)
        rejections = sum(deletion.rejections for deletion in confirmed)
        missing = [name for deletion in confirmed for name in deletion.missing]
        print_deletion(store.index, removed, rejections, missing, json=json)


def _is_path(word: str) -> bool:
    return "/" in word or word in (".", "..") or word.startswith("~")


def _describe(deletion: Deletion, index: str) -> str:
    parts = (
        [pluralize(deletion.documents, "document")] if deletion.documents or not deletion.rejections else []
    )
    parts += [pluralize(deletion.rejections, "rejection")] if deletion.rejections else []
    return f"remove {' and '.join(parts)} from index {index!r}"
