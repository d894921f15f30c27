"""What docs/explanation/reliability.md promises is tested, and what is tested stands in it."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
NAMED = set(
    re.findall(
        r"`([\w/]+\.py)::(\w+)`", (TESTS.parent / "docs/explanation/reliability.md").read_text("utf-8")
    )
)


def file_of(name: str) -> Path:
    """The contracts are in the package."""
    return (TESTS.parent / "src/esclip" if name.startswith("testing/") else TESTS) / name


def names_in(file: Path) -> set[str]:
    return set(re.findall(r"^ *def (test_\w+)\(", file.read_text("utf-8"), re.MULTILINE))


def test_every_named_test_is_there() -> None:
    """A promise is shown by a test that there is."""
    assert len(NAMED) > 30
    assert not [f"{file}::{test}" for file, test in NAMED if test not in names_in(file_of(file))]


def test_every_fault_is_named() -> None:
    """Each test that breaks something is named beside what it shows."""
    faults = {
        (str(file.relative_to(TESTS)), test)
        for file in (TESTS / "faults").glob("test_*.py")
        for test in names_in(file)
    }
    assert faults
    assert not faults - NAMED
