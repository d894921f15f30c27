"""How far long work is, on stderr: a bar on a terminal, else a line now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from esclip._cli.output.console import is_quiet, progress_console, say, show_info_logs
from esclip._ingest.progress_display import ProgressLines, terminal_bar

if TYPE_CHECKING:
    from esclip._core.progress import Progress


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
