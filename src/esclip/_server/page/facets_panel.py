"""The panel of facets: values to check with their counts, ranges of numbers and dates with a histogram.

URL ─► choices, filters ─► counts of all documents that they leave ─► FacetsPanel ─► _facets.html

A field's own choice doesn't narrow its own counts: whoever has checked Ana sees how many there are of Ben.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import NamedTuple, TypeAlias

from esclip._core.facets import Bucket, Facet, Facets
from esclip._core.schema import FieldType
from esclip._core.urls import is_web_address
from esclip._index import ImageIndex
from esclip._server.facet_messages import PATH_FIELDS
from esclip._server.page.address import PageAddress
from esclip._server.page.choices import IS, MAX, MIN, field_of, field_title, filters_of, is_choice

MAX_FIELDS = 12
"""Of the panel: those that tell documents apart best."""
MAX_VALUES = 12
"""Of a field."""
OPEN_FIELDS = 4
"""Of the panel, from its top; further ones are folded, but for those with a choice."""
KEEP_S = 60.0
"""Seconds that counts are kept for the same filters."""
MAX_KEPT = 32
CHART = 100, 24
"""Width and height of a histogram, without a unit."""
FIRST = ("label", "photographer", "orientation", "country", "taken_at", "keywords", "collections")
"""Fields that people ask for most, at the top."""
DULL = frozenset({"file_name", "color", "format", "modified", "submitted_at", "file_size", "width", "height"})
"""Fields of little interest, at the end."""


class Choice(NamedTuple):
    """A value to be checked."""

    value: str
    text: str
    documents: int
    checked: bool


class Bar(NamedTuple):
    """A bucket of a histogram."""

    x: float
    y: float
    width: float
    height: float


class ValuesPanel(NamedTuple):
    """A field whose values are counted."""

    name: str
    title: str
    choices: list[Choice]
    others: int
    open: bool


class RangePanel(NamedTuple):
    """A field of numbers or dates."""

    name: str
    title: str
    kind: str
    """Type of its inputs: `number` or `date`."""
    lowest: str
    highest: str
    minimum: str
    """What is chosen; empty where nothing is."""
    maximum: str
    bars: list[Bar]
    open: bool


class FacetsPanel(NamedTuple):
    """The panel."""

    documents: int
    """That the filters leave."""
    fields: list[ValuesPanel | RangePanel]
    kept: list[tuple[str, str]]
    """Parameters of the URL that the panel's form sends along."""


_Key: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]


class FacetCounter:
    """Counts facets for the panel, and keeps the counts for a while. Thread-safe."""

    def __init__(self, index: ImageIndex, *, show_paths: bool) -> None:
        self._index = index
        self._hidden = frozenset() if show_paths else PATH_FIELDS | {"folder"}
        self._lock = Lock()
        self._kept: dict[_Key, tuple[float, Facets]] = {}

    def panel(self, address: PageAddress) -> FacetsPanel:
        """The panel of a URL. Raises `EsclipError`."""
        everywhere = self._count((), ())
        names = [facet.field.name for facet in _choose(everywhere.of_fields, self._hidden)]
        where = address.values("where")
        facets = self._count(tuple(names), (*where, *filters_of(address.pairs)))
        of_fields = {name: facets[name] for name in names}
        for name in {field_of(parameter) for parameter, _ in address.pairs if is_choice(parameter)}:
            if name in of_fields:
                of_fields |= self._count((name,), (*where, *filters_of(address.pairs, but=name)))
        fields = [_field_panel(facet, number, address) for number, facet in enumerate(of_fields.values())]
        left_out = ("offset", "view", "at", "filters")
        return FacetsPanel(
            documents=facets.documents,
            fields=[field for field in fields if field is not None],
            kept=[pair for pair in address.pairs if not is_choice(pair[0]) and pair[0] not in left_out],
        )

    def _count(self, names: tuple[str, ...], where: tuple[str, ...]) -> Facets:
        """The facets of these fields, or all, among what the filters leave."""
        key, now = (names, where), time.monotonic()
        with self._lock:
            kept = self._kept.get(key)
        if kept and now - kept[0] < KEEP_S:
            return kept[1]
        facets = self._index.facets(list(names) or None, list(where) or None, limit=MAX_VALUES)
        with self._lock:
            self._kept[key] = now, facets
            while len(self._kept) > MAX_KEPT:
                del self._kept[next(iter(self._kept))]
        return facets


