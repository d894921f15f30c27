"""How far long work is, shown while it is done.

show_progress(options) ─► a notebook ─► HTML, updated in place
                          a terminal ─► a bar on stderr
                          else       ─► nothing, or by `show_progress=True` a line on stderr now and then

Nothing here shows texts from outside.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from esclip._core.progress import Phase, Progress

if TYPE_CHECKING:
    from rich.console import Console

LINE_INTERVAL_S = 10
"""Seconds between two lines of progress."""

Options = TypeVar("Options")


class Display(Protocol):
    """Shows progress; called from any thread, one call at a time."""

    def __call__(self, now: Progress) -> None:
        """Show how far it is."""

    def paused(self) -> AbstractContextManager[None]:
        """Context manager: within it, the terminal is left to a question."""


@contextmanager
def show_progress(options: Options) -> Iterator[Options]:
    """Context manager: gives options of an ingest whose `on_progress` also shows the progress.

    By `show_progress` of the options; None: in a notebook or on a terminal, unless `on_progress` is given.
    While `confirm` is called, nothing is drawn.
    """
    given: dict[str, Any] = dict(cast(Any, options))
    with open_display(given["show_progress"], given["on_progress"]) as display:
        if display is not None:
            given["on_progress"] = _call_both(display, given["on_progress"])
            if given.get("confirm"):
                given["confirm"] = _pause_for(display, given["confirm"])
        yield cast(Any, given)


@contextmanager
def show_count(
    show: bool | None, total: Callable[[], int] | None, on_count: Callable[[int], None] | None
) -> Iterator[Callable[[int], None]]:
    """Context manager: gives what takes the number of pictures done, and shows it as `show_progress` does.

    `total` counts all pictures, where it is shown; None: their number is not known.
    """
    with open_display(show, on_count) as display:
        started, pictures = time.monotonic(), total() if display and total else None

        def count(done: int) -> None:
            if display:
                display(Progress(pictures, done, done, done, 0, time.monotonic() - started))
            if on_count:
                on_count(done)

        yield count


def open_display(show: bool | None, callback: object = None) -> AbstractContextManager[Display | None]:
    """Context manager: gives what shows progress; None where nothing is shown.

    None for `show`: in a notebook or on a terminal, unless a `callback` takes the progress.
    """
    from rich.console import Console  # nothing from outside is drawn

    console = Console(stderr=True)
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    if show is None:
        show = callback is None and (console.is_jupyter or is_terminal)
    if not show:
        return nullcontext()
    if console.is_jupyter:
        return notebook_bar()
    if is_terminal:  # what a caller prints meanwhile goes its own way: stdout and stderr are the caller's
        return terminal_bar(console, redirect=False)
    return nullcontext(ProgressLines(lambda line: print(f"esclip: {line}", file=sys.stderr, flush=True)))


@contextmanager
def terminal_bar(console: Console, *, redirect: bool) -> Iterator[Display]:
    """Context manager: gives a bar, which is gone at the end.

    With `redirect`, what is printed meanwhile stands above it; for that, rich takes over stdout and stderr.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rejected]}"),
    )
    bar = Bar(*columns, console=console, transient=True, redirect_stdout=redirect, redirect_stderr=redirect)
    with bar:
        yield _TerminalBar(bar, bar.add_task("ingest", total=None, speed="starting", rejected=""))


class _TerminalBar:
    """Shows progress on a terminal."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar = bar
        self._task = task

    def __call__(self, now: Progress) -> None:
        rejected = f"[red]{now.rejected:,} rejected[/]" if now.rejected else ""
        self._bar.update(
            self._task, completed=now.done, total=now.total, speed=describe_work(now), rejected=rejected
        )

    @contextmanager
    def paused(self) -> Iterator[None]:
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


@contextmanager
def notebook_bar() -> Iterator[Display]:
    """Context manager: gives a bar below the cell, which is gone at the end. Needs no widgets."""
    display: Any = import_module("IPython.display").display
    nothing = {"text/html": "", "text/plain": ""}
    handle = display(nothing, raw=True, display_id=True)
    try:
        yield _NotebookBar(handle)
    finally:
        handle.update(nothing, raw=True)


class _NotebookBar:
    """Shows progress in a notebook."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def __call__(self, now: Progress) -> None:
        value = f' value="{now.done}" max="{now.total}"' if now.total else ""
        text = describe_progress(now)
        bar = f'<progress style="width:300px"{value}></progress> {text}'
        self._handle.update({"text/html": bar, "text/plain": text}, raw=True)

    def paused(self) -> AbstractContextManager[None]:
        return nullcontext()


class ProgressLines:
    """Writes a line now and then."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._last = time.monotonic()
        self._phase = Phase.PICTURES

    def __call__(self, now: Progress) -> None:
        """Write how far it is, unless a line is just written."""
        # what follows the pictures may say nothing until it is through
        entered = now.phase is not self._phase and now.seconds > LINE_INTERVAL_S
        if time.monotonic() - self._last < LINE_INTERVAL_S and not entered:
            return
        self._last, self._phase = time.monotonic(), now.phase
        self._write(describe_progress(now))

    def paused(self) -> AbstractContextManager[None]:
        """Context manager: lines leave a terminal alone anyway."""
        return nullcontext()


def describe_progress(now: Progress) -> str:
    """`1,200 of 25,000, 310.5 pictures/s, 0:01:17 left, 3 rejected`."""
    of = f" of {now.total:,}" if now.total else ""
    left = f", {_time_left(now)} left" if now.done < (now.total or 0) and now.done else ""
    work = f", {text}" if (text := describe_work(now)) else ""
    rejected = f", {now.rejected:,} rejected" if now.rejected else ""
    return f"{now.done:,}{of}{work}{left}{rejected}"


def describe_work(now: Progress) -> str:
    """How fast pictures are read, and what is done when they are."""
    if now.phase is not Phase.PICTURES:
        phase: str = now.phase.value
        return phase
    return f"{now.encoded / now.seconds:.1f} pictures/s" if now.seconds else ""


def _time_left(now: Progress) -> str:
    assert now.total
    seconds = int(now.seconds * max(0, now.total - now.done) / now.done)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _call_both(
    display: Display, on_progress: Callable[[Progress], None] | None
) -> Callable[[Progress], None]:
    if on_progress is None:
        return display

    def call(now: Progress) -> None:
        display(now)
        on_progress(now)

    return call


def _pause_for(display: Display, confirm: Callable[[str, int], bool]) -> Callable[[str, int], bool]:
    def ask(path: str, documents: int) -> bool:
        with display.paused():
            return confirm(path, documents)

    return ask
