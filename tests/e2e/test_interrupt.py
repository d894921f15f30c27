"""An ingest that is stopped or killed: the same command goes on from there, and the index is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
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


@pytest.mark.parametrize("seconds", [0.6, 1.0, 1.4, 1.8])
def test_a_killed_ingest_is_finished_by_the_next(
    esclip: Esclip, many: Path, tmp_path: Path, seconds: float
) -> None:
    """After `kill -9` at any moment the same command leaves every document once."""
    with start(tmp_path, "ingest", many, "--encoder", "palette") as killed:
        time.sleep(seconds)
        killed.kill()
    report = esclip("ingest", many, "--encoder", "palette", "--json").json
    assert (report["read"], report["rejected"]) == (PICTURES, 0)
    assert report["skipped"] + report["written"] == PICTURES
    assert esclip("stats", "--json").json["documents"] == PICTURES
    again = esclip("ingest", many, "--encoder", "palette", "--json").json
    assert (again["written"], again["skipped"]) == (0, PICTURES)


def slowly(route: Route, seconds: float) -> Route:
    """The same answer, later."""

    def answer(exchange: Exchange) -> None:
        if exchange.pause(seconds):
            route(exchange)

    return answer


def test_an_interrupted_ingest_ends_soon_with_130(esclip: Esclip, photos: Path, tmp_path: Path) -> None:
    """Ctrl-C while pictures are on their way ends within seconds, in one line."""
    picture = body((photos / "red.png").read_bytes())
    with PictureServer({f"/{at}": slowly(picture, 20) for at in range(50)}) as server:
        rows = "".join(f"photo{at:06}\t{server.url(f'/{at}')}\n" for at in range(50))
        (tmp_path / "unsplash").mkdir()
        (tmp_path / "unsplash" / "photos.tsv").write_text(f"photo_id\tphoto_image_url\n{rows}")
        options = ("--encoder", "palette", "--allow-host", "127.0.0.1")
        with start(tmp_path, "ingest", tmp_path / "unsplash", *options) as running:
            deadline = time.monotonic() + 60
            while not server.requests and time.monotonic() < deadline:
                time.sleep(0.05)
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=15)
    assert running.returncode == 130
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
