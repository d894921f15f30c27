"""Files packed by gzip, bzip2, xz or Zstandard, unpacked as they are read.

list.csv.zst ─► by its first bytes, whatever its name ─► a stream of what it holds
"""

from __future__ import annotations

import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable, Mapping
from typing import IO, Any

MAX_MAGIC_BYTES = 10

PACKING_ERRORS = (EOFError, zlib.error, lzma.LZMAError)
"""What reading a damaged one raises, beside `OSError`."""


def _unpack_bzip2(file: IO[bytes]) -> Any:
    import bz2

    return bz2.BZ2File(file)


def _unpack_zstd(file: IO[bytes]) -> Any:
    import pyarrow as pa

    return pa.CompressedInputStream(file, "zstd")


_UNPACK: Mapping[str, tuple[re.Pattern[bytes], Callable[[IO[bytes]], Any]]] = {
    ".gz": (re.compile(rb"\x1f\x8b"), lambda file: gzip.GzipFile(fileobj=file)),
    ".bz2": (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), _unpack_bzip2),
    ".xz": (re.compile(rb"\xfd7zXZ\0"), lzma.LZMAFile),
    ".zst": (re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), _unpack_zstd),
}
"""By the suffix of its name: the first bytes of a packed file, and what unpacks it."""

PACKED = tuple(_UNPACK)
"""The suffixes."""


def unpack(file: io.BufferedReader | io.BytesIO) -> io.BufferedReader | io.BytesIO:
    """What an open file holds, from its beginning; one that isn't packed itself.

    Reading raises `OSError` and `PACKING_ERRORS`.
    """
    file.seek(0)
    magic = file.read(MAX_MAGIC_BYTES)
    file.seek(0)
    for begin, open_packed in _UNPACK.values():
        if begin.match(magic):
            return io.BufferedReader(open_packed(file))
    return file
