"""Ledgers that somebody else made: a folder may come from anybody, and with it the file beside its index."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from esclip._core.record_json import dump_record
from esclip._core.rejections import Rejection, Stage
from esclip._core.types import ImageRecord
from esclip._errors import StoreError
from esclip._errors.reasons import Reason
from esclip._ingest.ledger import Ledger

RECORD = ImageRecord("a", "/a.png", Path("/a.png"), "1", metadata={"width": 3})
REJECTION = Rejection("a", "/a.png", Stage.DECODE, Reason.NOT_AN_IMAGE, "it is none", RECORD)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of one rejection."""
    path = tmp_path / "pictures.rejections.sqlite"
    ledger = Ledger(path)
    ledger.add(REJECTION)
    ledger.close()
    return path


def _change(path: Path, *statements: str, values: tuple[Any, ...] = ()) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement, values)
    connection.commit()
    connection.close()


def _use_all(path: Path) -> None:
    ledger = Ledger(path)
    try:
        ledger.counts()
        list(ledger.entries())
        ledger.add(REJECTION)
    finally:
        ledger.close()


def _fails(path: Path) -> None:
    with pytest.raises(StoreError, match="ledger of rejections") as caught:
        _use_all(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("stage", "nowhere"),
        ("id", b"\xff"),
        ("location", b"/a.png"),
        ("tried", "yesterday"),
        ("tried", 7),
        ("tries", "many"),
        ("tries", 0.5),
        ("record", "["),
        ("record", "[" * 100_000),
        ("record", b"\x00"),
        ("record", 7),
    ],
)
def test_an_odd_row_is_an_error_of_one_line(path: Path, column: str, value: object) -> None:
    """A value that the ledger never writes is damage, which the error names."""
    _change(path, f"UPDATE rejections SET {column} = ?", values=(value,))
    _fails(path)


@pytest.mark.parametrize(
    "odd",
    [
        {"id": 1},
        {"location": None},
        {"picture": None},
        {"picture": {}},
        {"picture": {"file": 1}},
        {"version": []},
        {"page": 1},
        {"description": None},
        {"metadata": []},
        {"metadata": {"a": None}},
        {"metadata": {"a": [1]}},
        {"metadata": {"a": {"date": "x"}}},
        {"metadata": {"a": {"date": 1}}},
        {"metadata": {"a": {"lat": "x", "lon": 1}}},
        {"metadata": {"a": {"deep": {}}}},
    ],
)
def test_an_odd_record_is_an_error_of_one_line(path: Path, odd: dict[str, Any]) -> None:
    """So it is with the JSON of a record."""
    text = json.dumps(json.loads(dump_record(RECORD)) | odd)
    _change(path, "UPDATE rejections SET record = ?", values=(text,))
    _fails(path)


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS number FROM n"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "statements",
    [
        ["DROP TABLE rejections", f"CREATE VIEW rejections AS {ENDLESS}"],
        ["CREATE TRIGGER t AFTER INSERT ON rejections BEGIN DELETE FROM rejections; END"],
        ["CREATE TABLE others (a)"],
        ["ALTER TABLE rejections ADD COLUMN more TEXT"],
        ["DROP TABLE rejections"],
    ],
)
def test_what_is_no_ledger_is_refused_at_once(path: Path, statements: list[str]) -> None:
    """A file with anything but the one table is refused: a view may compute for ever."""
    _change(path, *statements)
    _fails(path)


def test_another_programs_file_is_left_alone(tmp_path: Path) -> None:
    """A link to somebody's database is an error, and nothing in that changes."""
    other = tmp_path / "other.sqlite"
    _change(other, "CREATE TABLE mail (text)", "INSERT INTO mail VALUES ('hello')")
    before = other.read_bytes()
    path = tmp_path / "pictures.rejections.sqlite"
    path.symlink_to(other)
    _fails(path)
    assert other.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["other.sqlite", "pictures.rejections.sqlite"]


@pytest.mark.timeout(60)
@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders")
def test_a_named_pipe_is_an_error(tmp_path: Path) -> None:
    """What is no file at all holds nobody up."""
    os.mkfifo(tmp_path / "pipe")
    _fails(tmp_path / "pipe")
