"""Labels of pictures: a table a picture on a terminal, lines with tabs between, or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from esclip._show import error, one_line, print_json

if TYPE_CHECKING:
    from esclip._classify import Guesses
    from esclip._errors import RecordError

__all__ = ["guesses", "unread"]


def guesses(image: str, guesses: Guesses, *, json: bool) -> None:
    """One picture's labels: JSON, a table on a terminal, else probability, label and picture a line."""
    console = Console()
    if json:
        print_json({"image": image, "labels": [guess._asdict() for guess in guesses]})
    elif console.is_terminal:
        _table(console, image, guesses)
    else:
        for label, probability in guesses:
            print(f"{probability:.4f}\t{one_line(label)}\t{one_line(image)}")


def unread(why: RecordError) -> None:
    """A picture that could not be had."""
    error(str(why))


def _table(console: Console, image: str, guesses: Guesses) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right", style="green")
    table.add_column(style="cyan")
    for label, probability in guesses:
        table.add_row(f"{probability:.1%}", escape(one_line(label)))
    console.print(f"[bold]{escape(one_line(image))}[/]", highlight=False, soft_wrap=True)
    console.print(table)
