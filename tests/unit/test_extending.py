"""The examples of docs/how-to/extending.md keep their contracts: its test classes are collected here."""

from __future__ import annotations

import re
from pathlib import Path

from esclip._protocols import Store

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "extending.md"

for _program in re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL):
    exec(
        compile(_program, GUIDE, "exec", dont_inherit=True), globals()
    )  # as a reader pastes them, in one file


def test_a_store_needs_no_more_than_the_guide_writes() -> None:
    """The guide's store writes the abstract methods alone: the defaults keep the contract."""
    written = {name for name in vars(globals()["MyStore"]) if not name.startswith("_")}
    assert written == Store.__abstractmethods__


def test_all_three_contracts_are_kept() -> None:
    """The guide has an example of each seam."""
    assert {"TestMyStore", "TestMyEncoder", "TestCsvSource"} <= globals().keys()
