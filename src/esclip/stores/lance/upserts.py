"""Writes rows in place of those with their ids, in one commit.

    rows ─► a new fragment ─► whose ids are stored? ─► those rows marked as deleted ─► commit
                                      ▲                                                  │
                                      └─────────────── another process was faster ───────┘

Lance's own merge compares all ids of the index or, by their index, reads all columns of the rows outside of
it. This reads the pages of that index that the ids are in.

Two commits that only add rows do not conflict: two processes could write one new id twice. So each names
the fragment with the smallest number as changed. Where another commit that names it came between reading and
committing, Lance refuses. Two can name different ones only where the smaller was removed in between, and what
removes a fragment conflicts with what names it. No lock is needed; a process that is killed leaves nothing
but files that no version has.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Any

import numpy as np
import pyarrow as pa
from lance import LanceDataset, LanceOperation
from lance.fragment import write_fragments

from esclip._concurrency.retry import COMMIT, retry
from esclip.stores.lance.filters import in_sql
from esclip.stores.lance.rows import select_present

OFFSET_BITS = 32
"""The lower bits of a row's address are its place in the fragment, whose number is in the others."""


def upsert_rows(dataset: Any, table: pa.Table) -> None:
    """Write rows of all columns, at least one and each id once, each in place of that with its id."""
    table = select_present(table, dataset)
    ids, written = table["id"].to_pylist(), write_fragments(table, dataset, mode="append")

    def commit(deadline: float) -> None:
        dataset.checkout_latest()
        operation = _replacement(dataset, written, ids)
        LanceDataset.commit(dataset, operation, read_version=dataset.version)

    # Not the run's event: what is being written when it is asked to stop is written.
    retry(commit, COMMIT, Event())


def _replacement(dataset: Any, written: Sequence[Any], ids: Sequence[str]) -> Any:
    """The operation that adds fragments and takes away the rows that have their ids."""
    present = dataset.get_fragments()
    if not present:  # Nothing to name as changed; this operation conflicts with all others.
        return LanceOperation.Merge(written, dataset.lance_schema)
    smallest = min(present, key=lambda fragment: fragment.fragment_id)
    changed = {smallest.fragment_id: smallest.metadata} | _without_rows(dataset, ids)
    return LanceOperation.Update(
        removed_fragment_ids=[number for number, fragment in changed.items() if fragment is None],
        updated_fragments=[fragment for fragment in changed.values() if fragment is not None],
        new_fragments=written,
    )


def _without_rows(dataset: Any, ids: Sequence[str]) -> dict[int, Any]:
    """The fragments that have rows with these ids, by number, without those rows; None where none is left."""
    scanner = dataset.scanner(columns=[], filter=in_sql("id", ids), with_row_address=True)
    addresses = scanner.to_table()["_rowaddr"].to_numpy()
    numbers, offsets = addresses >> OFFSET_BITS, addresses & ((1 << OFFSET_BITS) - 1)
    return {
        number: dataset.get_fragment(number).delete_rows(offsets[numbers == number].tolist())
        for number in np.unique(numbers).tolist()
    }
