"""The command line before engines with a lock: all commands, by options and by variables."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from tests.command_line import Esclip
from tests.engines import LOCKED, engine_access, engine_address


@pytest.mark.engine
@pytest.mark.parametrize("engine", LOCKED)
def test_every_command_gets_in(quick_esclip: Esclip, photos: Path, engine: str) -> None:
    """All commands that take a store reach a locked one, and none of them prints the password."""
    address = engine_address(engine)
    access = engine_access(address)
    assert access.user
    assert access.password
    environ = {
        "ESCLIP_STORE": address,
        "ESCLIP_INDEX": f"esclip-{uuid4().hex}",
        "ESCLIP_CA_FILE": str(access.ca_file),
        "ESCLIP_USER": access.user,
        "ESCLIP_PASSWORD": str(access.password),
    }
    said = []

    def run(*arguments: str | Path, status: int = 0) -> str:
        ran = quick_esclip(*arguments, status=status, **environ)
        said.append(ran.out + ran.err)
        return ran.out

    try:
        run("doctor", "--encoder", "palette")
        run("ingest", photos, "--encoder", "palette", "--rejections", photos / "rejections.jsonl")
        hit = run("search-text", "red", "-k", "1", "--json")
        assert "red.png" in hit
        assert "red.png" in run("search-image", photos / "red.png", "-k", "1")
        run("similar", hit.split('"')[5], "-k", "1")
        assert f"access        user {access.user}" in run("stats").splitlines()
        assert f"authenticated by user {access.user}" in run("doctor", "--encoder", "palette")
    finally:
        run("drop", "--yes")
    run("stats", status=1)
    assert str(access.password) not in "".join(said) + (photos / "rejections.jsonl").read_text()


def test_variables_of_a_cluster_break_no_folder(quick_esclip: Esclip, photos: Path) -> None:
    """What the environment holds for a cluster is nothing to a folder; an option is a mistake there."""
    environ = {"ESCLIP_USER": "alice", "ESCLIP_PASSWORD": "s3cret", "ESCLIP_CA_FILE": "/no/such/file"}
    quick_esclip("ingest", photos, "--encoder", "palette", **environ)
    assert quick_esclip("search-text", "red", "-k", "1", **environ).out
    assert "access" not in quick_esclip("stats", **environ).out
    ran = quick_esclip("search-text", "red", "--api-key", "s3cret", status=1)
    assert "is a folder, which has no lock" in ran.err
    assert "s3cret" not in ran.err


def test_options_are_checked_before_anything_else(quick_esclip: Esclip, photos: Path) -> None:
    """Credentials that can't be meant are one line on stderr, without themselves, and exit status 1."""
    store = {"ESCLIP_STORE": "https://127.0.0.1:9"}
    for options in (
        ["--user", "alice"],
        ["--api-key", "s3cret", "--aws-region", "x"],
        ["--ca-file", "/no/such"],
    ):
        ran = quick_esclip("stats", *options, status=1, **store)
        assert len(ran.err.splitlines()) == 1
        assert "s3cret" not in ran.err
    hidden = {"ESCLIP_STORE": "https://alice:s3cret@127.0.0.1:9"}
    ran = quick_esclip("doctor", "--encoder", "palette", status=1, **hidden)
    assert "MISSING store: https://127.0.0.1:9 can't be reached" in ran.out
    assert "s3cret" not in ran.out + ran.err


@pytest.mark.engine
def test_the_demo_shows_no_password(quick_esclip: Esclip, tmp_path: Path) -> None:
    """The commands that the demo shows, on a page too, have the address without the user before its host."""
    address = engine_address("opensearch").replace("//", "//alice:s3cret@")
    out = quick_esclip("demo", "--folder", tmp_path, "--store", address).out
    quick_esclip("drop", "--yes", "--store", address, "--index", "demo")
    assert "--store http://127.0.0.1" in out
    assert "s3cret" not in out + (tmp_path / "demo.html").read_text()
