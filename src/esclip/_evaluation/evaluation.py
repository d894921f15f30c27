"""What an evaluation says: the figures of one or two systems, and how these differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from esclip._core.markup import markup
from esclip._errors import one_line
from esclip._errors.counts import pluralize
from esclip._evaluation.statistics import Difference, Figure

ALL = ""
"""The group of all queries, of any language."""


@dataclass(frozen=True, slots=True)
class EvaluatedSystem:
    """One index with one set of search options, and what was found out about it."""

    name: str
    missing: int
    """Distinct documents that were judged for these queries, and that the index lacks."""
    unanswerable: int
    """Queries of which the index lacks all relevant documents."""
    seconds: float
    """Spent on its searches, encoding included."""
    figures: Mapping[str, Mapping[str, Figure]]
    """By language, then by metric. `""` are all queries."""

    def __getitem__(self, metric: str) -> Figure:
        """The figure of a metric, over all queries."""
        return self.figures[ALL][metric]

    def to_json(self) -> dict[str, Any]:
        """The system as the command line prints it with `--json`."""
        return {
            "name": self.name,
            "missing": self.missing,
            "unanswerable": self.unanswerable,
            "seconds": self.seconds,
            **_split(self.figures),
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good searches are by judgements: nDCG@10, MRR, recall@100, and how much of it was judged at all."""

    source: str
    """Where the judgements are from."""
    queries: Mapping[str, int]
    """How many queries the figures are means of, by language. `""` are all."""
    left_out: int
    """Queries with judgements that were not drawn."""
    unjudged: int
    """Queries without a judgement, which are left out of all figures."""
    without_relevant: int
    """Queries whose judgements are all 0: each counts as 0."""
    unindexed: int
    """Queries that were left out since no index holds a relevant document of theirs: with `indexed_only`."""
    seed: int
    systems: tuple[EvaluatedSystem, ...]
    """One, or the two that were compared."""
    differences: Mapping[str, Mapping[str, Difference]] = field(default_factory=dict)
    """The second system less the first, by language, then by metric."""
    caveats: tuple[str, ...] = ()
    """What has to be known to read the figures."""

    def __getitem__(self, metric: str) -> Figure:
        """The figure of a metric, over all queries, of the first system."""
        return self.systems[0][metric]

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have figures of their own."""
        return tuple(language for language in self.queries if language != ALL)

    def __repr__(self) -> str:
        shown = "; ".join(
            f"{one_line(system.name)}: "
            + ", ".join(f"{metric} {figure.mean:.3f}" for metric, figure in system.figures[ALL].items())
            for system in self.systems
        )
        return f"<Evaluation of {pluralize(self.queries[ALL], 'query')} by {one_line(self.source)}: {shown}>"

    def _repr_html_(self) -> str:
        metrics = [*self.systems[0].figures[ALL]]
        head = "".join(f"<th>{markup(name)}</th>" for name in ("language", "", "queries", *metrics))
        rows = "".join(
            f"<tr>{''.join(f'<td>{markup(cell)}</td>' for cell in row)}</tr>" for row in self._table(metrics)
        )
        caveats = "".join(f"<li>{markup(caveat)}</li>" for caveat in self.caveats)
        return f"<table><tr>{head}</tr>{rows}</table><ul>{caveats}</ul>"

    def _table(self, metrics: list[str]) -> Iterator[list[str]]:
        for language, queries in self.queries.items():
            for system in self.systems:
                figures = [format_figure(system.figures[language][metric]) for metric in metrics]
                yield [language, system.name, f"{queries:,}", *figures]
            if self.differences:
                between = [self.differences[language][metric] for metric in metrics]
                yield [language, "difference", "", *(f"{value.mean:+.3f}" for value in between)]
                yield [language, "p", "", *map(format_p, between)]

    def to_json(self) -> dict[str, Any]:
        """The evaluation as the command line prints it with `--json`."""
        return {
            "source": self.source,
            "queries": self.queries[ALL],
            "languages": {language: self.queries[language] for language in self.languages},
            "left_out": self.left_out,
            "unjudged": self.unjudged,
            "without_relevant": self.without_relevant,
            "unindexed": self.unindexed,
            "seed": self.seed,
            "systems": [system.to_json() for system in self.systems],
            "difference": _split(self.differences) if self.differences else None,
            "caveats": [*self.caveats],
        }


def _split(by_language: Mapping[str, Mapping[str, Figure | Difference]]) -> dict[str, Any]:
    """What is of all queries, and what is of those in one language, for JSON."""
    values = {
        language: {metric: value.to_json() for metric, value in by_metric.items()}
        for language, by_metric in by_language.items()
    }
    return {"figures": values.pop(ALL), "languages": values}


def format_figure(figure: Figure) -> str:
    """A mean, and half of its interval."""
    return f"{figure.mean:.3f} ±{(figure.high - figure.low) / 2:.3f}"


def format_p(difference: Difference) -> str:
    """How likely a difference is by chance."""
    return "<0.001" if difference.p < 0.001 else f"{difference.p:.3f}"
