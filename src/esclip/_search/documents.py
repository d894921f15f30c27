"""Documents of an index that were asked for by id: a sequence, and tables of pandas, Arrow and polars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, overload

from esclip._core.types import PICTURE, StoredDocument, json_metadata
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape
from esclip._search.tables import arrow_table, pandas_table, polars_table, with_metadata

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

COLUMNS = ("id", "location", "page", "description")

MAX_IDS_SHOWN = 3


class Documents(Sequence[StoredDocument]):
    """Documents in the order in which they were asked for."""

    def __init__(self, documents: Iterable[StoredDocument], missing: Iterable[str] = ()) -> None:
        """Keep `documents` in their order."""
        self._documents = tuple(documents)
        self.missing = tuple(missing)
        """Ids that were asked for and that the index lacks, each once."""

    @overload
    def __getitem__(self, index: int) -> StoredDocument: ...

    @overload
    def __getitem__(self, index: slice) -> Documents: ...

    def __getitem__(self, index: int | slice) -> StoredDocument | Documents:
        return Documents(self._documents[index]) if isinstance(index, slice) else self._documents[index]

    def __len__(self) -> int:
        return len(self._documents)

    def __repr__(self) -> str:
        shown = _shown([document.record.id for document in self])
        missing = f"; missing: {_shown(self.missing)}" if self.missing else ""
        return f"<{pluralize(len(self), 'document')}{': ' * bool(self)}{shown}{missing}>"

    def to_dicts(self, *, vectors: bool = False) -> list[dict[str, Any]]:
        """One dictionary per document, of values that JSON has: id, location, page, description, metadata.

        A text document has `kind`, which is `text`, and the text as its description.

        Args:
            vectors: Add each document's `vector`, as a list of floats.
        """
        return [
            {
                **{name: getattr(document.record, name) for name in COLUMNS},
                **({"kind": document.record.kind} if document.record.kind != PICTURE else {}),
                "metadata": json_metadata(document.record.metadata),
                **({"vector": document.vector.tolist()} if vectors else {}),
            }
            for document in self
        ]

    def to_pandas(self, *, vectors: bool = False) -> pd.DataFrame:
        """One row per document: id, location, page, description, then one column per metadata field.

        Args:
            vectors: Add the column `vector`, of arrays.
        """
        return pandas_table(self._columns(vectors))

    def to_arrow(self, *, vectors: bool = False) -> Any:
        """The same as `to_pandas`, as a `pyarrow.Table`.

        Args:
            vectors: Add the column `vector`, of lists of float32 with a fixed length.
        """
        return arrow_table(self._columns(vectors))

    def to_polars(self, *, vectors: bool = False) -> pl.DataFrame:
        """The same as `to_arrow`, as a table of polars. Needs the extra `polars`: without it, `ConfigError`.

        Args:
            vectors: Add the column `vector`, of arrays of float32.
        """
        return polars_table(self._columns(vectors))

    def _columns(self, vectors: bool) -> dict[str, list[Any]]:
        records = [document.record for document in self]
        names = (*COLUMNS, "kind") if any(record.kind != PICTURE for record in records) else COLUMNS
        columns = {name: [getattr(record, name) for record in records] for name in names}
        if vectors:
            columns["vector"] = [document.vector for document in self]
        return with_metadata(columns, [record.metadata for record in records])


def _shown(ids: Sequence[str]) -> str:
    return ", ".join(escape(id) for id in ids[:MAX_IDS_SHOWN]) + ", ..." * (len(ids) > MAX_IDS_SHOWN)
