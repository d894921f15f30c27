"""Where a Lance dataset remembers its index's schema: as JSON in the metadata of its own schema."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from esclip._core.schema import IndexSchema
from esclip._errors import StoreError

__all__ = ["SCHEMA_KEY", "fitting", "schema_metadata", "schema_of"]

SCHEMA_KEY = "esclip"

LONGEST = 1 << 22
"""Characters: room for thousands of fields and a thousand labels."""


def schema_metadata(schema: IndexSchema) -> dict[str, str]:
    """What a dataset's metadata has of the schema."""
    return {SCHEMA_KEY: orjson.dumps(schema.to_json()).decode()}


def schema_of(dataset: Any) -> IndexSchema:
    """The schema in a dataset's metadata. Raises `StoreError` when it can't be read."""
    try:
        return _read_schema(dataset.schema_metadata[SCHEMA_KEY])
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{dataset.uri} was made by another version of esclip, or is damaged; ingest again."
        ) from error


def fitting(table: Any, dataset: Any) -> Any:
    """The columns of `table` that the dataset has: it may have been made before there were others."""
    present = set(dataset.schema.names)
    return table.select([name for name in table.column_names if name in present])


@lru_cache(maxsize=8)
def _read_schema(text: str) -> IndexSchema:
    """Kept by its text: each call reads the schema of the version that it opens."""
    if len(text) > LONGEST:
        raise ValueError("a schema without an end")
    return IndexSchema.from_json(orjson.loads(text))
