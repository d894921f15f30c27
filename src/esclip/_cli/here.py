"""Searches of the folder where their user stands: `--here`."""

from __future__ import annotations

import os
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from esclip._errors import ConfigError, one_line
from esclip._files.paths import path_text
from esclip._search.options import HitOptions

if TYPE_CHECKING:
    from esclip._index import ImageIndex

Options = TypeVar("Options", bound=HitOptions)
"""Those of a search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HereOption:
    """The option of all searches that leaves the pictures of the current folder."""

    here: Annotated[
        bool,
        typer.Option("--here", help="Only pictures of the folder where you are, and of those below it."),
    ] = False

    def narrow(self, index: ImageIndex, options: Options) -> Options:
        """The options of a search, its filter narrowed to the current folder where that is asked for.

        Raises `ConfigError` where the index has nothing of the folder.
        """
        if not self.here:
            return options
        narrowed = copy(options)
        where: Any = options.get("where")  # a list of expressions, as Typer gives it
        narrowed["where"] = [*(where or ()), _filter_of_folder(index)]
        return narrowed


def _filter_of_folder(index: ImageIndex) -> str:
    from esclip._core.analysis import FOLDERS
    from esclip._search.query import Query

    folders = _current_folders()
    about = index.stats()
    if FOLDERS not in {field.name for field in about.fields}:
        raise ConfigError(
            f"--here: index {about.index!r} knows no folders of its pictures; files get theirs at the "
            "next ingest: esclip ingest PATH"
        )
    values = ",".join(f"{_quote(folder)},{_quote(folder.rstrip('/') + '/')}*" for folder in folders)
    where = f"{FOLDERS}={values}"
    if not index.search(Query(where=where, k=1)):
        here = one_line(folders[0])
        raise ConfigError(
            f"--here: index {about.index!r} has no picture of {here}; ingest it by: esclip ingest ./"
        )
    return where


def _current_folders() -> tuple[str, ...]:
    """The current folder, also as it is called where links lead to it: pictures have either path."""
    try:
        here = Path.cwd()
    except OSError as error:
        raise ConfigError(f"--here: the current folder can't be read: {error.strerror}") from error
    named = Path(os.path.normpath(os.environ.get("PWD", here)))
    try:
        same = named.is_absolute() and named.samefile(here)
    except (OSError, ValueError):
        same = False
    return tuple(dict.fromkeys(map(path_text, (here, named) if same else (here,))))


def _quote(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
