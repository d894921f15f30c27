"""Reads text files of any origin: in UTF-8 or UTF-16, with any line ends.

bytes ─► encoding by the byte-order mark, UTF-8 without one ─► text, a line ends with \\n
                                                    └─► NotText: which line, and what to do

Other encodings have no mark. A wrong guess would change words unnoticed, so they are an error.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from esclip._files.buckets import BucketPath
from esclip._files.opening import PIECE, AnyFile, open_file
from esclip._files.regular import open_beside

MAX_LINE_CHARS = 1 << 20
"""Of a line; a longer one is none."""

CHUNK = 1 << 16

_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, which begins it
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
MAX_MARK_BYTES = 4


class NotText(ValueError):
    """The bytes can't be decoded; the message says where, and what to do."""


def detect_encoding(begin: bytes) -> str:
    """The encoding by the byte-order mark of a text's first bytes."""
    return _detect_mark(begin)[1]


def _detect_mark(begin: bytes) -> tuple[bytes, str]:
    return next((row for row in _MARKS if begin.startswith(row[0])), (b"", "utf-8"))


class TextDecoder:
    """Decodes bytes piece by piece, in the encoding that the byte-order mark says."""

    def __init__(self, *, any_line_ends: bool = True) -> None:
        """With `any_line_ends`, CR and CR LF become LF."""
        self._begin = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._encoding = "utf-8"
        self._ends = io.IncrementalNewlineDecoder(None, translate=any_line_ends)
        self._bytes = 0
        self._lines = 0

    def decode(self, data: bytes, *, final: bool = False) -> str:
        """The text of further bytes, as far as it is complete; `final`: none follow. Raises `NotText`."""
        if self._decoder is None:
            data = self._begin = self._begin + data
            if len(data) < MAX_MARK_BYTES and not final:
                return ""
            data = self._start(data)
        assert self._decoder is not None
        pending: int = len(self._decoder.getstate()[0])
        try:
            text = self._ends.decode(self._decoder.decode(data, final), final)
        except UnicodeDecodeError as error:
            raise self._not_text(error, self._bytes - pending) from error
        self._bytes += len(data)
        if "\0" in text:
            line = self._lines + text[: text.index("\0")].count("\n") + 1
            raise NotText(f"line {line} holds a NUL, as binary files do; save it as text, in UTF-8")
        self._lines += text.count("\n")
        return text

    def _start(self, data: bytes) -> bytes:
        """Choose the decoder. Returns the first bytes without their mark."""
        mark, self._encoding = _detect_mark(data)
        self._decoder = codecs.getincrementaldecoder(self._encoding)()
        self._begin = b""
        self._bytes = len(mark)
        return data[len(mark) :]

    def _not_text(self, error: UnicodeDecodeError, before: int) -> NotText:
        good = error.object[: error.start].decode(self._encoding)
        lines = self._ends.decode(good, True).count("\n")
        place = f"byte 0x{error.object[error.start]:02x} at offset {before + error.start}"
        return NotText(
            f"line {self._lines + lines + 1} is not {self._encoding.upper()} ({place}); save it as UTF-8, or "
            "convert it: iconv -f WINDOWS-1252 -t UTF-8"
        )


def text_lines(stream: io.BufferedIOBase) -> Iterator[str]:
    """The lines of a stream of bytes, without their ends, as they arrive. Raises `NotText` and `OSError`."""
    for number, line in enumerate(bounded_lines(_pieces(stream)), start=1):
        if line is None:
            raise NotText(f"line {number} is longer than {MAX_LINE_CHARS:,} characters; break it")
        yield line


def _pieces(stream: io.BufferedIOBase) -> Iterator[str]:
    decoder, more = TextDecoder(), True
    while more:
        chunk = stream.read1(CHUNK)
        more = bool(chunk)
        yield decoder.decode(chunk, final=not more)


def bounded_lines(pieces: Iterable[str]) -> Iterator[str | None]:
    """The lines of a text in pieces of `CHUNK` at most, without their ends; None for one that is longer than
    `MAX_LINE_CHARS`.
    """
    line: str | None = ""
    for piece in pieces:
        begin, *others = piece.split("\n")
        line = _extend(line, begin)
        if others:
            yield line
            *whole, line = others
            yield from whole
    if line != "":
        yield line


def _extend(line: str | None, more: str) -> str | None:
    """The longer line; None: too long, so that memory stays bounded."""
    return None if line is None or len(line) + len(more) > MAX_LINE_CHARS else line + more


def read_text(path: Path, max_bytes: int) -> str:
    """The text of a file. A symbolic link may lead to a file of the same folder only.

    Raises `NotText` and `OSError`.
    """
    with open_beside(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise NotText(f"it is longer than {max_bytes:,} bytes")
    return TextDecoder().decode(data, final=True)


def read_beginning(path: AnyFile, max_bytes: int) -> str:
    """The text of a file's first bytes; a character cut at their end is left out."""
    with open_file(path, PIECE) if isinstance(path, BucketPath) else open_beside(path) as file:
        data = file.read(max_bytes + 1)
    return TextDecoder().decode(data[:max_bytes], final=len(data) <= max_bytes)


class Utf8(io.RawIOBase):
    """A stream of bytes in any of the encodings, converted to UTF-8 without a mark; line ends stay.

    Reading raises `NotText`, and what the stream raises.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = TextDecoder(any_line_ends=False)
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer, or a part of it; 0 at the end."""
        while not self._ready:
            chunk = self._stream.read(CHUNK)
            self._ready = self._decoder.decode(chunk, final=not chunk).encode()
            if not chunk:
                break
        taken = self._ready[: len(buffer)]
        buffer[: len(taken)] = taken
        self._ready = self._ready[len(taken) :]
        return len(taken)
