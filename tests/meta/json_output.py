"""The keys of what commands print with `--json`, where the values are of the machine.

What searches, ingests and the others print is kept whole, in `tests/fixtures/old_answers.json`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.old_index import Steps, extract_old_index, run_steps

__all__ = ["render_json_keys"]

COMMANDS: Steps = {
    "classify": (
        *("classify", "{folder}/pictures/p001.jpg", "{folder}/pictures/p002.jpg", "--labels", "red,blue"),
        *("--encoder", "palette", "--json"),
    ),
    "facets": ("facets", "country", "width", "--json"),
    "evaluate": (
        *("evaluate", "--field", "country", "--against", "exact=yes", "--encoder", "palette", "--json"),
    ),
    "audit": ("audit", "--queries", "3", "--encoder", "palette", "--json"),
    "compare": ("compare", "old", "old", "--queries", "3", "--json"),
    "export": ("export", "--out", "{folder}/cache", "--json"),
    "manifest": ("manifest", "{folder}/pictures", "--out", "{folder}/manifest", "--json"),
    "doctor": ("doctor", "--encoder", "palette", "--json"),
    "models": ("models", "--json"),
    "plan": ("plan", "1000", "--encoder", "palette", "--json"),
}


def render_json_keys() -> str:
    """A line for each key of each command."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pictures"
        extract_old_index(folder)
        answers = run_steps(COMMANDS, folder, str(folder / "store"))
    return "".join(f"{line}\n" for name in COMMANDS for line in _lines(name, answers[name]["lines"]))


def _lines(name: str, answers: list[Any]) -> list[str]:
    return sorted({f"{name}{key}" for answer in answers for key in _keys(answer)})


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield f".{key}"
            yield from (f".{key}{below}" for below in _keys(item))
    elif isinstance(value, list):
        yield from (f"[]{below}" for item in value for below in _keys(item))
