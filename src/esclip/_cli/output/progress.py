"""How far long work is, on stderr: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from esclip._cli.output.console import is_quiet, progress_console, say, show_info_logs
from esclip._errors.counts import pluralize

if TYPE_CHECKING:
    from esclip._core.progress import Progress

PLAIN_INTERVAL_S = 10
"""Between two lines of progress where stderr is a file, not a terminal."""


@contextmanager
def show_progress() -> Iterator[Callable[[Progress], None]]:
    """Context manager: gives what shows the progress of an ingest."""
    show_info_logs()
    if is_quiet():
        yield lambda _: None
    elif progress_console().is_terminal:
        with _progress_bar() as update:
            yield update
    else:
        yield _progress_lines()


def pause_progress(shown: Callable[[Progress], None]) -> AbstractContextManager[None]:
    """Context manager: within it, what `show_progress` gave leaves the terminal to a question."""
    return shown.paused() if isinstance(shown, _Bar) else nullcontext()


class DuplicatesProgress:
    """Counts the pictures that were compared, and writes a line now and then."""

    compared = 0

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, compared: int) -> None:
        """Take the count."""
        self.compared = compared
        if time.monotonic() - self._last >= PLAIN_INTERVAL_S:
            self._last = time.monotonic()
            say(f"{pluralize(compared, 'picture')} looked at")


@contextmanager
def _progress_bar() -> Iterator[Callable[[Progress], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rejected]}"),
    )
    with Bar(*columns, console=progress_console(), transient=True) as bar:
        task = bar.add_task("ingest", total=None, speed="starting", rejected="")

        yield _Bar(bar, task)


class _Bar:
    """Shows an ingest's progress on a terminal."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar = bar
        self._task = task

    def __call__(self, now: Progress) -> None:
        """Show how far it is."""
        rejected = f"[red]{now.rejected:,} rejected[/]" if now.rejected else ""
        self._bar.update(
            self._task, completed=now.done, total=now.total, speed=_activity(now), rejected=rejected
        )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Context manager: within it, nothing is drawn."""
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


def _progress_lines() -> Callable[[Progress], None]:
    from esclip._core.progress import Phase

    last, phase = time.monotonic(), Phase.PICTURES

    def update(now: Progress) -> None:
        nonlocal last, phase
        # what follows the pictures may say nothing until it is through
        entered = now.phase is not phase and now.seconds > PLAIN_INTERVAL_S
        if time.monotonic() - last < PLAIN_INTERVAL_S and not entered:
            return
        last, phase = time.monotonic(), now.phase
        of = f" of {now.total:,}" if now.total else ""
        left = f", {_time_left(now)} left" if now.done < (now.total or 0) and now.done else ""
        say(f"{now.done:,}{of}, {_activity(now)}{left}, {now.rejected:,} rejected")

    return update


def _activity(now: Progress) -> str:
    """How fast pictures are read, and what is done when they are."""
    from esclip._core.progress import Phase

    if now.phase is not Phase.PICTURES:
        phase: str = now.phase.value
        return phase
    return f"{now.encoded / now.seconds:.1f} pictures/s" if now.seconds else ""


def _time_left(now: Progress) -> str:
    assert now.total
    seconds = int(now.seconds * max(0, now.total - now.done) / now.done)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
