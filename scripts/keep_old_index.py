"""Keep an index as the esclip of some commit makes it, and what that esclip answers, for tests of later ones.

    tests/fixtures/old_embedded.tar.xz        the index with its ledger, the dataset and its pictures
    tests/fixtures/old_opensearch.json.xz     settings, mapping and documents of an engine's two indexes
    tests/fixtures/old_elasticsearch.json.xz    and its ledger
    tests/fixtures/old_answers.json           the commit, and what it answered: the same on all stores

Those that are there were made by abd6eaa, the last commit before the modules moved into packages:

    git worktree add --detach ../old abd6eaa
    python -m scripts.keep_old_index ../old/src \\
        --opensearch http://127.0.0.1:9211 --elasticsearch http://127.0.0.1:9212

The pictures are drawn, and the rows made up, by `tests/old_index.py`.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from tests.old_index import (
    FIXTURES,
    HOME,
    INDEX,
    MAKE,
    SEARCH,
    WRITE,
    differences,
    engine_ledger,
    make_dataset,
    move_ledger,
    read_engine_index,
    read_ledger,
    run_steps,
)

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the fixtures, those of an engine where its address is given."""
    parser = argparse.ArgumentParser(description="Keep an index of an older esclip for tests.")
    parser.add_argument("code", type=Path, help="the folder with the esclip that makes it")
    for engine in ("opensearch", "elasticsearch"):
        parser.add_argument(
            f"--{engine}", help=f"address; its indexes {INDEX} and {INDEX}_parts are replaced"
        )
    given = parser.parse_args(arguments)
    os.environ["PYTHONPATH"] = str(given.code.resolve())
    FIXTURES.mkdir(exist_ok=True)
    answers = _keep(FIXTURES / "old_embedded.tar.xz")
    command = ["git", "-C", str(given.code), "describe", "--always", "--dirty"]
    commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    _write_answers(FIXTURES / "old_answers.json", {"commit": commit} | answers)
    for engine in ("opensearch", "elasticsearch"):
        if address := getattr(given, engine):
            _drop(address)
            others = _keep(FIXTURES / f"old_{engine}.json.xz", address)
            _drop(address)
            if found := differences(answers, others):
                raise SystemExit(f"{engine} answers otherwise: {found[:3]}")


def _keep(path: Path, address: str = "") -> dict[str, Any]:
    """Make the index, keep it in a file, and go on with it. Returns the answers."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_DATA_HOME"] = str(Path(scratch) / "data")
        folder = Path(scratch) / "pictures"
        make_dataset(folder)
        store = address or str(folder / "store")
        answers = {"make": run_steps(MAKE, folder, store)}
        if address:
            _keep_engine(path, folder, address)
        else:
            _keep_folder(path, folder)
        answers["search"] = run_steps(SEARCH, folder, store)
        for name, (change, steps) in WRITE.items():
            change(folder)
            answers[name] = run_steps(steps, folder, store)
    return answers


def _drop(address: str) -> None:
    command = ["drop", "--yes", "--store", address, "--index", INDEX]
    subprocess.run([sys.executable, "-m", "esclip", *command], stderr=subprocess.DEVNULL, check=False)


def _keep_folder(path: Path, folder: Path) -> None:
    ledger = folder / "store" / f"{INDEX}.rejections.sqlite"
    move_ledger(ledger, str(folder), HOME)
    with tarfile.open(path, "w:xz", preset=9) as archive:
        for name in ("store", "dataset", "pictures"):
            archive.add(folder / name, name, filter=_without_owner)
    move_ledger(ledger, HOME, str(folder))


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _keep_engine(path: Path, folder: Path, address: str) -> None:
    kept: dict[str, Any] = {name: read_engine_index(address, name) for name in (INDEX, f"{INDEX}_parts")}
    ledger = engine_ledger(address, INDEX)
    kept["ledger"] = [line.replace(f"{folder}/", f"{HOME}/") for line in read_ledger(ledger)]
    path.write_bytes(lzma.compress(json.dumps(kept, indent=1, sort_keys=True).encode(), preset=9))


def _write_answers(path: Path, answers: dict[str, Any]) -> None:
    """As JSON with a line for each line of a command's output."""
    lines: dict[str, str] = {}

    def marked(line: Any) -> str:
        mark = f"line {len(lines)}"
        lines[f'"{mark}"'] = json.dumps(line)
        return mark

    kept = deepcopy(answers)
    for steps in kept.values():
        for answer in steps.values() if isinstance(steps, dict) else ():
            answer["lines"] = [marked(line) for line in answer["lines"]]
    text = json.dumps(kept, indent=1)
    for mark, line in lines.items():
        text = text.replace(mark, line, 1)
    path.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
