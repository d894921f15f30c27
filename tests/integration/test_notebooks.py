"""The notebooks of examples/ run in a kernel, and what they show is small and of no machine."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from scripts.run_notebooks import NOTEBOOKS, run

MAX_BYTES = 150_000
MAX_OUTPUT_BYTES = 40_000

NUMBER = re.compile(r"-?\d+\.\d+")
VARYING = re.compile(r"\b[0-9a-f]{20}\b|\s+")
"""Ids, which depend on the folder, and the widths of columns."""


def outputs(cell: nbformat.NotebookNode) -> list[str]:
    """The texts that a cell shows."""
    return [
        str(output.get("text") or output.get("data", {}).get("text/plain", ""))
        for output in cell.get("outputs", ())
    ]


def stable(text: str) -> str:
    return VARYING.sub(" ", NUMBER.sub("0.0", text))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client", "ignore::ResourceWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_is_kept(path: Path, tmp_path: Path) -> None:
    """No cell fails, and its texts are those of the file, numbers to 0.02."""
    kept, ran = nbformat.read(path, as_version=4), run(path, tmp_path)
    for before, after in zip(kept.cells, ran.cells, strict=True):
        shown, printed = "\n".join(outputs(before)), "\n".join(outputs(after))
        assert stable(printed) == stable(shown), before.source
        wanted = [float(number) for number in NUMBER.findall(shown)]
        assert [float(number) for number in NUMBER.findall(printed)] == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_keeps(path: Path) -> None:
    """All cells have run in order; nothing shown is an error, large, or the path of a machine."""
    text = path.read_text(encoding="utf-8")
    assert len(text) < MAX_BYTES
    assert not re.search(r"/(?:tmp|home|root|Users|var|work)/", text)
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        assert all(output.output_type != "error" for output in cell.outputs)
        assert sum(len(str(output)) for output in cell.outputs) < MAX_OUTPUT_BYTES


def test_there_are_notebooks() -> None:
    """None is passed over by a mistake in where they are."""
    assert {path.stem for path in NOTEBOOKS} == {
        "quickstart",
        "filters",
        "gallery",
        "unsplash",
        "duplicates",
    }
