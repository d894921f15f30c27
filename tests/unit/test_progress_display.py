"""Progress of long calls from Python: on a terminal and in a notebook by itself, else on request."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from PIL import Image

import esclip
from esclip import ConfigError, ImageIndex, Phase, Progress
from esclip._ingest.progress_display import describe_progress, notebook_bar, show_progress


class Terminal:
    """A terminal as stderr, and what is written on it."""

    def __init__(self) -> None:
        ours, its = pty.openpty()
        self.stream = os.fdopen(its, "w", encoding="utf-8")
        self._written = b""
        self._reader = Thread(target=self._read, args=(ours,))
        self._reader.start()

    def _read(self, ours: int) -> None:
        with suppress(OSError), os.fdopen(ours, "rb", buffering=0) as screen:  # its end is an error
            while data := screen.read(4096):
                self._written += data

    def close(self) -> str:
        """All that was written."""
        if not self.stream.closed:
            self.stream.close()
            self._reader.join()
        return self._written.decode()


@contextmanager
def terminal() -> Iterator[Terminal]:
    """A terminal in the place of stderr."""
    terminal = Terminal()
    with redirect_stderr(terminal.stream):
        yield terminal
    terminal.close()


@pytest.fixture(autouse=True)
def capable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that can move its cursor."""
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ImageIndex]:
    """An index to be filled, beside twelve pictures."""
    (tmp_path / "pictures").mkdir()
    for number in range(12):
        Image.new("RGB", (8, 8), (20 * number, 0, 0)).save(tmp_path / "pictures" / f"{number}.png")
    with esclip.open_index(tmp_path / "store", encoder="palette") as index:
        yield index


def test_a_terminal_shows_a_bar(index: ImageIndex, tmp_path: Path) -> None:
    """Ingest and duplicates draw how far they are, and leave nothing on the screen."""
    with terminal() as screen:
        report = index.ingest(tmp_path / "pictures")
        index.duplicates()
        assert sys.stderr is screen.stream
    assert report.written == 12
    assert screen.close().count("12/12") >= 2
    assert "pictures/s" in screen.close()
    assert screen.close().endswith("\x1b[2K")


@pytest.mark.parametrize("options", [{"show_progress": False}, {"on_progress": lambda _: None}])
def test_nothing_is_drawn_unasked(options: dict[str, Any], index: ImageIndex, tmp_path: Path) -> None:
    """Who switches it off, or takes the progress, has the terminal to himself."""
    with terminal() as screen:
        index.ingest(tmp_path / "pictures", **options)
        index.duplicates(**options)
    assert screen.close() == ""


def test_a_callback_may_be_had_beside_it(index: ImageIndex, tmp_path: Path) -> None:
    """On request the progress is shown and given on."""
    told: list[Progress] = []
    counts: list[int] = []
    with terminal() as screen:
        index.ingest(tmp_path / "pictures", on_progress=told.append, show_progress=True)
        index.duplicates(on_progress=counts.append, show_progress=True)
    assert told[-1].done == counts[-1] == 12
    assert "12/12" in screen.close()


def test_off_a_terminal_nothing_is_printed(
    index: ImageIndex, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A script's output is its own; on request there is a line every ten seconds."""
    index.ingest(tmp_path / "pictures")
    index.retry()
    index.duplicates()
    assert capfd.readouterr() == ("", "")
    given: dict[str, Any] = {"show_progress": True, "on_progress": None}
    with show_progress(given) as options:
        options["on_progress"](Progress(12, 3, 3, 3, 0, 20.0, Phase.INDEXING))
    assert capfd.readouterr() == ("", "esclip: 3 of 12, indexing, 0:01:00 left\n")


def test_a_question_has_the_terminal_to_itself() -> None:
    """While a removal is to be confirmed, nothing is drawn."""
    given: dict[str, Any] = {"show_progress": None, "on_progress": None}
    with terminal() as screen:
        given["confirm"] = lambda path, documents: screen.stream.write(f"{path} {documents}?") > 0
        with show_progress(given) as options:
            options["on_progress"](Progress(12, 3, 3, 3, 0, 20.0))
            assert options["confirm"]("/photos", 7) is True
    assert "\x1b[2K/photos 7?" in screen.close()


def test_a_notebook_shows_a_bar_that_is_gone_at_the_end() -> None:
    """It is one output of the cell, updated in place."""
    pytest.importorskip("IPython")
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    InteractiveShell.instance()
    with capture_output() as captured, notebook_bar() as bar:
        bar(Progress(None, 3, 3, 3, 0, 2.0))
        bar(Progress(12, 3, 3, 3, 1, 2.0))
    shown = [output.data["text/html"] for output in captured.outputs]
    assert [html.count("<progress") for html in shown] == [0, 1, 1, 0]
    assert 'value="3" max="12"' in shown[2]
    assert "3 of 12, 1.5 pictures/s, 0:00:06 left, 1 rejected" in shown[2]


def test_progress_in_words() -> None:
    """What isn't known is left out."""
    assert describe_progress(Progress(None, 1200, 1200, 1200, 0, 4.0)) == "1,200, 300.0 pictures/s"
    assert describe_progress(Progress(9, 0, 0, 0, 0, 0.0)) == "0 of 9"


@pytest.mark.parametrize("wrong", ["yes", 1])
def test_it_is_true_or_false(wrong: Any, index: ImageIndex, tmp_path: Path) -> None:
    """Anything else is refused before anything is done."""
    for call in (
        lambda: index.ingest(tmp_path, show_progress=wrong),
        lambda: index.duplicates(show_progress=wrong),
    ):
        with pytest.raises(ConfigError, match="show_progress"):
            call()
