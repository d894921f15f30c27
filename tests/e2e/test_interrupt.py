"""An ingest that is stopped or killed: the same command goes on from there, and the index is whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.command_line import Esclip
from tests.servers import Exchange, PictureServer, Route, body

PICTURES = 1300
"""More than two pages of documents, so that a stopped run has written some and not others."""


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder of many tiny pictures."""
    folder = tmp_path / "many"
    folder.mkdir()
    for at in range(PICTURES):
        Image.new("RGB", (4, 4), (at % 256, at // 256 * 40, 90)).save(folder / f"{at}.bmp")
    return folder


def start(tmp_path: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    """`esclip` in the background, at the home of the fixture `esclip`."""
    home = tmp_path / "home"
    places = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "XDG_CACHE_HOME": str(home / "cache")}
    return subprocess.Popen(
        [sys.executable, "-m", "esclip", *map(str, arguments)],
        env=os.environ | places,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_ingest_that_is_asked_to_end_reports_what_it_did(
    quick_esclip: Esclip, many: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM write what is in flight and print the report; the next run encodes only the rest."""
    with start(tmp_path, "ingest", many, "--encoder", "palette", "--json") as running:
        fragments = tmp_path / "home" / "data" / "esclip" / "image_search.lance" / "data"
        wait_until(lambda: fragments.exists() and any(fragments.iterdir()))
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 128 + number, err
    report = json.loads(out)
    assert report["read"] == report["skipped"] + report["written"] + report["rejected"]
    assert 0 < report["written"] < PICTURES
    assert "goes on from here" in err
    assert "Traceback" not in err
    assert quick_esclip("stats", "--json").json["documents"] == report["written"]
    rest = quick_esclip("ingest", many, "--encoder", "palette", "--json").json
    assert (rest["skipped"], rest["written"]) == (report["written"], PICTURES - report["written"])


def test_what_begins_anew_promises_nothing_else(tmp_path: Path) -> None:
    """A command that keeps nothing of what it has done doesn't say that it goes on from there."""
    os.mkfifo(tmp_path / "texts")
    # opened once the command reads it
    with start(tmp_path, "audit", "--texts", tmp_path / "texts") as running, (tmp_path / "texts").open("w"):
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (130, "esclip: interrupted\n")


def slowly(route: Route, seconds: float) -> Route:
    """The same answer, later."""

    def answer(exchange: Exchange) -> None:
        if exchange.pause(seconds):
            route(exchange)

    return answer


def test_pictures_on_their_way_hold_up_nobody(photos: Path, tmp_path: Path) -> None:
    """Ctrl-C while nothing but slow answers is waited for ends within seconds."""
    picture = body((photos / "red.png").read_bytes())
    with PictureServer({f"/{at}": slowly(picture, 60) for at in range(50)}) as server:
        rows = "".join(f"photo{at:06}\t{server.url(f'/{at}')}\n" for at in range(50))
        (tmp_path / "unsplash").mkdir()
        (tmp_path / "unsplash" / "photos.tsv").write_text(f"photo_id\tphoto_image_url\n{rows}")
        options = ("--encoder", "palette", "--allow-host", "127.0.0.1", "--json")
        with start(tmp_path, "ingest", tmp_path / "unsplash", *options) as running:
            wait_until(lambda: bool(server.requests))
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=50)
    assert running.returncode == 130
    assert json.loads(out)["read"] == 0
    assert "Traceback" not in err


def test_a_second_signal_ends_it_at_once(many: Path, tmp_path: Path) -> None:
    """Who asks twice doesn't wait, whatever is going on."""
    with start(tmp_path, "ingest", many, "--encoder", "palette") as running:
        time.sleep(0.8)
        while running.poll() is None:
            running.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        _, err = running.communicate(timeout=60)
    assert running.returncode in (143, -signal.SIGTERM)
    assert "Traceback" not in err


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for what will come true within a minute."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
