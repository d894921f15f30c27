"""The configuration file: below variables and options, and strict about what stands in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from esclip._cli.app import app
from esclip._cli.config_file import SECRETS
from esclip.stores.lance.store import LanceStore
from esclip.testing.documents import SCHEMA

NO_VARIABLES = {"ESCLIP_STORE": None, "ESCLIP_INDEX": None, "ESCLIP_ENCODER": None}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in the user's folder, with a store of three indexes as the one to use."""
    for name in ("photos", "scans", "maps"):
        with LanceStore(tmp_path / "store", name) as store:
            store.ensure_index(SCHEMA)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("ESCLIP_CONFIG", raising=False)
    path = tmp_path / "config" / "esclip" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        f"store = {json.dumps(str(tmp_path / 'store'))}\nindex = 'photos'\n[stats]\nindex = 'scans'\n"
    )
    return path


def run(*words: str, exit_code: int = 0, **variables: Any) -> tuple[str, str]:
    ran = CliRunner().invoke(app, words, env=NO_VARIABLES | variables)
    assert ran.exit_code == exit_code, ran.output
    return ran.stdout, ran.stderr


def index_of_stats(*words: str, **variables: Any) -> str:
    name: str = json.loads(run("stats", "--json", *words, **variables)[0])["index"]
    return name


def test_what_comes_before_what(file: Path) -> None:
    """An option, its variable, the command's table, the top of the file, the default."""
    assert index_of_stats("--index", "photos", ESCLIP_INDEX="maps") == "photos"
    assert index_of_stats(ESCLIP_INDEX="maps") == "maps"
    assert index_of_stats() == "scans"
    file.write_text(file.read_text().partition("[stats]")[0])
    assert index_of_stats() == "photos"
    file.write_text(file.read_text().partition("index")[0])
    assert "image_search" in run("stats", exit_code=1)[1]


def test_another_file_or_none(file: Path, tmp_path: Path) -> None:
    """ESCLIP_CONFIG names another file; empty, none; one that isn't there is an error."""
    other = tmp_path / "other.toml"
    other.write_text(file.read_text().replace("scans", "maps"))
    assert index_of_stats(ESCLIP_CONFIG=str(other)) == "maps"
    assert "does not exist" in run("stats", exit_code=1, ESCLIP_CONFIG="", XDG_DATA_HOME=str(tmp_path))[1]
    other.unlink()
    assert f"no file {other}" in run("stats", exit_code=1, ESCLIP_CONFIG=str(other))[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stroe = 'x'", ["stroe", "may be store"]),
        ("[search-text]\nlimit = 5", ["limit", "of search-text"]),
        ("[ingets]\nworkers = 5", ["command 'ingets'", "may be ingest"]),
        ("index = true", ["index is True", "a text or a number"]),
        ("index = ['a', 'b']", ["index is ['a', 'b']"]),
        ("[ingest]\nprune = 'yes'", ["prune is 'yes'", "true or false"]),
        ("index = ", ["is no TOML"]),
        ("[stats.index]\na = 1", ["index is {'a': 1}"]),
        ("index = 2020-01-01", ["index is"]),
        ("yes = true", ["no option 'yes'"]),
        ("[forget]\nwhere = 'label=dog'", ["no option 'where' of forget"]),
        ("store = 'https://alice:secret-9x@host'", ["store has a password", "ESCLIP_PASSWORD"]),
        ("'a\\u001b[31m' = 1", ["no option"]),
        ("a = '" + "x" * (1 << 20) + "'", ["larger than 1 MiB"]),
        ("a = " + "[" * 9000, ["is no TOML"]),
        *((f"{name} = 'secret-9x'", [f"{name}: secrets", variable]) for name, variable in SECRETS.items()),
    ],
)
def test_what_it_may_not_have(file: Path, text: str, told: list[str]) -> None:
    """An unknown name, a value of another kind, a secret: one line with the file and what is wrong."""
    file.write_text(text)
    _, stderr = run("stats", exit_code=1)
    assert stderr.startswith(f"esclip: {file}")
    assert all(part in stderr for part in told), stderr
    assert stderr.count("\n") == 1
    assert stderr.rstrip().isprintable()
    assert "9x" not in stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[search-text]\nk = 'many'", "k in [search-text]: "),
        ("[search-text]\nk = 0", "k in [search-text]: "),
        ("where = 'a = = b'", "where: "),
        ("[search-text]\nin = ['crops', 'frames']", "in in [search-text]: there is no frames"),
    ],
)
def test_a_value_that_an_option_does_not_take(file: Path, text: str, told: str) -> None:
    """What would be wrong usage on the command line names file and key, where it is used."""
    file.write_text(file.read_text().partition("[stats]")[0] + text)
    _, stderr = run("search-text", "red", exit_code=1)
    assert stderr.startswith(f"esclip: {file}: {told}")
    assert index_of_stats() == "photos"


def test_no_file_and_no_bytes_of_text(file: Path) -> None:
    """A folder in its place and bytes that are no UTF-8 are errors of one line."""
    file.write_bytes(b"index = '\xff'")
    assert "is no TOML" in run("stats", exit_code=1)[1]
    file.unlink()
    file.mkdir()
    assert f"{file} can't be read" in run("stats", exit_code=1)[1]


def test_a_help_needs_no_file(file: Path) -> None:
    """Who looks up what a key is called gets the help, whatever the file says."""
    file.write_text("index = ")
    assert "Usage" in run("stats", "--help")[0]
    assert "Usage" in run("--help")[0]


def test_every_option_but_secrets_and_those_of_one_call(file: Path) -> None:
    """Lists for what is repeatable or has commas, flags, numbers, second names: all are taken."""
    file.write_text(
        "model = 'palette'\n[ingest]\nallow_host = ['a.org', 'b.org']\nparts = ['crops']\nprune = true\n"
    )
    commands = vars(typer.main.get_command(app))["commands"]
    from esclip._cli.config_file import defaults_of, read_config

    config = read_config()
    assert config
    assert defaults_of(config, commands["ingest"], commands) == {
        "encoder": "palette",
        "allow_hosts": ["a.org", "b.org"],
        "parts": "crops",
        "prune": True,
    }
