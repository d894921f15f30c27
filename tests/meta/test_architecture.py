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


def test_the_home_of_each_fact_is_there() -> None:
    """Each module that ARCHITECTURE.md names exists, and holds the name that stands behind it."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    named = re.findall(r"`((?:\w+/)+\w+)\.(\w+)(?:\.\w+)*`", text)
    assert len(named) > 20
    for module, name in named:
        if module.startswith(("src/", "docs/", "scripts/", "tests/")):
            assert (ROOT / f"{module}.{name}").exists(), module
        elif name == "py":
            assert (PACKAGE / f"{module}.py").exists(), module
        else:
            assert re.search(rf"\b{name}\b", (PACKAGE / f"{module}.py").read_text("utf-8")), (
                f"{module}.{name}"
            )
