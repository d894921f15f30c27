"""Hits as pictures: in a terminal by three protocols, and on a page for the browser."""

from __future__ import annotations

import base64
import io
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from esclip._cli.output.terminal_images import NoPictures, Protocol, detect_protocol, encode_picture
from esclip._core.types import Hit
from esclip._search.previews import read_previews
from tests.command_line import Esclip
from tests.servers import PictureServer, body, status

KITTY = re.compile(rb"\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\")
ITERM2 = re.compile(rb"\x1b\]1337;File=([^:]*):([A-Za-z0-9+/=]*)\x07")
SIXEL = re.compile(rb'\x1bP0;1;0q"1;1;(\d+);(\d+)([!-~]*)\x1b\\')


def drawing() -> Image.Image:
    """A picture with sharp edges, runs and a gradient, whose sides are no multiples of six."""
    image = Image.linear_gradient("L").resize((100, 40)).convert("RGB")
    image.paste("red", (10, 5, 60, 13))
    image.paste("white", (70, 0, 71, 40))
    return image


def keys_of(text: bytes, separator: bytes) -> dict[str, str]:
    """`a=1,b=2` as a dictionary."""
    pairs = (pair.partition(b"=") for pair in text.split(separator))
    return {key.decode(): value.decode() for key, _, value in pairs}


def from_kitty(data: bytes) -> tuple[Image.Image, dict[str, str]]:
    """The picture of a chain of commands, and the first one's keys."""
    commands = [(keys_of(head, b","), body) for head, body in KITTY.findall(data)]
    assert KITTY.sub(b"", data) == b""
    assert all(len(body) <= 4096 for _, body in commands)
    assert [keys["m"] for keys, _ in commands] == ["1"] * (len(commands) - 1) + ["0"]
    png = base64.b64decode(b"".join(body for _, body in commands))
    return Image.open(io.BytesIO(png), formats=["PNG"]), commands[0][0]


def from_sixel(data: bytes) -> Image.Image:
    """The picture that a terminal draws, by DEC's manual."""
    match = SIXEL.fullmatch(data)
    assert match
    width, height = int(match[1]), int(match[2])
    pixels = np.zeros((height + 6, width, 3), np.uint8)
    palette: dict[int, list[int]] = {}
    left = top = color = 0
    for part in re.findall(rb"#\d+(?:;[\d;]+)?|![0-9]+[?-~]|[$-]|[?-~]", match[3]):
        if part.startswith(b"#"):
            color, *given = map(int, part[1:].split(b";"))
            if given:
                assert given[0] == 2
                palette[color] = [round(share * 255 / 100) for share in given[1:]]
        elif part in b"$-":
            left, top = 0, top + 6 * (part == b"-")
        else:
            run = int(part[1:-1]) if part.startswith(b"!") else 1
            for bit in range(6):
                if part[-1] - 63 >> bit & 1:
                    pixels[top + bit, left : left + run] = palette[color]
            left += run
    assert not pixels[height:].any()
    return Image.fromarray(pixels[:height])


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures' values, of 255."""
    assert one.size == other.size
    left, right = (np.asarray(image.convert("RGB"), np.int16) for image in (one, other))
    return float(np.abs(left - right).mean())


class TestProtocols:
    def test_kitty_gets_a_png_in_pieces(self) -> None:
        """The picture is transmitted whole, across the columns that are asked for, without a reply."""
        noise = Image.effect_noise((200, 100), 90).convert("RGB")
        picture, keys = from_kitty(encode_picture(noise, Protocol.KITTY, 20, 8))
        assert difference(picture, noise) == 0
        assert keys == {"a": "T", "f": "100", "q": "2", "c": "20", "m": "1"}

    def test_iterm2_gets_a_file(self) -> None:
        """The picture is one inline file with its size and its columns."""
        match = ITERM2.fullmatch(encode_picture(drawing(), Protocol.ITERM2, 20, 8))
        assert match
        keys, data = keys_of(match[1], b";"), base64.b64decode(match[2])
        assert keys == {"inline": "1", "size": str(len(data)), "width": "20", "preserveAspectRatio": "1"}
        assert difference(Image.open(io.BytesIO(data)), drawing()) < 8

    def test_sixel_is_drawn_pixel_by_pixel(self) -> None:
        """What a terminal draws of it is the picture in the pixels of its columns, in up to 256 colors."""
        drawn = from_sixel(encode_picture(drawing(), Protocol.SIXEL, 20, 8))
        assert difference(drawn, drawing()) < 8
        small = from_sixel(encode_picture(drawing(), Protocol.SIXEL, 5, 7))
        assert small.size == (35, 14)


class TestDetection:
    @pytest.mark.parametrize(
        ("environ", "protocol"),
        [
            ({"TERM": "xterm-kitty"}, Protocol.KITTY),
            ({"TERM": "xterm-ghostty"}, Protocol.KITTY),
            ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, Protocol.ITERM2),
            ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, Protocol.ITERM2),
            ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, Protocol.ITERM2),
        ],
    )
    def test_a_known_terminal_is_not_asked(self, environ: dict[str, str], protocol: Protocol) -> None:
        """What the environment names is taken; LC_TERMINAL also reaches another machine by ssh."""
        assert detect_protocol(environ) is protocol

    @pytest.mark.parametrize(
        "environ",
        [
            {"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"},
            {"TERM": "screen.xterm-256color", "TERM_PROGRAM": "iTerm.app"},
            {"TERM": "dumb"},
            {"TERM": "linux"},
        ],
    )
    def test_what_hands_no_pictures_on_gets_none(self, environ: dict[str, str]) -> None:
        """Within tmux and screen, and on a terminal without pictures, nothing is asked or shown."""
        with pytest.raises(NoPictures):
            detect_protocol(environ)

    @pytest.mark.parametrize(
        ("reply", "said"),
        [
            (b"\x1b[?62;4;22c", "sixel"),
            (b"\x1b[?1;2c", "does not say that it shows any"),
            (b"", "does not say that it shows any"),
        ],
    )
    def test_any_other_terminal_is_asked(self, reply: bytes, said: str) -> None:
        """A 4 in the reply to DA1 means sixel; without a reply there are none. The reply is not shown."""
        shown = _at_terminal(reply)
        assert shown.startswith("\x1b[c")
        assert shown.removeprefix("\x1b[c").strip().endswith(said)
        assert "[?" not in shown


