"""What a plan looks like: a table with formulas on a terminal, else name, number, unit and formula a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esclip._cli.output.console import say
from esclip._cli.output.table import Column, print_rows
from esclip._errors.counts import pluralize

if TYPE_CHECKING:
    from esclip._plan.value import Plan, PlanLine


def print_plan(plan: Plan, *, json: bool) -> None:
    """The lines of a plan on stdout; on stderr what it is of, and its notes."""
    columns: list[Column[PlanLine]] = [
        Column("", lambda line: line.name, style="cyan"),
        Column("", lambda line: line.text, "terminal", justify="right"),
        Column("", lambda line: f"{line.value}", "plain"),
        Column("", lambda line: line.unit, "plain"),
        Column("", lambda line: line.formula, kind="text"),
    ]
    if not json:
        pictures = pluralize(plan.pictures, "picture")
        say(f"{pictures} in {plan.engine}, {plan.encoder}, {plan.dimension} dimensions")
    print_rows(plan.lines, columns, json=[plan.to_json()] if json else None)
    if not json:
        for note in plan.notes:
            say(note)
