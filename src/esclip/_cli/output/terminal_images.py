"""Pictures in a terminal: which of three protocols it has, and a picture in each.

environment ─► named by it? ─┬─► kitty     sw.kovidgoyal.net/kitty/graphics-protocol, a PNG in pieces
                             ├─► iTerm2    iterm2.com/documentation-images.html, a JPEG
DA1 to the terminal ─► a 4? ─┴─► sixel     DEC's VT330/VT340 manual, chapter 14, a palette

A terminal that isn't known, or doesn't reply within the deadline, gets no picture: it would show bytes.
"""

from __future__ import annotations

import base64
import io
import os
import re
import select
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum

import numpy as np
from PIL import Image

REPLY_TIMEOUT_S = 1.0
"""For the terminal's reply, which may have to come from another continent."""
CHUNK = 4096
"""Bytes of base64 in one command of kitty's protocol, at most."""
MAX_COLORS = 256
"""Of a sixel picture: what terminals have registers for."""
CELL_WIDTH = 8
"""Pixels, where the terminal doesn't tell."""
_SIXEL = "4"
"""Among the attributes that a terminal names in its reply to DA1."""
_DA1 = b"\x1b[c"
_DA1_REPLY = re.compile(rb"\x1b\[\?([\d;]+)c")


class Protocol(StrEnum):
    """How a terminal takes pictures."""

    KITTY = "kitty"
    ITERM2 = "iterm2"
    SIXEL = "sixel"


class NoPictures(Exception):
    """The terminal can't show pictures; the text says why."""


def detect_protocol(environ: Mapping[str, str]) -> Protocol:
    """The protocol of the terminal that this process runs in. Raises `NoPictures`."""
    kind, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    if environ.get("TMUX") or environ.get("STY") or kind.startswith(("tmux", "screen")):
        raise NoPictures("tmux and screen don't hand pictures on to the terminal")
    if kind in ("dumb", "linux"):
        raise NoPictures("this terminal has no pictures")
    if kind in ("xterm-kitty", "xterm-ghostty") or environ.get("KITTY_WINDOW_ID") or program == "ghostty":
        return Protocol.KITTY
    if program in ("iTerm.app", "WezTerm", "mintty") or environ.get("LC_TERMINAL") == "iTerm2":
        return Protocol.ITERM2
    if _SIXEL in _ask_attributes():
        return Protocol.SIXEL
    raise NoPictures("this terminal does not say that it shows any")


def encode_picture(image: Image.Image, protocol: Protocol, columns: int, cell_width: int) -> bytes:
    """What shows a picture across so many columns of a terminal."""
    match protocol:
        case Protocol.KITTY:
            return b"".join(_encode_kitty(_saved(image, "PNG"), columns))
        case Protocol.ITERM2:
            data = _saved(image, "JPEG")
            head = f"\x1b]1337;File=inline=1;size={len(data)};width={columns};preserveAspectRatio=1:"
            return head.encode() + base64.b64encode(data) + b"\x07"
        case Protocol.SIXEL:
            width = min(columns * cell_width, image.width)
            height = max(1, round(image.height * width / image.width))
            return b"".join(_encode_sixel(image.resize((width, height), Image.Resampling.BOX)))


def cell_width(descriptor: int) -> int:
    """Pixels of a column of the terminal at a file descriptor, as far as it tells."""
    with suppress(ImportError, OSError):
        import fcntl
        import struct
        import termios

        size = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, b"\0" * 8)
        _, columns, width, _ = struct.unpack("HHHH", size)
        if columns and width:
            return max(1, int(width) // int(columns))
    return CELL_WIDTH


def _saved(image: Image.Image, format: str) -> bytes:
    file = io.BytesIO()
    image.save(file, format)
    return file.getvalue()


def _encode_kitty(png: bytes, columns: int) -> Iterator[bytes]:
    """Transmit and show (a=T) a PNG (f=100), without a reply (q=2); m=1: more of it follows."""
    data = base64.b64encode(png)
    for start in range(0, len(data), CHUNK):
        more = int(start + CHUNK < len(data))
        keys = f"q=2,m={more}" if start else f"a=T,f=100,q=2,c={columns},m={more}"
        yield f"\x1b_G{keys};".encode() + data[start : start + CHUNK] + b"\x1b\\"


def _encode_sixel(image: Image.Image) -> Iterator[bytes]:
    """Bands of six rows, each written once for every color in it."""
    paletted = image.quantize(MAX_COLORS, Image.Quantize.FASTOCTREE)
    pixels = np.asarray(paletted)
    yield f'\x1bP0;1;0q"1;1;{image.width};{image.height}'.encode()
    palette = np.asarray(paletted.getpalette("RGB")).reshape(-1, 3) * 100 // 255
    for color in np.unique(pixels):
        red, green, blue = palette[color]
        yield f"#{color};2;{red};{green};{blue}".encode()
    for top in range(0, image.height, 6):
        band = pixels[top : top + 6]
        weights = 1 << np.arange(len(band))
        for color in np.unique(band):
            rows = (band == color).T @ weights  # the bits of each column, its first row the lowest
            yield f"#{color}".encode() + _repeated((rows + 63).astype(np.uint8).tobytes()) + b"$"
        yield b"-"
    yield b"\x1b\\"


def _repeated(sixels: bytes) -> bytes:
    """The same with runs of four and more written as a count."""
    return re.sub(
        rb"(.)\1{3,}", lambda run: b"!%d%b" % (len(run[0]), run[1]), sixels.rstrip(b"?"), flags=re.DOTALL
    )


def _ask_attributes() -> list[str]:
    """What the terminal says it has, by DA1; none where it doesn't reply in time."""
    with suppress(ImportError, OSError), _terminal() as descriptor:
        os.write(descriptor, _DA1)
        reply, deadline = b"", time.monotonic() + REPLY_TIMEOUT_S
        while (left := deadline - time.monotonic()) > 0 and len(reply) < 1000:
            if select.select([descriptor], [], [], left)[0]:
                reply += os.read(descriptor, 100)
            if attributes := _DA1_REPLY.search(reply):
                return attributes[1].decode().split(";")
    return []


@contextmanager
def _terminal() -> Iterator[int]:
    """Context manager: the process's terminal, which within it neither shows nor waits for a line.

    Raises `OSError` where there is none, or where another program has it.
    """
    import termios
    import tty

    descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    try:
        if os.tcgetpgrp(descriptor) != os.getpgrp():
            raise OSError("in the background")
        before = termios.tcgetattr(descriptor)
        try:
            tty.setcbreak(descriptor, termios.TCSAFLUSH)
            yield descriptor
        finally:
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)  # without what came too late
    except termios.error as error:
        raise OSError(str(error)) from error
    finally:
        os.close(descriptor)
