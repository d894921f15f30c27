"""What others rely on is as it was: public names, the command line, what is stored and sent.

After a change that is meant: `python -m tests.meta.snapshots`, and read the diff.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.meta.command_help import render_flags, render_help
from tests.meta.encoder_exchanges import render_encoder_protocol
from tests.meta.engine_requests import render_engine_requests
from tests.meta.exported_towers import render_towers
from tests.meta.json_output import render_json_keys
from tests.meta.public_names import render_public_names
from tests.meta.stored_formats import describe_ledger, describe_store, render_ledger, render_store
from tests.old_index import extract_old_index

SNAPSHOTS: dict[str, Callable[[], str]] = {
    "public_names": render_public_names,
    "help": render_help,
    "flags": render_flags,
    "json_keys": render_json_keys,
    "embedded_store": render_store,
    "ledger": render_ledger,
    "engine_indexes": render_engine_requests,
    "encoder_protocol": render_encoder_protocol,
    "exported_towers": render_towers,
}

ELSEWHERE = {"exported_towers"}
"""Compared by `integration/test_exported_towers.py`: it loads torch."""


def path_of(name: str) -> Path:
    """The file of a snapshot."""
    return Path(__file__).parent / "snapshots" / f"{name}.txt"


def read_snapshot(name: str) -> list[str]:
    """Its lines."""
    return path_of(name).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", sorted(SNAPSHOTS.keys() - ELSEWHERE))
def test_snapshot(name: str) -> None:
    """What the snapshot shows has not changed."""
    assert SNAPSHOTS[name]().splitlines() == read_snapshot(name)


def test_an_old_index_is_stored_like_a_new_one(tmp_path: Path) -> None:
    """The kept index of an older version has the snapshots' tables, schema, rows, ledger, but for colours."""
    extract_old_index(tmp_path)
    for name, found in (
        ("embedded_store", describe_store(tmp_path / "store")),
        ("ledger", describe_ledger(tmp_path / "store", str(tmp_path))),
    ):
        assert _without_colors(found.splitlines()) == _without_colors(read_snapshot(name))


def _without_colors(lines: list[str]) -> list[str]:
    """The lines without the colours of pictures, which older versions did not know."""
    return [line for line in map(_without_color, lines) if line]


def _without_color(line: str) -> str:
    line = re.sub(r'^ *"?color"?: .*|\\"color\\":\\"#\w{6}\\",|, "picture_fields": \["color"\]', "", line)
    return re.sub(r'(record_fingerprint: ").*', r"\1", line)  # it counts that the colour is wanted
