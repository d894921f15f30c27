"""The result of a search: a sequence of hits, tables of them, and a gallery in a notebook."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from esclip._core.arguments import AnyPath, coerce_path, coerce_texts
from esclip._core.other_names import name_ours
from esclip._core.types import PICTURE, Hit
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape
from esclip._search.tables import arrow_table, pandas_table, polars_table, with_metadata

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from esclip._search.copying import CopyReport
    from esclip._search.selection import Gallery

COLUMNS = ("rank", "id", "score", "location", "page", "description")

OPTIONAL_COLUMNS = ("kind", "relevance", "percentile", "duplicates", "box", "explanation", "index")
"""Left out where no hit has a value."""


class Hits(Sequence[Hit]):
    """Hits from best to worst."""

    def __init__(
        self,
        hits: Iterable[Hit],
        matched: bool | None = None,
        note: str | None = None,
        took: Mapping[str, float] | None = None,
    ) -> None:
        """Keep `hits` in their order."""
        self._hits = tuple(hits)
        self.matched = matched
        """Whether the best hit scores above the null queries; None: not known."""
        self.note = note
        """Why there are no hits, and what may have been meant; None where there are hits."""
        self.took = took or {}
        """Seconds of the search, with the queries beside it: `encode` its clauses, ask the `store`."""

    @overload
    def __getitem__(self, index: int) -> Hit: ...

    @overload
    def __getitem__(self, index: slice) -> Hits: ...

    def __getitem__(self, index: int | slice) -> Hit | Hits:
        if isinstance(index, slice):
            return Hits(self._hits[index], self.matched, self.note, self.took)
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

    if not TYPE_CHECKING:
        __getattr__ = name_ours("Hits")

    def to_pandas(self) -> pd.DataFrame:
        """One row per hit: rank, id, score, location, page, description, then one column per metadata field.

        Between them, where a hit has a value: kind, where there are texts; relevance, percentile, duplicates,
        box, explanation; index, where several were searched. A field named as one of these stands as
        `metadata.NAME`. Missing values don't change a column's type: texts are pandas' strings, integers and
        booleans stay so.
        """
        return pandas_table(self._columns())

    def to_arrow(self) -> Any:
        """The same as `to_pandas`, as a `pyarrow.Table`: lists, and structs for places and boxes."""
        return arrow_table(self._columns())

    def to_polars(self) -> pl.DataFrame:
        """The same as `to_arrow`, as a table of polars; `ConfigError` without the extra `polars`."""
        return polars_table(self._columns())

    def to_dicts(self) -> list[dict[str, Any]]:
        """One dictionary per hit, of values that JSON has: as the command line prints them with `--json`."""
        return [hit.to_json() for hit in self]

    def _columns(self) -> dict[str, list[Any]]:
        known = (None, (), PICTURE)
        optional = [n for n in OPTIONAL_COLUMNS if any(getattr(hit, n) not in known for hit in self)]
        columns = {name: [getattr(hit, name) for hit in self] for name in (*COLUMNS, *optional)}
        return with_metadata(columns, [hit.metadata for hit in self])

    def copy_to(self, folder: AnyPath, *, allow_hosts: Collection[str] = ()) -> CopyReport:
        """Copy the pictures into a folder as `01_name.jpg`, with their ranks in front.

        Nothing is overwritten: a file of this name with other bytes is a failure, one with the same bytes is
        counted as there already. Texts are counted; what else is no picture is a failure. URLs are fetched by
        the rules of an ingest: from images.unsplash.com and `allow_hosts`.

        Args:
            folder: Made where it is missing.
            allow_hosts: Further hosts to fetch from, also at private addresses.

        Returns:
            Where the copies are, and why others could not be made.

        Raises:
            ConfigError: The folder can't be made, or an argument can't be used.

        Example:
            report = index.search_text("something red", k=3).copy_to("best")
            print(report.paths, report.failures)
        """
        from esclip._search.copying import copy_pictures

        return copy_pictures(
            self, coerce_path("the folder", folder), coerce_texts("allow_hosts", allow_hosts)
        )

    def gallery(self) -> Gallery:
        """The pictures in a notebook, of which some can be selected by mouse or keyboard.

        Needs the extra `notebook`; without it the pictures are shown, and can't be selected.

        Returns:
            A gallery, to be the last value of a cell. Its `selected` are the selected hits.

        Example:
            gallery = index.search_text("something red", k=3).gallery()
            gallery.on_change(lambda hits: print(len(hits), "selected"))
            gallery.select(gallery.hits[0])
            assert len(gallery.selected) == 1
        """
        from esclip._search.selection import Gallery  # with the decoder, which a search doesn't need

        return Gallery(self)

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
