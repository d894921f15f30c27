"""`esclip serve-encoder` as a user runs it, and the other commands through it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from esclip import load_encoder, open_index
from esclip.testing.encoder import RecordingEncoder
from tests.command_line import Esclip
from tests.encoder_servers import served
from tests.servers import unused_port

TOKEN = "s3cret-t0ken"


@contextmanager
def serving(
    *arguments: str, command: str = "serve-encoder", **environ: str
) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """A running server, its address, and the line that told it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ESCLIP_")}
    with subprocess.Popen(
        [sys.executable, "-m", "esclip", command, "--port", "0", *arguments],
        env=inherited | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr
            line = process.stderr.readline()
            found = re.search(r"http://[\d.]+:\d+", line)
            assert found, line
            yield process, found[0], line
        finally:
            process.kill()


def test_another_machine_encodes(quick_esclip: Esclip, photos: Path) -> None:
    """Pictures are ingested and found through a server, and found without it by the model that it has."""
    with serving("--encoder", "palette", ESCLIP_ENCODER_TOKEN=TOKEN) as (_, address, line):
        assert line.startswith("esclip: palette (palette) at http://127.0.0.1:")
        given = {"ESCLIP_ENCODER_TOKEN": TOKEN}
        ran = quick_esclip("ingest", photos, "--encoder", address, "--json", **given)
        assert (ran.json["written"], ran.json["encoder"]) == (11, "palette")
        (hit,) = quick_esclip("search-text", "red", "-k", "1", "--encoder", address, "--json", **given).hits
        assert Path(hit["location"]) == photos / "red.png"
        picture = photos / "more" / "blue.png"
        (hit,) = quick_esclip(
            "search-image", picture, "-k", "1", "--json", "--encoder", address, "--encoder-token", TOKEN
        ).hits
        assert Path(hit["location"]) == picture
        assert "ok      encoder: palette" in quick_esclip("doctor", "--encoder", address, **given).out
    (hit,) = quick_esclip("search-text", "red", "-k", "1", "--json").hits
    assert Path(hit["location"]) == photos / "red.png"


def test_a_wrong_token_is_one_line(quick_esclip: Esclip, photos: Path) -> None:
    """Without the token, or with another, a command fails with what to give, and shows neither."""
    with serving("--encoder", "palette", "--encoder-token", TOKEN) as (_, address, line):
        assert TOKEN not in line
        for environ in ({}, {"ESCLIP_ENCODER_TOKEN": "an0ther"}):
            ran = quick_esclip("ingest", photos, "--encoder", address, status=1, **environ)
            assert "ESCLIP_ENCODER_TOKEN" in ran.err
            assert "an0ther" not in ran.err
            assert len(ran.err.splitlines()) == 1
        assert "MISSING encoder" in quick_esclip("doctor", "--encoder", address, status=1).out


def test_no_server_is_one_line(quick_esclip: Esclip, photos: Path) -> None:
    """An address at which nothing listens is an error that names the command to start it."""
    ran = quick_esclip("ingest", photos, "--encoder", f"http://127.0.0.1:{unused_port()}", status=1)
    assert "esclip serve-encoder" in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it(number: int, status: int) -> None:
    """SIGTERM and Ctrl-C end the server soon and quietly."""
    with serving("--encoder", "palette") as (process, _, _):
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (status, "", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--encoder", "no-such-model"], "no-such-model"),
        (["--encoder", "palette", "--host", "no.such.host.invalid"], "no.such.host.invalid"),
    ],
)
def test_a_server_that_cannot_be_started_is_one_line(esclip: Esclip, arguments: list[str], says: str) -> None:
    """What can't be loaded or listened at is told in one line."""
    ran = esclip("serve-encoder", "--port", "0", *arguments, status=1, HF_HUB_OFFLINE="1")
    assert says in ran.err
    assert len(ran.err.splitlines()) == 1


def test_ctrl_c_ends_an_ingest_whose_server_hangs(photos: Path, tmp_path: Path) -> None:
    """An ingest that waits for its encoder's server can be interrupted."""
    recording = RecordingEncoder(seconds=3)
    with served(recording) as server:
        home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
        with subprocess.Popen(
            [sys.executable, "-m", "esclip", "ingest", str(photos), "--encoder", server.address],
            env=os.environ | home,
            stderr=subprocess.PIPE,
            text=True,
        ) as ingest:
            deadline = time.monotonic() + 60
            while not recording.batches and time.monotonic() < deadline:
                time.sleep(0.05)
            ingest.send_signal(signal.SIGINT)
            began = time.monotonic()
            _, err = ingest.communicate(timeout=5)
            assert time.monotonic() - began < 2
    assert ingest.returncode == 130
    assert "goes on from here" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["serve", "serve-encoder"])
def test_no_text_of_a_query_is_logged(command: str, photos: Path, tmp_path: Path) -> None:
    """What clients search for is on stderr of no server, not in a warning about it either."""
    with open_index(tmp_path / "store", encoder="palette") as index:
        index.ingest(photos)
    named = ["--store", str(tmp_path / "store")] if command == "serve" else ["--encoder", "palette"]
    with serving(*named, command=command) as (process, address, _):
        if command == "serve":
            requests.get(f"{address}/v1/search", {"q": "s3cret wish"}, timeout=20).raise_for_status()
        else:
            load_encoder(address).encode_texts(["s3cret wish"])
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=20) == ("", "")
