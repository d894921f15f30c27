"""`esclip doctor`: settings with where they come from, and the encoder that the index needs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from typer.testing import CliRunner

from esclip._cli.app import app
from esclip._core.schema import Space
from esclip.encoders import load_encoder
from esclip.stores.lance.store import LanceStore
from esclip.testing.documents import SCHEMA

NO_VARIABLES: dict[str, str | None] = {
    "ESCLIP_STORE": None,
    "ESCLIP_INDEX": None,
    "ESCLIP_ENCODER": None,
    "ESCLIP_CONFIG": None,
}


def findings(*words: object, exit_code: int = 0, **variables: str) -> dict[str, list[str]]:
    """The details of what doctor finds, by name; `MISSING` before those that are needed and missing."""
    command = ["doctor", "--json", *map(str, words)]
    ran = CliRunner().invoke(app, command, env={**NO_VARIABLES, **variables})
    assert ran.exit_code == exit_code, ran.output
    found: dict[str, list[str]] = {}
    for finding in map(json.loads, ran.stdout.splitlines()):
        mark = "" if finding["works"] else "MISSING " if finding["needed"] else "no "
        found.setdefault(finding["name"], []).append(mark + finding["detail"])
    return found


def make_index(folder: Path, space: Space) -> None:
    with LanceStore(folder, "photos") as store:
        store.ensure_index(replace(SCHEMA, space=space))


def test_settings_and_where_they_come_from(tmp_path: Path) -> None:
    """Of the command line, a variable, the file, for this command and others; a secret is not told."""
    file = tmp_path / "config.toml"
    file.write_text("user = 'alice'\n[doctor]\ndevice = 'cpu'\n[ingest]\nworkers = 4\n")
    found = findings(
        *("--store", tmp_path, "--encoder", "palette"),
        ESCLIP_CONFIG=str(file),
        ESCLIP_PASSWORD="s3cret-9x",
        ESCLIP_INDEX="photos",
    )
    assert found["configuration"] == [str(file)]
    assert found["setting"] == [
        f"store = {tmp_path} (the command line)",
        "index = photos (ESCLIP_INDEX)",
        "user = alice (config.toml: user)",
        "password = (set) (ESCLIP_PASSWORD)",
        "encoder = palette (the command line)",
        "device = cpu (config.toml: device in [doctor])",
        "workers = 4 (config.toml: [ingest])",
    ]
    assert "9x" not in str(found)


def test_the_encoder_of_the_index_is_tried(tmp_path: Path) -> None:
    """Without one that is named, it is the one that the index's searches use."""
    make_index(tmp_path, load_encoder("palette").space)
    (told,) = findings("--store", tmp_path, "--index", "photos")["encoder"]
    assert told.startswith("palette by palette")
    assert told.endswith("as index 'photos' was made")


def test_a_model_that_is_not_here(tmp_path: Path) -> None:
    """An index of a missing model can't be searched, which fails; what needs no model is named."""
    make_index(tmp_path, replace(SCHEMA.space, model="/models/moved", text_model="/models/moved"))
    (told,) = findings("--store", tmp_path, "--index", "photos", exit_code=1)["encoder"]
    assert told.startswith("MISSING model /models/moved")
    assert "esclip demo" in told


def test_another_encoder_than_the_index_was_made_with(tmp_path: Path) -> None:
    """An encoder that is named and does not fit the index can't search it."""
    make_index(tmp_path, SCHEMA.space)
    words = ("--store", tmp_path, "--index", "photos", "--encoder", "palette")
    (told,) = findings(*words, exit_code=1)["encoder"]
    assert "was made with" in told
