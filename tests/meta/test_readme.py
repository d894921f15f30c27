"""What the README shows is what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.command_line import Esclip

SCORE = r"\b[01]\.\d{4}\b"

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text(encoding="utf-8")


def test_the_demo_prints_what_the_readme_shows(esclip: Esclip, tmp_path: Path) -> None:
    """The README's example output is the demo's: commands and pictures to the letter, scores to 0.01."""
    (shown,) = re.findall(r"<!-- demo -->\n```\n(.*?)```", TEXT, re.DOTALL)
    out = esclip("demo", "--folder", "demo", cwd=tmp_path).out
    assert re.sub(SCORE, "", shown).strip() in re.sub(SCORE, "", out)
    printed = [float(score) for score in re.findall(SCORE, out)]
    wanted = [float(score) for score in re.findall(SCORE, shown)]
    assert len(wanted) >= 15
    assert printed[: len(wanted)] == pytest.approx(wanted, abs=0.01)


def test_the_python_example_runs(esclip: Esclip, photos: Path, tmp_path: Path) -> None:
    """The README's Python example does what it says, on a folder of pictures."""
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(example, encoding="utf-8")
    out = esclip(cwd=photos.parent, script=script).out
    assert "red.png 1.0" in out
