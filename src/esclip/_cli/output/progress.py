"""How far long work is, on stderr: a bar on a terminal, else a line now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic
from typing import TYPE_CHECKING

from esclip._cli.output.console import is_quiet, progress_console, say, show_info_logs
from esclip._ingest.progress_display import ProgressLines, terminal_bar

if TYPE_CHECKING:
    from esclip._core.progress import Progress

TELL_AFTER_S = 5.0
"""Seconds between two lines of `tell_counts`."""


@contextmanager
def show_progress() -> Iterator[Callable[[Progress], None]]:
    """Context manager: gives what shows the progress of an ingest."""
    show_info_logs()
    if is_quiet():
        yield lambda _: None
    elif progress_console().is_terminal:
        with terminal_bar(progress_console(), redirect=True) as bar:
            yield bar
    else:
        yield ProgressLines(say)


def pause_progress(shown: Callable[[Progress], None]) -> AbstractContextManager[None]:
    """Context manager: within it, what `show_progress` gave leaves the terminal to a question."""
    return shown.paused() if hasattr(shown, "paused") else nullcontext()


def tell_counts() -> Callable[[str, int], None]:
    """What says every few seconds how many of something are done."""
    told = monotonic()

    def tell(what: str, count: int) -> None:
        nonlocal told
        if monotonic() - told >= TELL_AFTER_S:
            told = monotonic()
            say(f"{count:,} {what} done")

    return tell
