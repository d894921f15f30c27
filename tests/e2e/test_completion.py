"""Completion in a real bash: commands, options, and values of some options."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from esclip.stores.lance.store import LanceStore
from esclip.testing.documents import SCHEMA

COMPLETE = """
esclip() { "$PYTHON" -m esclip "$@"; }
eval "$(_ESCLIP_COMPLETE=source_bash esclip)"
for line in "$@"; do
    read -ra COMP_WORDS <<< "$line"
    [[ $line == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
    "$(complete -p esclip | sed 's/.*-F \\([^ ]*\\) .*/\\1/')" "$PWD/esclip"
    echo "${COMPREPLY[*]}"
done
"""
"""What bash does when Tab is pressed at the end of each line."""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_what_tab_completes(tmp_path: Path) -> None:
    """A command, an option, an index of the store that stands before it, a model, a choice after a comma."""
    for name in ("photos", "prints", "maps"):
        with LanceStore(tmp_path / "store", name) as store:
            store.ensure_index(SCHEMA)
    program = tmp_path / "esclip"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m esclip "$@"\n')
    program.chmod(0o755)
    lines = [
        "esclip search-te",
        "esclip search-text --mo",
        f"esclip stats --store {tmp_path / 'store'} --index p",
        "esclip search-text --encoder pal",
        "esclip search-text --in crops,cap",
        "esclip stats --store http://localhost:9 --index p",
    ]
    command = ["bash", "-c", COMPLETE, "bash", *lines]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ESCLIP_")}
    environ = inherited | {"PYTHON": sys.executable, "HOME": str(tmp_path)}
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "search-text search-texts",
        "--model",
        "photos prints",
        "palette",
        "crops,captions",
        "",
    ], done.stderr
