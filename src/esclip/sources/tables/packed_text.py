"""Opens files of lines: packed by gzip or not, in UTF-8 or another encoding that has a mark."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from esclip._errors import SourceError, error_text
from esclip._files.opening import AnyFile, open_file
from esclip._files.paths import path_text
from esclip._files.text import MAX_MARK_BYTES, NotText, Utf8, detect_encoding, text_lines
from esclip.sources.tables.csv_rows import READ_ERRORS

PACKED = ".gz"
MAGIC = b"\x1f\x8b"
MARK = b"\xef\xbb\xbf"


def unpacked_suffix(path: AnyFile) -> str:
    """The suffix of a file's name in lower case, the one before `.gz`."""
    return (path.with_suffix("") if path.suffix.lower() == PACKED else path).suffix.lower()


@contextmanager
def open_text(path: AnyFile) -> Iterator[IO[bytes]]:
    """Context manager: a text's bytes, unpacked, in UTF-8 without a mark.

    Raises `SourceError`, also for what is raised within it by reading.
    """
    try:
        with open_file(path) as file:
            packed = file.read(len(MAGIC)) == MAGIC  # regardless of its name
            file.seek(0)
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file
            mark = stream.read(MAX_MARK_BYTES)
            stream.seek(len(MARK) if mark.startswith(MARK) else 0)
            yield stream if detect_encoding(mark) == "utf-8" else io.BufferedReader(Utf8(stream))
    except NotText as error:
        raise SourceError(f"{path_text(path)}: {error}") from error
    except READ_ERRORS as error:
        raise SourceError(f"{path_text(path)} can't be read: {error_text(error)}") from error


@contextmanager
def open_lines(path: AnyFile) -> Iterator[Iterator[str]]:
    """Context manager: the lines, without their ends. Raises `SourceError`."""
    with open_text(path) as stream:
        yield text_lines(cast(io.BufferedIOBase, stream))
