"""What keeps the embedded store fast: few fragments, indexes for the many, no versions of old.

rows outside of the vector index ≤ IndexThresholds.exact  each is compared
rows in it ≤ IndexThresholds.probed                       each is compared, partition by partition, in memory
rows in it > IndexThresholds.probed                       those in the partitions nearest to the query
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from esclip._core.schema import Field
from esclip._errors import IndexMismatch
from esclip.stores.lance.rows import CONTENT, WORDS, added_columns

__all__ = [
    "IndexThresholds",
    "add_columns",
    "index_contents",
    "index_vectors",
    "index_words",
    "join_fragments",
    "partitions_of",
    "remove_old_versions",
    "size_on_disk",
    "vector_indexes",
]

FRAGMENT_ROWS = 65_536
"""Fragments of fewer rows are joined; larger ones stay, so that an ingest of few rows rewrites little."""

KEPT_VERSIONS = timedelta(minutes=10)
"""Versions younger than this are kept, for other processes that read them: far longer than a search takes.

Files that belong to no version, another process's write under way, are left alone by Lance for a week.
"""

INDEX_NAME = "esclip_vector_"
"""Begins the name of a vector index; its number of partitions, needed by each search, ends it."""

CONTENT_INDEX = "esclip_content"
WORDS_INDEX = "esclip_words"


@dataclass(frozen=True, slots=True)
class IndexThresholds:
    """From how many rows on a search takes a shorter way; measured with 512 dimensions on 2 cores."""

    exact: int = 10_000
    """As many vectors may be outside of the vector index, and are compared one by one (10 ms); and as many
    documents' words outside of theirs."""
    scanned: int = 100_000
    """As many content fingerprints may be outside of theirs, and are read for each batch (4 ms)."""
    probed: int = 200_000
    """As many vectors of the index are compared by a search, which takes some 10 ms."""


def add_columns(dataset: Any, fields: Sequence[Field]) -> None:
    """Add the columns that are missing, which rewrites nothing; those that are there already have to fit."""
    present = dataset.schema
    for column in added_columns(fields):
        if column.name not in present.names:
            dataset.add_columns(pa.schema([column]))
        elif (kind := present.field(column.name).type) != column.type:
            raise IndexMismatch(f"{dataset.uri} has a column {column.name} of another type, {kind}.")


def join_fragments(dataset: Any, scale: IndexThresholds) -> None:
    """Make one fragment of many small ones: each upsert adds one."""
    dataset.optimize.compact_files(target_rows_per_fragment=FRAGMENT_ROWS)


def index_vectors(dataset: Any, scale: IndexThresholds) -> None:
    """Index the vectors when too many are outside of the index.

    All anew: that takes no longer than extending the index, and keeps its partitions in shape.
    """
    rows, held = dataset.count_rows(), vector_indexes(dataset)
    if rows - sum(index.num_rows_indexed for index in held) <= scale.exact:
        return
    partitions = max(1, math.isqrt(rows) // 8)
    name = f"{INDEX_NAME}{partitions}"
    dataset.create_index(
        "vector", "IVF_SQ", name=name, metric="cosine", num_partitions=partitions, replace=True
    )
    for index in held:
        if index.name != name:
            dataset.drop_index(index.name)


def index_contents(dataset: Any, scale: IndexThresholds) -> None:
    """Index the content fingerprints, which an ingest looks up for each batch, when many are outside."""
    _index_column(dataset, CONTENT, "BTREE", CONTENT_INDEX, scale.scanned)


def index_words(dataset: Any, scale: IndexThresholds) -> None:
    """Index the words, when many are outside."""
    _index_column(dataset, WORDS, "LABEL_LIST", WORDS_INDEX, scale.exact)


def _index_column(dataset: Any, column: str, kind: str, name: str, most_outside: int) -> None:
    held = [index for index in dataset.describe_indices() if index.name == name]
    outside = dataset.count_rows() - sum(index.num_rows_indexed for index in held)
    if outside > most_outside and column in dataset.schema.names:
        dataset.create_scalar_index(column, kind, name=name, replace=True)


def remove_old_versions(dataset: Any, scale: IndexThresholds) -> None:
    """Free the disk from what was replaced a while ago."""
    dataset.cleanup_old_versions(older_than=KEPT_VERSIONS)


def size_on_disk(folder: Path) -> int:
    """Bytes of all files in the folder, old versions included."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # another process removed it meanwhile
            total += path.stat().st_size if path.is_file() else 0
    return total


def vector_indexes(dataset: Any) -> list[Any]:
    """Lance's descriptions of the indexes that `index_vectors` has made."""
    return [index for index in dataset.describe_indices() if index.name.startswith(INDEX_NAME)]


def partitions_of(index: Any) -> int:
    """The number of partitions of one."""
    return int(index.name.removeprefix(INDEX_NAME))
