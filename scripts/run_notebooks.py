"""Runs the notebooks of examples/ in a kernel, and keeps what they show.

    python -m scripts.run_notebooks          # writes each anew; tests/integration/test_notebooks.py compares

Each runs in an empty folder, without a network and without a model.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

__all__ = ["NOTEBOOKS", "run"]

NOTEBOOKS = sorted((Path(__file__).parent.parent / "examples").glob("*.ipynb"))

LIMIT_S = 120
"""For one cell."""


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs of a run in `folder`. Raises `CellExecutionError` where a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    names = ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "IPYTHONDIR")
    home = {name: str(folder / "home") for name in names}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ESCLIP_")}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    client = NotebookClient(
        notebook,
        timeout=LIMIT_S,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--log-level=ERROR"],  # it warns of its loopback ports
    )
    client.execute(env=inherited | home | {"PATH": programs})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _shows_something(output)]
    return notebook


def _shows_something(output: nbformat.NotebookNode) -> bool:
    """False for what a progress bar leaves when it is gone."""
    return any(output.get("data", {"": "a stream"}).values())


def main() -> None:
    """Write all notebooks."""
    for path in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(run(path, Path(folder)), path)


if __name__ == "__main__":
    main()
