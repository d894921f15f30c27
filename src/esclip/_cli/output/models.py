"""The list of known models as a person or a program sees it. For the command line only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from esclip._cli.output.console import Table, is_terminal, print_columns, print_json

if TYPE_CHECKING:
    from esclip.encoders import Model

__all__ = ["models"]

_COLUMNS = ("model", "encodes", "dim", "languages", "queries by", "download", "memory", "licence", "here")


def models(models: Sequence[Model], *, json: bool) -> None:
    """The known models: JSON lines, a table on a terminal, else its cells with tabs between."""
    rows = [_cells(model) for model in models]
    if json:
        for model in models:
            print_json(model.to_json())
    elif is_terminal():
        table = Table()
        for name in _COLUMNS:
            table.add_column(name)
        for row in rows:
            table.add_row(*row)
        table.print()
    else:
        for row in (_COLUMNS, *rows):
            print_columns(*row)


def _cells(model: Model) -> tuple[str, ...]:
    """What a person reads of a model, by `_COLUMNS`."""
    memory = (model.picture_megabytes, model.text_megabytes)
    prepared = f", {' and '.join(model.prepared)} prepared" if model.prepared else ""
    return (
        model.name,
        " ".join(model.towers),
        str(model.dim),
        model.languages,
        model.text_encoder if model.text_encoder != model.name else "itself",
        f"{model.download_megabytes / 1000:.1f} GB",
        " / ".join(f"{size / 1000:.1f}" if size else "-" for size in memory) + " GB",
        model.licence,
        (f"yes{prepared}" if model.folder else "no") + (f", needs {model.needs}" if model.needs else ""),
    )
