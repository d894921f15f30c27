"""Columns of metadata fields, read batch by batch to be counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esclip._core.facet_counting import Column
from esclip._core.schema import Field, FieldType

BATCH_ROWS = 65_536
"""Rows that are counted at once: in fewer, each value is added up more often."""


def read_columns(
    dataset: Any, where: str | None, fields: Sequence[Field]
) -> Iterator[tuple[int, list[Column]]]:
    """The columns of the rows for which SQL is true; empty ones of fields that the dataset lacks."""
    present = [field.name for field in fields if field.name in dataset.schema.names]
    if not present:
        yield dataset.count_rows(filter=where), [Column(0) for _ in fields]
        return
    for batch in dataset.to_batches(columns=present, filter=where, batch_size=BATCH_ROWS):
        columns = [_column(batch[f.name], f.type) if f.name in present else Column(0) for f in fields]
        yield batch.num_rows, columns


def _column(values: Any, kind: FieldType) -> Column:
    match kind:
        case FieldType.KEYWORDS:
            return _lists_column(values)
        case FieldType.KEYWORD | FieldType.BOOLEAN:
            known = values.drop_null()
            return Column(len(known), _counts(known))
        case FieldType.DATE:
            values = values.cast(pa.int64())
    numbers = values.drop_null()
    return Column(len(numbers), numbers=numbers.to_numpy(zero_copy_only=False))


def _lists_column(lists: Any) -> Column:
    """Of lists of texts: each text of a row counts once."""
    present = pc.sum(pc.greater(pc.list_value_length(lists), 0)).as_py() or 0
    texts = pc.list_flatten(lists).dictionary_encode()
    distinct = max(1, len(texts.dictionary))
    pairs = np.sort(pc.list_parent_indices(lists).to_numpy() * distinct + texts.indices.to_numpy())
    first = np.ones(len(pairs), dtype=bool)
    first[1:] = pairs[1:] != pairs[:-1]
    counts = np.bincount(pairs[first] % distinct, minlength=len(texts.dictionary))
    return Column(present, dict(zip(texts.dictionary.to_pylist(), counts.tolist(), strict=True)))


def _counts(values: Any) -> dict[Any, int]:
    counted = values.value_counts()
    return dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True))
