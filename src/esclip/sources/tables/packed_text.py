"""Opens files of lines: packed or not, in UTF-8 or another encoding that has a mark.

list.csv.zst ─► unpacked ─► in UTF-8 ─┬─► bytes, for a table
                                      └─► lines | BrokenRow
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from esclip._core.text_forms import is_unicode
from esclip._errors import SourceError, error_text
from esclip._files.opening import AnyFile, open_file
from esclip._files.packing import PACKED, unpack
from esclip._files.paths import path_text
from esclip._files.text import (
    CHUNK,
    MAX_LINE_CHARS,
    MAX_MARK_BYTES,
    NotText,
    Utf8,
    bounded_lines,
    detect_encoding,
)
from esclip.sources.tables.csv_rows import READ_ERRORS, BrokenRow

MARK = b"\xef\xbb\xbf"


def unpacked_suffix(path: AnyFile) -> str:
    """The suffix of a file's name in lower case, the one before that of packing."""
    return (path.with_suffix("") if path.suffix.lower() in PACKED else path).suffix.lower()


@contextmanager
def open_text(path: AnyFile) -> Iterator[IO[bytes]]:
    """Context manager: a text's bytes, unpacked, in UTF-8 without a mark.

    Raises `SourceError`, also for what is raised within it by reading.
    """
    try:
        with open_file(path) as file:
            stream = unpack(file)
            assert isinstance(stream, io.BufferedReader)
            mark = stream.peek(MAX_MARK_BYTES)[:MAX_MARK_BYTES]
            if mark.startswith(MARK):
                stream.read(len(MARK))
            yield stream if detect_encoding(mark) == "utf-8" else io.BufferedReader(Utf8(stream))
    except NotText as error:
        raise SourceError(f"{path_text(path)}: {error}") from error
    except READ_ERRORS as error:
        raise SourceError(f"{path_text(path)} can't be read: {error_text(error)}") from error


@contextmanager
def open_lines(path: AnyFile) -> Iterator[Iterator[str | BrokenRow]]:
    """Context manager: the lines, without their ends, or why one is none. Raises `SourceError`."""
    with open_text(path) as stream:
        yield _check_lines(stream)


def _check_lines(stream: IO[bytes]) -> Iterator[str | BrokenRow]:
    """The lines; a file whose first one is no text is none. Raises `NotText`."""
    for number, line in enumerate(bounded_lines(_decode(stream)), start=1):
        problem = _line_problem(line)
        if problem is None and line is not None:
            yield line
        elif number == 1 and line is not None:
            raise NotText(f"line 1: {problem}")
        else:
            yield BrokenRow(number, f"{problem}")


def _line_problem(line: str | None) -> str | None:
    """Why a line is no text; None: it is."""
    if line is None:
        return f"it is longer than {MAX_LINE_CHARS:,} characters"
    if "\0" in line:
        return "it holds a NUL, as binary files do; save it as text, in UTF-8"
    if not is_unicode(line):
        return "it is not UTF-8; save it as UTF-8, or convert it: iconv -f WINDOWS-1252 -t UTF-8"
    return None


def _decode(stream: IO[bytes]) -> Iterator[str]:
    """The text in pieces, its lines ended by LF; bytes that are no UTF-8 become halves of surrogate pairs."""
    utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    decoder = io.IncrementalNewlineDecoder(utf8, translate=True)
    while chunk := stream.read(CHUNK):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)