def _choose(facets: Iterable[Facet], hidden: frozenset[str]) -> list[Facet]:
    """The fields that tell documents apart, those that people ask for first."""
    useful = [facet for facet in facets if facet.field.name not in hidden and _is_useful(facet)]
    places = {name: place for place, name in enumerate(FIRST)}
    useful.sort(key=lambda facet: (places.get(facet.field.name, len(FIRST)), facet.field.name in DULL))
    return useful[:MAX_FIELDS]


def _is_useful(facet: Facet) -> bool:
    """Whether its values divide the documents: not one for all, nor each document its own."""
    if facet.field.type in (FieldType.INTEGER, FieldType.FLOAT, FieldType.DATE):
        lowest, highest = facet.minimum, facet.maximum
        return lowest is not None and highest is not None and _text(lowest) != _text(highest)
    if not facet.values or any(is_web_address(str(one.value)) for one in facet.values):
        return False
    several = len(facet.values) > 1 or facet.missing > 0
    return several and facet.values[0].count > 1


def _field_panel(facet: Facet, number: int, address: PageAddress) -> ValuesPanel | RangePanel | None:
    """The part of the panel for a field; None where nothing is left to choose."""
    name = facet.field.name
    title = field_title(name)
    chosen = address.values(f"{IS}{name}")
    minimum, maximum = address.value(f"{MIN}{name}"), address.value(f"{MAX}{name}")
    is_open = number < OPEN_FIELDS or bool(chosen or minimum or maximum)
    if facet.field.type in (FieldType.INTEGER, FieldType.FLOAT, FieldType.DATE):
        if facet.minimum is None or facet.maximum is None:
            return None
        kind = "date" if facet.field.type is FieldType.DATE else "number"
        bounds = _text(facet.minimum), _text(facet.maximum)
        return RangePanel(name, title, kind, *bounds, minimum, maximum, _bars(facet.buckets), is_open)
    choices = list(_choices(facet, chosen))
    return ValuesPanel(name, title, choices, facet.others, is_open) if choices else None


def _choices(facet: Facet, chosen: Sequence[str]) -> Iterable[Choice]:
    """The counted values, and those that are chosen and not among them."""
    counts: Mapping[str, int] = {_value(one.value): one.count for one in facet.values}
    for value, count in {**counts, **{value: 0 for value in chosen if value not in counts}}.items():
        text = (
            {"true": "yes", "false": "no"}.get(value, value)
            if facet.field.type is FieldType.BOOLEAN
            else value
        )
        yield Choice(value, text, count, value in chosen)


def _value(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value


def _bars(buckets: Sequence[Bucket]) -> list[Bar]:
    """A histogram's bars; a bucket with any document is seen."""
    highest = max((bucket.count for bucket in buckets), default=0)
    if not highest:
        return []
    width, height = CHART[0] / len(buckets), CHART[1]
    heights = [max(height * bucket.count / highest, 1.0) if bucket.count else 0.0 for bucket in buckets]
    return [
        Bar(round(number * width, 2), round(height - tall, 2), round(width * 0.85, 2), round(tall, 2))
        for number, tall in enumerate(heights)
        if tall
    ]


def _text(value: float | datetime) -> str:
    """A bound as an input of the form has it."""
    match value:
        case datetime():
            return value.date().isoformat()
        case int():
            return str(value)
    return f"{value:g}"
