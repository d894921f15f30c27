"""Reads documents by id, and page after page in the order of their ids.

pymilvus's own iterator does not escape ids between pages, and reads the schema before each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from esclip._concurrency.streams import batches
from esclip._core.filter_limits import simplify
from esclip._core.filters import Condition
from esclip._core.schema import Field
from esclip._core.types import Hit, ImageRecord
from esclip.stores.filter_eval import compile_filter
from esclip.stores.milvus.client import MilvusConnection
from esclip.stores.milvus.filters import EVERY, as_argument, both, compile_expression, in_expression, quote
from esclip.stores.milvus.rows import hit_columns, read_hit

MAX_ROWS = 16_384
"""Rows of one answer of a Milvus server."""

VECTOR_ROWS = 4_096
"""The same with vectors: 8 MB with 512 dimensions, and four times as much as Python's numbers."""

IDS_AT_ONCE = 2_048

IN_ORDER = {"iterator": "True", "reduce_stop_for_best": "True"}
"""With these, an answer has the first rows by id, as pymilvus's iterator wants them."""

Row = dict[str, Any]


def read_by_id(connection: MilvusConnection, ids: Sequence[str], columns: Sequence[str]) -> list[Row]:
    """Some columns of the rows with these ids, in any order; missing ids are left out."""
    rows: list[Row] = []
    for batch in batches(ids, IDS_AT_ONCE):
        expression = in_expression("id", batch)
        rows += connection.request("query", filter=expression, output_fields=["id", *columns])
    return rows


def count_rows(connection: MilvusConnection, expression: str = "") -> int:
    """The number of documents for which an expression is true."""
    (row,) = connection.request("query", filter=expression, output_fields=["count(*)"])
    return int(row["count(*)"])


def iter_rows(
    connection: MilvusConnection,
    expression: str,
    columns: Sequence[str],
    page: int = MAX_ROWS,
    after: str = "",
) -> Iterator[list[Row]]:
    """Some columns of the rows for which an expression is true, by pages, ordered by id."""
    rows: list[Row] | None = None
    while rows is None or len(rows) == page:
        beyond = f"id > {quote(after)}" if after else EVERY
        rows = list(
            connection.request(
                "query",
                filter=as_argument(both(beyond, expression)),
                output_fields=["id", *columns],
                limit=page,
                **IN_ORDER,
            )
        )
        if rows:
            yield rows
            after = rows[-1]["id"]


def iter_matching(
    connection: MilvusConnection,
    where: Sequence[Condition],
    fields: Sequence[Field],
    columns: Sequence[str],
    page: int = MAX_ROWS,
    after: str = "",
) -> Iterator[list[Row]]:
    """The same of the rows that fulfil all conditions; a page may be empty."""
    where = simplify(where)
    expression, exact = compile_expression(where)
    wanted = columns if exact else [*dict.fromkeys((*columns, *hit_columns(fields)))]
    for rows in iter_rows(connection, expression, wanted, page, after):
        yield rows if exact else matching_rows(rows, where, fields)


def matching_rows(rows: Sequence[Row], where: Sequence[Condition], fields: Sequence[Field]) -> list[Row]:
    """The rows, with the columns of hits, that fulfil all conditions."""
    matches = compile_filter(where)
    return [row for row in rows if matches(_record(read_hit(row, 0.0, fields)))]


def _record(hit: Hit) -> ImageRecord:
    return ImageRecord(
        hit.id, hit.location, "", "", page=hit.page, description=hit.description, metadata=hit.metadata
    )
