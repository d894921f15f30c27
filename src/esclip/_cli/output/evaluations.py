"""Figures of an evaluation: a table with a row a system on a terminal, else a line a figure; or JSON.

On stderr is what was left out, and what has to be known to read the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from esclip._cli.output.console import is_terminal, say
from esclip._cli.output.table import Column, print_rows, print_table
from esclip._errors.counts import pluralize

if TYPE_CHECKING:
    from esclip._evaluation.evaluation import EvaluatedSystem, Evaluation

DIFFERENCE = "difference"


class _Row(NamedTuple):
    """A system, or the difference of both, in one language or all."""

    language: str
    system: str
    queries: str
    cells: Mapping[str, str]
    """By metric."""


class _Line(NamedTuple):
    """A figure."""

    language: str
    system: str
    queries: int
    metric: str
    numbers: tuple[float, ...]
    """Mean, the interval's ends, and p of a difference."""


def _number(line: _Line, n: int) -> str:
    return f"{line.numbers[n]:.6f}" if n < len(line.numbers) else ""


_LINES: tuple[Column[_Line], ...] = (
    Column("language", lambda line: line.language),
    Column("system", lambda line: line.system),
    Column("queries", lambda line: str(line.queries)),
    Column("metric", lambda line: line.metric),
    Column("mean", lambda line: _number(line, 0)),
    Column("low", lambda line: _number(line, 1)),
    Column("high", lambda line: _number(line, 2)),
    Column("p", lambda line: _number(line, 3)),
)


def print_evaluation(evaluation: Evaluation, *, json: bool) -> None:
    """The figures; on stderr what to know about them."""
    if is_terminal() and not json:
        print_table(_rows(evaluation), _columns(evaluation))
    else:
        print_rows(
            _lines(evaluation), _LINES, json=[evaluation.to_json()] if json else None, plain_headers=True
        )
    for note in _notes(evaluation):
        say(note)


def _columns(evaluation: Evaluation) -> list[Column[_Row]]:
    metrics = [*evaluation.systems[0].figures[""]]
    return [
        *([Column("language", _language)] if evaluation.languages else []),
        Column("system", lambda row: row.system, style="cyan"),
        Column("queries", lambda row: row.queries, justify="right"),
        *(Column(metric, _cell(metric), justify="right", style="green") for metric in metrics),
    ]


def _language(row: _Row) -> str:
    return row.language or "all"


def _cell(metric: str) -> Callable[[_Row], str]:
    return lambda row: row.cells[metric]


def _rows(evaluation: Evaluation) -> Iterator[_Row]:
    from esclip._evaluation.evaluation import format_figure, format_p

    for language, queries in evaluation.queries.items():
        for system in evaluation.systems:
            cells = {metric: format_figure(value) for metric, value in system.figures[language].items()}
            yield _Row(language, system.name, f"{queries:,}", cells)
        if evaluation.differences:
            between = evaluation.differences[language]
            means = {metric: f"{value.mean:+.3f}" for metric, value in between.items()}
            yield _Row(language, DIFFERENCE, "", means)
            yield _Row(language, "p", "", {metric: format_p(value) for metric, value in between.items()})


def _lines(evaluation: Evaluation) -> Iterator[_Line]:
    for language, queries in evaluation.queries.items():
        for system in evaluation.systems:
            for metric, value in system.figures[language].items():
                yield _Line(language, system.name, queries, metric, (value.mean, value.low, value.high))
        for metric, between in evaluation.differences.get(language, {}).items():
            numbers = (between.mean, between.low, between.high, between.p)
            yield _Line(language, DIFFERENCE, queries, metric, numbers)


def _notes(evaluation: Evaluation) -> Iterator[str]:
    """What was left out, and the caveats."""
    left = f", drawn from {evaluation.queries[''] + evaluation.left_out:,}" if evaluation.left_out else ""
    yield f"{pluralize(evaluation.queries[''], 'query')} by {evaluation.source}{left}"
    if evaluation.unjudged:
        yield f"left out: {pluralize(evaluation.unjudged, 'query')} without a judgement"
    if evaluation.unindexed:
        yield f"left out: {pluralize(evaluation.unindexed, 'query')} to which no indexed document is relevant"
    if evaluation.without_relevant:
        yield f"{pluralize(evaluation.without_relevant, 'query')} with no gain above 0: counted as 0"
    for system in evaluation.systems:
        if system.missing:
            yield _missing(system)
    if evaluation.differences:
        yield (
            "± is half of a 95% interval; a difference is the second system less the first, and p how often "
            "chance alone makes one as large"
        )
    for caveat in evaluation.caveats:
        yield f"note: {caveat}"


def _missing(system: EvaluatedSystem) -> str:
    lost = f", and with them all that fits {pluralize(system.unanswerable, 'query')}"
    return (
        f"{system.name} lacks {pluralize(system.missing, 'judged document')}"
        f"{lost if system.unanswerable else ''}: they count as not found"
    )
