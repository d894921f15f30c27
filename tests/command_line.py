"""The command line as a user runs it: a subprocess with a home of its own (fixtures in `conftest.py`)."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import chdir, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from typer.testing import CliRunner

__all__ = ["Esclip", "Ran", "in_process", "runner"]


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


def in_process(home: Path) -> Esclip:
    """The same as `runner` in this process, which starts faster; what needs one of its own gets it."""
    in_another = runner(home)
    places = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "XDG_CACHE_HOME": str(home / "cache")}

    def run(
        *arguments: str | Path,
        status: int = 0,
        cwd: Path | None = None,
        **environ: Any,
    ) -> Ran:
        if environ.keys() & {"script", "answer", "stdin"}:
            return in_another(*arguments, status=status, cwd=cwd, **environ)
        from esclip._cli.app import app  # not where only processes are started

        without = dict.fromkeys(name for name in os.environ if name.startswith("ESCLIP_"))
        with chdir(cwd or Path.cwd()):
            result = CliRunner().invoke(
                app,
                [*map(str, arguments)],
                env=without | places | environ,
            )
        ran = Ran(result.exit_code, result.stdout, result.stderr)
        assert ran.status == status, f"exit {ran.status}\n{ran.out}\n{ran.err}\n{result.exception!r}"
        return ran

    return run


def runner(home: Path) -> Esclip:
    """What runs `esclip` (or a script) with arguments and environment variables, at home in `home`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ESCLIP_")}
    places = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "XDG_CACHE_HOME": str(home / "cache")}

    def run(
        *arguments: str | Path,
        status: int = 0,
        cwd: Path | None = None,
        script: Path | None = None,
        answer: str | None = None,
        stdin: Path | None = None,
        **environ: str,
    ) -> Ran:
        """With `answer` on a terminal, where that is typed; stdout is a pipe all the same."""
        program = [script] if script else ["-m", "esclip"]
        command = [sys.executable, *program, *map(str, arguments)]
        env = inherited | places | environ
        if answer is None:
            with stdin.open("rb") if stdin else nullcontext() as given:
                done = subprocess.run(
                    command,
                    env=env,
                    cwd=cwd,
                    stdin=given,
                    capture_output=True,
                    text=True,
                    timeout=240,
                    check=False,
                )
            ran = Ran(done.returncode, done.stdout, done.stderr)
        else:
            ran = _on_terminal(command, answer, env=env, cwd=cwd)
        assert ran.status == status, f"exit {ran.status}\n{ran.out}\n{ran.err}"
        return ran

    return run


def _on_terminal(command: Sequence[str], answer: str, **options: Any) -> Ran:
    """A command whose stdin and stderr are a terminal."""
    ours, its = pty.openpty()
    with os.fdopen(ours, "rb+", buffering=0) as terminal:
        process = subprocess.Popen(
            command,
            stdin=its,
            stdout=subprocess.PIPE,
            stderr=its,
            text=True,
            start_new_session=True,
            **options,
        )
        os.close(its)
        terminal.write(f"{answer}\n".encode())
        shown: list[bytes] = []
        reader = Thread(target=_read_to_end, args=(terminal, shown))
        reader.start()
        out, _ = process.communicate(timeout=240)
        reader.join()
    return Ran(process.returncode, out, b"".join(shown).decode())


def _read_to_end(terminal: Any, shown: list[bytes]) -> None:
    with suppress(OSError):  # the end of a terminal is an error
        while data := terminal.read(4096):
            shown.append(data)
