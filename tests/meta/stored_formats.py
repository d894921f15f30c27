"""What esclip keeps on disk and sends to others, as text: read raw, by no code of esclip's."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import lance

from tests.old_index import EXAMPLES, HOME, INDEX, MAKE, extract_old_index, read_ledger, run_steps

__all__ = ["describe_ledger", "describe_store", "render_ledger", "render_store"]


def render_store() -> str:
    """The embedded store's tables, of an index that is made now."""
    return _make_index()[0]


def render_ledger() -> str:
    """The ledger's tables, of the same index."""
    return _make_index()[1]


@cache
def _make_index() -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pictures"
        extract_old_index(folder)
        shutil.rmtree(folder / "store")
        run_steps(MAKE, folder, str(folder / "store"))
        return describe_store(folder / "store"), describe_ledger(folder / "store", str(folder))


def describe_store(store: Path) -> str:
    """The columns of both tables, what their metadata has of the schema, and some rows."""
    return "\n\n".join(_describe_table(store, name) for name in (INDEX, f"{INDEX}_parts")) + "\n"


def _describe_table(store: Path, name: str) -> str:
    table = lance.dataset(str(store / f"{name}.lance"))
    columns = [
        f"    {column.name}: {column.type}{'' if column.nullable else ', not null'}"
        f"{f', {_text(column.metadata)}' if column.metadata else ''}"
        for column in table.schema
    ]
    metadata = _text(table.schema.metadata)
    schema = json.dumps(json.loads(metadata.pop("esclip")), indent=1)
    chosen = table.to_table(filter=f"id IN {EXAMPLES}").to_pylist()
    rows = [_describe_row(row) for row in sorted(chosen, key=lambda row: str(row["id"]))]
    lines = [
        f"{name}.lance: {table.count_rows()} rows",
        *columns,
        f"metadata: {metadata}",
        f"esclip: {schema}",
    ]
    return "\n".join([*lines, *rows])


def _text(metadata: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in metadata.items()}


def _describe_row(row: dict[str, Any]) -> str:
    known = {name: value for name, value in row.items() if value is not None}
    known["vector"] = [round(number, 4) for number in known["vector"]]
    return "\n".join(
        [
            f"row {known['id']}",
            *(f"    {name}: {json.dumps(value, default=str)}" for name, value in known.items()),
        ]
    )


def describe_ledger(store: Path, folder: str) -> str:
    """The SQL of a ledger; the order of its rows is by chance."""
    lines = [
        line.replace(f"{folder}/", f"{HOME}/") for line in read_ledger(store / f"{INDEX}.rejections.sqlite")
    ]
    lines = [re.sub(r"'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00'", "'TIME'", line) for line in lines]
    lines = [re.sub(r" *--.*", "", line) for line in lines]
    lines = [re.sub(r"VALUES\(\d,", "VALUES(NUMBER,", line) for line in lines]
    rows = sorted(line for line in lines if line.startswith('INSERT INTO "rejections"'))
    others = (line for line in lines if line not in rows and not line.startswith("INSERT"))
    return "\n".join([*others, *rows]) + "\n"
