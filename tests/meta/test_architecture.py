"""The map of the code is complete."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_map_names_every_file_and_no_other() -> None:
    """ARCHITECTURE.md lists each module, and the layers name each top-level one."""
    (tree,) = re.findall(
        r"```\nsrc/esclip/\n(.*?)```", (ROOT / "ARCHITECTURE.md").read_text("utf-8"), re.DOTALL
    )
    listed = re.findall(r"─ (\w+\.py)", tree)
    files = [path.name for path in (ROOT / "src" / "esclip").rglob("*.py") if path.name != "__main__.py"]
    assert sorted(listed) == sorted(files)
