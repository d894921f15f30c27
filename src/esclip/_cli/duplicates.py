"""The command that shows which pictures of an index are nearly the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from esclip._cli.groups import StoreOptions
from esclip._cli.options import Json, as_path
from esclip._cli.search_options import Where
from esclip._core.bounds import THRESHOLDS
from esclip._core.settings import DUPLICATE
from esclip._errors import ConfigError

__all__ = ["duplicates"]


def duplicates(
    threshold: Annotated[
        float,
        typer.Option(
            metavar="COSINE",
            min=THRESHOLDS.least,
            max=THRESHOLDS.most,
            help="Of pictures that are nearly the same.",
        ),
    ] = DUPLICATE,
    where: Where = None,
    page: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            parser=as_path,
            help="Write a page with the pictures side by side.",
            show_default=False,
        ),
    ] = None,
    *,
    at: StoreOptions,
    json: Json = False,
) -> None:
    """Show groups of pictures that are the same or nearly so, the largest group first. Removes nothing."""
    from esclip._cli.output.duplicates import print_groups, print_summary, write_page
    from esclip._cli.output.progress import DuplicatesProgress

    progress = DuplicatesProgress()
    with at.open() as held:
        groups = held.duplicates(threshold, where, on_progress=progress)
    print_groups(groups, json=json)
    if page:
        try:
            write_page(page, groups)
        except OSError as error:
            message = f"--page {page}: {error.strerror}; name a file that can be written"
            raise ConfigError(message) from error
    print_summary(groups, of=progress.compared, page=page)
