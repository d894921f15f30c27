"""Text files of any origin: one text whatever the encoding and line ends, or an error that says where."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from esclip._core.labels import LabelSet
from esclip._files.text import (
    MAX_LINE_CHARS,
    NotText,
    TextDecoder,
    Utf8,
    read_beginning,
    read_text,
    text_lines,
)

TEXT = "réd\nzwei  Wörter\n\n雪 🐶\u2028x"
LINES = TEXT.split("\n")

WRITTEN: dict[str, Callable[[str], bytes]] = {
    "UTF-8": str.encode,
    "UTF-8 with its mark": lambda text: text.encode("utf-8-sig"),
    "UTF-16": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "UTF-16 of the other order": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "UTF-32": lambda text: b"\xff\xfe\0\0" + text.encode("utf-32-le"),
}
ENDS = {"LF": "\n", "CR LF": "\r\n", "CR": "\r"}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
def test_one_text_however_it_is_written(tmp_path: Path, write: Callable[[str], bytes], end: str) -> None:
    """As a whole, line by line, and piece by piece, whatever the encoding and the ends of lines."""
    data = write(TEXT.replace("\n", end))
    (tmp_path / "a.txt").write_bytes(data)
    assert read_text(tmp_path / "a.txt", 1000) == TEXT
    assert list(text_lines(io.BytesIO(data))) == LINES
    for size in (1, 2, 3, 7):
        decoder = TextDecoder()
        pieces = [decoder.decode(data[at : at + size]) for at in range(0, len(data), size)]
        assert "".join(pieces) + decoder.decode(b"", final=True) == TEXT
    assert io.BufferedReader(Utf8(io.BytesIO(data))).read().decode() == TEXT.replace("\n", end)


@pytest.mark.parametrize("text", ["", "a", "ab", "a\n", "\n"])
@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
def test_the_shortest_texts(write: Callable[[str], bytes], text: str) -> None:
    """An empty file has no line, and the end of the last line makes no further one."""
    assert list(text_lines(io.BytesIO(write(text)))) == text.splitlines()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"red\r\nbl\xfce", "line 2 is not UTF-8 (byte 0xfc at offset 7); save it as UTF-8"),
        (b"\xef\xbb\xbfred\nbl\xfce", "line 2 is not UTF-8 (byte 0xfc at offset 9)"),
        (b"\n" * 200_000 + b"\xff", "line 200001 is not UTF-8 (byte 0xff at offset 200000)"),
        (b"x" * 70_000 + b"\r" * 70_000 + b"\xff", "line 70001 is not UTF-8 (byte 0xff at offset 140000)"),
        ("é".encode() * 50_000 + b"\xc3", "line 1 is not UTF-8 (byte 0xc3 at offset 100000)"),
        (b"\xff\xfea\0\n\0\0\xd8", "line 2 is not UTF-16-LE (byte 0x00 at offset 6)"),
        (b"a\0\n\0b\0", "line 1 holds a NUL"),
        (b"red\n\x89PNG\0", "line 2 is not UTF-8"),
        (b"red\nblue\0", "line 2 holds a NUL"),
    ],
)
def test_what_is_no_text_is_told_by_its_line(tmp_path: Path, data: bytes, said: str) -> None:
    """Other encodings, which have no mark, and binary files: the same place, read as a whole or by lines."""
    (tmp_path / "a.txt").write_bytes(data)
    for read in (lambda: read_text(tmp_path / "a.txt", 1 << 20), lambda: list(text_lines(io.BytesIO(data)))):
        with pytest.raises(NotText) as caught:
            read()
        assert str(caught.value).startswith(said)


def test_a_line_without_end_is_none() -> None:
    """What comes from a pipe is read no further."""
    with pytest.raises(NotText, match="line 2 is longer than"):
        list(text_lines(io.BytesIO(b"red\n" + b"x" * 2 * MAX_LINE_CHARS)))


def test_no_more_is_read_than_may_be(tmp_path: Path) -> None:
    """A file that is too long is an error, or gives its beginning, to a whole character."""
    (tmp_path / "a.txt").write_text("ü" * 10, encoding="utf-8")
    with pytest.raises(NotText, match="longer than 19 bytes"):
        read_text(tmp_path / "a.txt", 19)
    assert read_beginning(tmp_path / "a.txt", 19) == "ü" * 9
    assert read_beginning(tmp_path / "a.txt", 20) == "ü" * 10


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe, a folder, a device, a link to one, a link to itself, and a name that nothing has."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "itself").symlink_to("itself")
    (tmp_path / "piped").symlink_to("pipe")
    for place in ("pipe", "device", "itself", "piped", ".", "nothing", "/dev/zero", "/dev/stdin"):
        with pytest.raises(OSError, match=r".") as caught:
            read_text(tmp_path / place, 9)
        assert caught.value.strerror


def test_a_link_that_comes_and_goes_is_not_followed(tmp_path: Path) -> None:
    """Whatever is exchanged between a look at a file and its opening, another folder's text is never read."""
    folder, secret, name = tmp_path / "pictures", tmp_path / "secret.txt", tmp_path / "pictures" / "a.txt"
    folder.mkdir()
    secret.write_text("secret", encoding="utf-8")
    (folder / "b.txt").write_text("a text", encoding="utf-8")
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            for target in ("b.txt", "../secret.txt", str(secret), "../pictures/b.txt"):
                (folder / "new").symlink_to(target)
                (folder / "new").replace(name)

    exchanging = threading.Thread(target=exchange)
    exchanging.start()
    read = set()
    try:
        for _ in range(3_000):
            with suppress(OSError):
                read.add(read_text(name, 99))
    finally:
        stop.set()
        exchanging.join()
    assert read == {"a text"}


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
def test_labels_of_a_file(tmp_path: Path, write: Callable[[str], bytes]) -> None:
    """One a line, whatever program wrote it."""
    (tmp_path / "labels.txt").write_bytes(write("cat\r\nHündchen\r\n\r\n"))
    assert LabelSet.read(str(tmp_path / "labels.txt")).labels == ("cat", "Hündchen")
