"""The result of a search: a sequence of hits, a pandas table, and a gallery in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, overload

from esclip._core.types import Hit
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("rank", "id", "score", "location", "page", "description")

OPTIONAL_COLUMNS = ("relevance", "percentile", "duplicates", "box", "explanation")
"""Left out where no hit has a value."""

_COLUMN_TYPES: dict[str, type] = {
    **dict.fromkeys(("id", "location", "page", "description"), str),
    **dict.fromkeys(("score", "relevance", "percentile"), float),
    "rank": int,
}
"""Other columns have the type of their values."""


class Hits(Sequence[Hit]):
    """Hits from best to worst."""

    def __init__(self, hits: Iterable[Hit], matched: bool | None = None, note: str | None = None) -> None:
        """Keep `hits` in their order."""
        self._hits = tuple(hits)
        self.matched = matched
        """Whether the best hit scores above the null queries; None: not known."""
        self.note = note
        """Why there are no hits, and what may have been meant; None where there are hits."""

    @overload
    def __getitem__(self, index: int) -> Hit: ...

    @overload
    def __getitem__(self, index: slice) -> Hits: ...

    def __getitem__(self, index: int | slice) -> Hit | Hits:
        if isinstance(index, slice):
            return Hits(self._hits[index], self.matched, self.note)
        return self._hits[index]

    def __len__(self) -> int:
        return len(self._hits)

    def __eq__(self, other: object) -> bool:
        return self._hits == other._hits if isinstance(other, Hits) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(hit.id for hit in self._hits))

    def __repr__(self) -> str:
        if self.note:
            return f"<0 hits: {escape(self.note)}>"
        shown = ", ".join(f"{escape(hit.id)} {hit.score:.3f}" for hit in self._hits[:3])
        return f"<{pluralize(len(self), 'hit')}{': ' * bool(self)}{shown}{', ...' * (len(self) > 3)}>"

    def to_pandas(self) -> pd.DataFrame:
        """One row per hit: rank, id, score, location, page, description, then one column per metadata field.

        Between them, where a hit has a value: relevance, percentile, duplicates, box, explanation. Missing
        values don't change a column's type: texts are pandas' strings, integers and booleans stay so.
        """
        import pandas as pd

        optional = [n for n in OPTIONAL_COLUMNS if any(getattr(hit, n) not in (None, ()) for hit in self)]
        names = [*COLUMNS, *optional]
        columns = {
            name: _column([getattr(hit, name) for hit in self], _COLUMN_TYPES.get(name)) for name in names
        }
        fields = sorted({name for hit in self for name in hit.metadata})
        columns |= {name: _column([hit.metadata.get(name) for hit in self]) for name in fields}
        return pd.DataFrame(columns)

    def _repr_html_(self) -> str:
        from esclip._search.gallery import render_gallery  # with the decoder, which a search doesn't need

        return render_gallery(self)


class SearchResults(list[Hits]):
    """The hits of several queries, in their order. A list that a notebook shows as galleries."""

    def __init__(self, results: Iterable[Hits], queries: Iterable[str]) -> None:
        """Keep the hits of each query, and the queries in words."""
        super().__init__(results)
        self._queries = tuple(queries)

    def _repr_html_(self) -> str:
        from esclip._search.gallery import render_results

        names = self._queries if len(self._queries) == len(self) else [""] * len(self)
        return render_results(list(zip(names, self, strict=True)), "result")


def _column(values: Sequence[Any], kind: type | None = None) -> pd.Series[Any]:
    """The values as a column, None for missing ones; without `kind`, of the type that they all have.

    Integers and booleans with missing values get pandas' nullable types: as floats, large integers would
    change. Values without a column type, such as tuples, stay objects.
    """
    import pandas as pd

    if kind is None:
        kinds = {type(value) for value in values if value is not None}
        kind = kinds.pop() if len(kinds) == 1 else None
    has_missing = any(value is None for value in values)
    if kind is str:
        return pd.Series(list(values), dtype=pd.Series(["a text"]).dtype)  # strings as pandas has them
    if kind is int:
        return pd.Series(list(values), dtype="Int64" if has_missing else "int64")
    if kind is bool:
        return pd.Series(list(values), dtype="boolean" if has_missing else "bool")
    if kind is float:
        return pd.Series(list(values), dtype="float64")
    if kind is datetime:
        with suppress(ValueError, OverflowError):  # before pandas 3, dates of other centuries have no column
            return pd.Series(pd.to_datetime(list(values), utc=True))
    return pd.Series(list(values), dtype="object")