def _at_terminal(reply: bytes) -> str:
    """What a program says of a terminal that sends this reply when it is asked."""
    program = (
        "import os; os.login_tty(os.dup(0))\n"
        "from esclip._cli.output.terminal_images import *\n"
        "try: print(detect_protocol({'TERM': 'xterm'}))\n"
        "except NoPictures as error: print(error)\n"
    )
    master, slave = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", program], stdin=slave)
    os.close(slave)
    said = b""
    with suppress(OSError):  # of the terminal's end, when the program has ended
        while data := os.read(master, 1000):
            if said == b"" and data.startswith(b"\x1b[c"):
                os.write(master, reply)
            said += data
    os.close(master)
    assert process.wait(30) == 0
    return said.decode()


def test_pictures_on_the_web_are_fetched_from_known_hosts(photos: Path) -> None:
    """Previews come from the hosts of an ingest and those allowed; what can't be had has none."""
    routes = {
        "/red.png": body((photos / "red.png").read_bytes()),
        "/none.png": status(404),
        "/text": body(b"x"),
    }
    with PictureServer(routes) as server:
        urls = [server.url(path) for path in routes]
        hits = [Hit(rank, str(rank), 0.5, url, None, "", {}) for rank, url in enumerate(urls, 1)]
        red, *others = read_previews(hits, [server.url("").removeprefix("http://").rstrip("/")])
        assert red
        assert Image.open(io.BytesIO(red)).format == "JPEG"
        assert others == [None, None]
        assert read_previews(hits) == [None, None, None]
        assert len(server.headers_seen) == 3


class TestCommands:
    def test_a_page_shows_the_hits_of_each_query(
        self, quick_esclip: Esclip, photos: Path, tmp_path: Path
    ) -> None:
        """--page writes what was found, with its pictures in it, and stdout stays as it is."""
        store, page = tmp_path / "store", tmp_path / "page.html"
        quick_esclip("ingest", photos, "--store", store, "--encoder", "palette")
        plain = quick_esclip("search", "red", "--store", store, "-k", 2)
        shown = quick_esclip("search", "red", "--store", store, "-k", 2, "--page", page)
        assert shown.out == plain.out
        assert str(page) in shown.err
        assert page.read_text().count("data:image/jpeg;base64,") == 2
        (tmp_path / "queries").write_text("red\n<b>blue</b>\n")
        quick_esclip(
            "search-texts", tmp_path / "queries", "--store", store, "-k", 2, "--page", page, "--json"
        )
        assert page.read_text().count("<h2>") == 2
        assert "&lt;b&gt;blue" in page.read_text()

    def test_a_page_is_opened_or_named(self, quick_esclip: Esclip, photos: Path, tmp_path: Path) -> None:
        """--open hands the page to the browser; without a display it says where the page is."""
        store, seen = tmp_path / "store", tmp_path / "seen"
        quick_esclip("ingest", photos, "--store", store, "--encoder", "palette")
        without = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": ""}
        told = quick_esclip("search", "red", "--store", store, "--open", **without)
        assert "no browser could be opened" in told.err
        browser = tmp_path / "browser"
        browser.write_text(f'#!/bin/sh\necho "$1" > "{seen}"\n')
        browser.chmod(0o755)
        quick_esclip("duplicates", "--store", store, "--open", BROWSER=f"{browser} %s")
        assert seen.read_text().strip().endswith("duplicates.html")

    def test_previews_stand_above_the_hits(self, quick_esclip: Esclip, photos: Path, tmp_path: Path) -> None:
        """The pictures come in rows with the hits' numbers, five in 80 columns; the table stays."""
        store = tmp_path / "store"
        quick_esclip("ingest", photos, "--store", store, "--encoder", "palette")
        shown = quick_esclip(
            "search", "red", "--store", store, "-k", 7, "--preview-as", "kitty", COLUMNS="80"
        )
        rows = [line for line in shown.out.splitlines() if line.startswith("\x1b_G")]
        assert [from_kitty(row.encode())[0].size for row in rows] == [(5 * 240, 200), (2 * 240, 200)]
        assert "red.png" in shown.out

    def test_what_is_no_terminal_gets_no_pictures(
        self, quick_esclip: Esclip, photos: Path, tmp_path: Path
    ) -> None:
        """--preview in a pipe says why there are none, and the hits are given out as ever."""
        store = tmp_path / "store"
        quick_esclip("ingest", photos, "--store", store, "--encoder", "palette")
        shown = quick_esclip("search", "red", "--store", store, "--preview")
        assert "\x1b" not in shown.out
        assert "stdout is no terminal" in shown.err
        for option in ("--json", "--paths", "--null"):
            quick_esclip("search", "red", "--store", store, "--preview", option, status=2)
        quick_esclip("search", "red", "--store", store, "--preview-as", "ansi", status=2)
        quick_esclip("search", "red", "--store", store, "--page", tmp_path / "none" / "x.html", status=1)
