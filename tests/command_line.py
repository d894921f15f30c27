"""The command line as a user runs it: a subprocess with a home of its own (fixtures in `conftest.py`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PLAIN", "Esclip", "Ran", "runner"]

PLAIN = ("black", "white", "red", "green", "yellow", "blue", "brown", "purple", "pink", "orange", "grey")
"""The colours of the plain pictures in the fixture `photos`."""


@dataclass(frozen=True)
class Ran:
    """What a finished command printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        return json.loads(self.out)

    @property
    def hits(self) -> list[dict[str, Any]]:
        """The JSON objects on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


Esclip = Callable[..., Ran]


def runner(home: Path) -> Esclip:
    """What runs `esclip` (or a script) with arguments and environment variables, at home in `home`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ESCLIP_")}
    places = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "XDG_CACHE_HOME": str(home / "cache")}

    def run(
        *arguments: str | Path,
        status: int = 0,
        cwd: Path | None = None,
        script: Path | None = None,
        **environ: str,
    ) -> Ran:
        program = [script] if script else ["-m", "esclip"]
        done = subprocess.run(
            [sys.executable, *program, *map(str, arguments)],
            env=inherited | places | environ,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == status, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
