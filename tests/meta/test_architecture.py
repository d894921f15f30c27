"""The map of the code is complete."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "esclip"


def test_the_map_names_every_folder_and_every_file_of_the_root() -> None:
    """ARCHITECTURE.md lists each package, and each module that stands beside them."""
    (tree,) = re.findall(
        r"```\nsrc/esclip/\n(.*?)```", (ROOT / "ARCHITECTURE.md").read_text("utf-8"), re.DOTALL
    )
    folders = [path.parent.name for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE]
    files = [path.name for path in PACKAGE.glob("*.py") if path.name != "__main__.py"]
    assert sorted(re.findall(r"─ (\w+)/", tree)) == sorted(folders)
    assert sorted(re.findall(r"─ (\w+\.py)", tree)) == sorted(files)
