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

from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lance import LanceDataset, LanceOperation
from lance.fragment import write_fragments

from esclip._concurrency.retry import COMMIT, retry
from esclip.stores.lance.filters import in_sql
from esclip.stores.lance.rows import select_present

ADDRESS = "_rowaddr"
OFFSET_BITS = 32
"""The lower bits of a row's address are its place in the fragment, whose number is in the others."""


def upsert_rows(dataset: Any, table: pa.Table) -> None:
    """Write rows of all columns, at least one and each id once, each in place of that with its id."""
    table = select_present(table, dataset)
    ids, written = table["id"].to_pylist(), write_fragments(table, dataset, mode="append")
    _at_latest(dataset, lambda: _commit(dataset, written, _read_stored(dataset, ids, [])))


def update_rows(dataset: Any, table: pa.Table) -> None:
    """Write some columns of rows, at least one and each id once, where their ids are stored; others stay."""
    table = select_present(table, dataset)
    ids = table["id"].to_pylist()

    def update() -> None:
        kept = [name for name in dataset.schema.names if name not in table.column_names]
        stored = _read_stored(dataset, ids, ["id", *kept])
        if len(stored):
            rows = table.take(pc.index_in(stored["id"], table["id"].combine_chunks()))
            for name in kept:
                rows = rows.append_column(dataset.schema.field(name), stored[name])
            _commit(dataset, write_fragments(rows, dataset, mode="append"), stored)

    _at_latest(dataset, update)


def _at_latest(dataset: Any, write: Callable[[], None]) -> None:
    """Run what reads and commits at the latest version, again where another process was faster."""

    def attempt(deadline: float) -> None:
        dataset.checkout_latest()
        write()

    # Not the run's event: what is being written when it is asked to stop is written.
    retry(attempt, COMMIT, Event())


def _read_stored(dataset: Any, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
    """Columns of the rows with these ids, and their addresses."""
    # to parse so many ids takes as long as to write their rows
    test = in_sql("id", ids) if dataset.get_fragments() else "false"
    return dataset.scanner(columns=[*columns], filter=test, with_row_address=True).to_table()


def _commit(dataset: Any, written: Sequence[Any], replaced: pa.Table) -> None:
    """Add fragments and take away the rows that they replace."""
    present = dataset.get_fragments()
    if present:
        smallest = min(present, key=lambda fragment: fragment.fragment_id)
        changed = {smallest.fragment_id: smallest.metadata} | _without_rows(dataset, replaced)
        operation = LanceOperation.Update(
            removed_fragment_ids=[number for number, fragment in changed.items() if fragment is None],
            updated_fragments=[fragment for fragment in changed.values() if fragment is not None],
            new_fragments=written,
        )
    else:  # Nothing to name as changed; this operation conflicts with all others.
        operation = LanceOperation.Merge(written, dataset.lance_schema)
    LanceDataset.commit(dataset, operation, read_version=dataset.version)


def _without_rows(dataset: Any, rows: pa.Table) -> dict[int, Any]:
    """The fragments that have these rows, by number, without them; None where no row is left."""
    addresses = rows[ADDRESS].to_numpy()
    numbers, offsets = addresses >> OFFSET_BITS, addresses & ((1 << OFFSET_BITS) - 1)
    return {
        number: dataset.get_fragment(number).delete_rows(offsets[numbers == number].tolist())
        for number in np.unique(numbers).tolist()
    }
