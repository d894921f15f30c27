"""A user without a home directory, or with one that can't be written, as in containers."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from tests.command_line import Esclip, Ran

NO_HOME = {"HOME": "", "XDG_DATA_HOME": "", "XDG_CACHE_HOME": ""}
"""No home can be found out, if the user has no entry in passwd either."""
NO_FOLDER = {"HOME": "/dev/null", "XDG_DATA_HOME": "", "XDG_CACHE_HOME": ""}
"""A home in which nothing can be made, by root neither."""
NO_CACHE = {"XDG_CACHE_HOME": "/dev/null"}

NOBODY = """
import pwd

def unknown(uid):
    raise KeyError(uid)

pwd.getpwuid = unknown
from esclip._cli.app import main

main()
"""


@pytest.fixture
def nobody(esclip: Esclip, tmp_path: Path) -> Esclip:
    """Runs `esclip` as a user who has no entry in passwd."""
    script = tmp_path / "nobody.py"
    script.write_text(NOBODY)
    return partial(esclip, script=script)


def warned(ran: Ran, temporary: Path) -> bool:
    """Whether stderr tells exactly once where the caches are."""
    told = [line for line in ran.err.splitlines() if "caches are in" in line]
    return len(told) == 1 and str(temporary) in told[0] and "set HOME" in told[0]


@pytest.mark.parametrize(
    "environ", [NO_HOME, NO_FOLDER, NO_CACHE], ids=["no home", "no folder", "cache is a file"]
)
def test_a_named_store_is_enough(
    nobody: Esclip, photos: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    """An index can be filled and searched, and models be listed; caches are temporary, which is told once."""
    temporary, store = tmp_path / "temporary", tmp_path / "store"
    temporary.mkdir()
    environ = environ | {"TMPDIR": str(temporary), "ESCLIP_STORE": str(store)}
    ran = nobody("ingest", photos, "--encoder", "palette", cwd=tmp_path, **environ)
    assert warned(ran, temporary)
    assert len(ran.err.splitlines()) == 2
    assert len(nobody("search-text", "red", cwd=tmp_path, **environ).out.splitlines()) == 10
    models = nobody("models", cwd=tmp_path, **environ)
    assert warned(models, temporary)
    (private,) = temporary.iterdir()
    assert private.stat().st_mode & 0o077 == 0
    assert not (tmp_path / "~").exists()
    assert not (tmp_path / "not").exists()


def test_an_index_is_put_into_no_temporary_folder(nobody: Esclip, photos: Path, tmp_path: Path) -> None:
    """Where no store is named and there is no home for one, the error says what to name."""
    environ = NO_HOME | {"TMPDIR": str(tmp_path)}
    for command in (["ingest", photos, "--encoder", "palette"], ["stats"], ["drop"]):
        told = nobody(*command, status=1, **environ).err
        assert "ESCLIP_STORE" in told
        assert "HOME" in told
        assert len(told.splitlines()) == 1
    assert "--folder" in nobody("demo", status=1, **environ).err
    doctor = nobody("doctor", "--encoder", "palette", status=1, **environ)
    assert "ESCLIP_STORE" in doctor.out


def test_a_folder_that_somebody_else_made_is_not_used(nobody: Esclip, tmp_path: Path) -> None:
    """What is in a cache is run as a model: a folder that others can write to, or a link, is left alone."""
    temporary, elsewhere = tmp_path / "temporary", tmp_path / "elsewhere"
    temporary.mkdir()
    elsewhere.mkdir(mode=0o700)
    theirs = temporary / f"esclip-{os.getuid()}"
    theirs.symlink_to(elsewhere)
    ran = nobody("models", **NO_HOME, TMPDIR=str(temporary))
    assert warned(ran, temporary)
    assert f"{theirs};" not in ran.err
    theirs.unlink()
    theirs.mkdir()
    theirs.chmod(0o777)
    assert f"{theirs};" not in nobody("models", **NO_HOME, TMPDIR=str(temporary)).err
    assert not any(elsewhere.iterdir())
