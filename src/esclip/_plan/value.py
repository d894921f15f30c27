"""What a plan says: lines with a number, its unit, and the formula that gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from esclip._core.markup import render_table
from esclip._errors.escaping import escape

_BYTE_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A line of a plan."""

    name: str
    """What it is: `memory`, `disk_per_copy`."""
    value: float
    """A whole number where things are counted."""
    unit: str
    """Of the value: `bytes`, `vectors`, `hours`; `cost` is in the currency of the prices."""
    formula: str
    """How the value is computed, with the numbers."""

    @property
    def text(self) -> str:
        """The value for people: `211 GB`, `18.5 hours`; what is counted without its unit."""
        if self.unit == "bytes":
            return _format_bytes(self.value)
        if isinstance(self.value, int):
            return f"{self.value:,}"
        if self.unit == "cost":
            return f"{self.value:,.2f}"
        return f"{self.value:,.1f} {self.unit}"


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """What an index of so many pictures takes."""

    pictures: int
    engine: str
    """`embedded`, `opensearch` or `elasticsearch`."""
    encoder: str
    """The model of the vectors."""
    dimension: int
    lines: tuple[PlanLine, ...]
    notes: tuple[str, ...] = ()
    """What to think of, in sentences: too many vectors for the shards, more memory than there is."""

    @property
    def values(self) -> Mapping[str, float]:
        """The values of the lines by their names."""
        return {line.name: line.value for line in self.lines}

    def __repr__(self) -> str:
        memory, disk = (line.text for line in self.lines if line.name in ("memory", "disk"))
        return (
            f"<Plan: {self.pictures:,} pictures in {self.engine}, encoder {escape(self.encoder)}, "
            f"{self.dimension} dimensions, memory {memory}, disk {disk}>"
        )

    def _repr_html_(self) -> str:
        about = ("pictures", "engine", "encoder", "dimension")
        rows: list[tuple[str, object]] = [(name, getattr(self, name)) for name in about]
        rows += [(line.name, f"{line.text} = {line.formula}") for line in self.lines]
        return render_table([*rows, *(("note", note) for note in self.notes)])

    def to_json(self) -> dict[str, Any]:
        """The plan as the command line prints it with `--json`."""
        return asdict(self)


def _format_bytes(number: float) -> str:
    """Three digits and a decimal unit: `2.39 GB`."""
    size, unit = float(number), _BYTE_UNITS[0]
    for unit in _BYTE_UNITS:  # the last one is kept
        if size < 999.5 or unit == _BYTE_UNITS[-1]:
            break
        size /= 1000
    if unit == _BYTE_UNITS[0]:
        return f"{number:,.0f} {unit}"
    return f"{size:.{0 if size >= 99.95 else 1 if size >= 9.995 else 2}f} {unit}"
