"""Labels of pictures: a table a picture on a terminal, lines with tabs between, or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esclip._cli.output.console import Table, heading, is_terminal, print_columns, print_json, say

if TYPE_CHECKING:
    from esclip._classify import LabelScores
    from esclip._errors import RecordError

__all__ = ["guesses", "unread"]


def guesses(image: str, guesses: LabelScores, *, json: bool) -> None:
    """One picture's labels: JSON, a table on a terminal, else probability, label and picture a line."""
    if json:
        print_json({"image": image, "labels": [guess._asdict() for guess in guesses]})
    elif is_terminal():
        _print_table(image, guesses)
    else:
        for label, probability in guesses:
            print_columns(f"{probability:.4f}", label, image)


def unread(why: RecordError) -> None:
    """A picture that could not be had."""
    say(str(why))


def _print_table(image: str, guesses: LabelScores) -> None:
    table = Table(show_header=False)
    table.add_column(justify="right", style="green")
    table.add_column(style="cyan")
    for label, probability in guesses:
        table.add_row(f"{probability:.1%}", label)
    heading(image)
    table.print()
