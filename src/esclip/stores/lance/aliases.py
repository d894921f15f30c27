"""Aliases in a store's folder: a file `photos.alias` that names an index, replaced by an atomic rename.

{"index": "photos-2"}                                       photos is an alias of photos-2
{"index": "photos-1", "renamed": {"photos_texts": ...}}     photos.lance is being renamed to photos-1.lance:
                                                            an alias as soon as it is, an index until then
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from esclip._core.settings import is_index_name
from esclip._errors import StoreError, error_text
from esclip._files.atomic import write_atomically
from esclip._files.regular import open_regular

SUFFIX = ".alias"

MAX_BYTES = 4096
"""The longest file of an alias: four names."""

_log = logging.getLogger("esclip")


def read_target(folder: Path, name: str) -> str | None:
    """The index that a name points to; None where the name is no alias."""
    found = _read(folder, name)
    if found is None or ("renamed" in found and _path(folder, name).exists()):
        return None
    target: str = found["index"]
    return target


def list_aliases(folder: Path) -> dict[str, str]:
    """The indexes of all aliases, by their names; warns of one that can't be read."""
    targets: dict[str, str] = {}
    for name in sorted(path.stem for path in folder.glob(f"*{SUFFIX}") if is_index_name(path.stem)):
        try:
            target = read_target(folder, name)
        except StoreError as error:
            _log.warning("%s", error)
            continue
        if target is not None:
            targets[name] = target
    return targets


def write_target(folder: Path, name: str, index: str) -> None:
    """Point an alias to an index."""
    finish_rename(folder, name)
    _write(folder, name, {"index": index})


def remove(folder: Path, name: str) -> None:
    """Remove an alias."""
    (folder / f"{name}{SUFFIX}").unlink(missing_ok=True)


def rename(folder: Path, name: str, index: str, beside: Mapping[str, str]) -> None:
    """Rename an index, and what belongs to it; its name becomes an alias."""
    _write(folder, name, {"index": index, "renamed": dict(beside)})
    _path(folder, name).rename(_path(folder, index))
    finish_rename(folder, name)


def finish_rename(folder: Path, name: str) -> None:
    """Rename what a call that was killed has left, of an index that it has renamed."""
    found = _read(folder, name)
    if found is None or "renamed" not in found or _path(folder, name).exists():
        return
    for old, new in found["renamed"].items():
        with suppress(FileNotFoundError):  # it never was, or another process does the same
            _path(folder, old).rename(_path(folder, new))
    _write(folder, name, {"index": found["index"]})


def _path(folder: Path, index: str) -> Path:
    return folder / f"{index}.lance"


def _write(folder: Path, name: str, value: object) -> None:
    write_atomically(folder / f"{name}{SUFFIX}", json.dumps(value).encode())


def _read(folder: Path, name: str) -> dict[str, Any] | None:
    path = folder / f"{name}{SUFFIX}"
    try:
        with open_regular(path) as file:
            found = json.loads(file.read(MAX_BYTES))
        renamed = found.get("renamed", {}).items()
        if all(map(is_index_name, (found["index"], *(one for pair in renamed for one in pair)))):
            return {**found}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"{path} can't be read ({error_text(error)})") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    raise StoreError(f"{path} is no alias of an index; remove that file")
