"""What others rely on is as it was: public names and the command line's help.

After a change that is meant: `python -m tests.meta.snapshots`, and read the diff.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.meta.command_help import render_flags, render_help
from tests.meta.public_names import render_public_names

SNAPSHOTS: dict[str, Callable[[], str]] = {
    "public_names": render_public_names,
    "help": render_help,
    "flags": render_flags,
}


def path_of(name: str) -> Path:
    """The file of a snapshot."""
    return Path(__file__).parent / "snapshots" / f"{name}.txt"


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_snapshot(name: str) -> None:
    """What the snapshot shows has not changed."""
    assert SNAPSHOTS[name]().splitlines() == path_of(name).read_text(encoding="utf-8").splitlines()
