"""How the command line writes: each line, table and JSON value of stdout and stderr passes through here.

    text from anywhere ─► escaped ─┬─► print_columns · print_json · print_heading · table.py ─► stdout
                                   └─► say · log_on_stderr ──────────────────────────────────► stderr

So nothing that a picture, an index, a model or a server says can break a line or command a terminal. Nothing
else in this package may print (ruff's T20 and TID251 look after it).
"""

from __future__ import annotations

import codecs
import json
import logging
import operator
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from esclip._cli.hints import format_warning
from esclip._core.settings import TEXT_LOGGER
from esclip._errors.escaping import escape, join_lines, json_escape
from esclip._errors.secrets import mask

if TYPE_CHECKING:
    from rich.console import Console


class _Verbosity:
    """How much is said on stderr by the command that runs. Read from any thread."""

    verbose = False
    quiet = False


def set_verbosity(*, verbose: bool, quiet: bool) -> None:
    """Say all that the library logs, or nothing but errors, until `log_on_stderr` ends."""
    _Verbosity.verbose, _Verbosity.quiet = verbose, quiet
    if verbose:
        logging.getLogger("esclip").setLevel(logging.DEBUG)


def is_quiet() -> bool:
    """Whether nothing but errors is said: no progress either."""
    return _Verbosity.quiet


def say(message: str) -> None:
    """A line of esclip's own on stderr, at once, unless it is to be quiet: progress, a summary, a warning."""
    if not _Verbosity.quiet:
        say_error(message)


def say_error(message: str) -> None:
    """The line that tells why a command fails."""
    print(f"esclip: {join_lines(message)}", file=sys.stderr, flush=True)


@contextmanager
def log_on_stderr() -> Iterator[None]:
    """Context manager: within it, the library's warnings are lines on stderr."""
    handler = _LineHandler()
    logger = logging.getLogger("esclip")
    level = logger.level
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logging.getLogger(TEXT_LOGGER).setLevel(logging.NOTSET)
        set_verbosity(verbose=False, quiet=False)


class _LineHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(mask(format_warning(record)))


def show_info_logs() -> None:
    """Show also the library's information: what long work is doing."""
    if not _Verbosity.verbose:
        logging.getLogger("esclip").setLevel(logging.INFO)


def show_server_logs() -> None:
    """Show the library's information, and no text of a query: what clients search for stays out of logs."""
    show_info_logs()
    logging.getLogger(TEXT_LOGGER).setLevel(logging.CRITICAL)


def is_terminal() -> bool:
    """Whether a person reads stdout."""
    from rich.console import Console

    return Console().is_terminal


def progress_console() -> Console:
    """What a progress bar is drawn on: stderr. It takes no text from outside."""
    from rich.console import Console

    return Console(stderr=True)


def print_columns(*columns: str) -> None:
    """A line on stdout, with tabs between the columns."""
    print("\t".join(map(escape, columns)))


def print_null_ended(texts: Iterable[str]) -> None:
    """Texts on stdout with a NUL after each, none of them escaped: names of files, byte by byte."""
    if isinstance(sys.stdout, TextIOWrapper):  # not what a test may have put there
        sys.stdout.reconfigure(
            encoding=sys.getfilesystemencoding(), errors=sys.getfilesystemencodeerrors(), newline=""
        )
    for text in texts:
        print(text, end="\0")


def print_bytes(data: bytes) -> None:
    """Bytes of our own making on stdout: a picture for a terminal."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def print_json(value: Any) -> None:
    """A line of JSON on stdout."""
    line = json_line(value)
    print(line if _writes_utf8() else "".join(c if c.isascii() else json_escape(c) for c in line))


def json_line(value: Any) -> str:
    """A value as JSON in one line, also where a text of it has half of a surrogate pair."""
    import orjson

    try:
        return escape(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode())
    except TypeError:  # such a text, the name of a file that is no UTF-8, is none to orjson
        numbers = operator.methodcaller("tolist")  # of an array
        return escape(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=numbers))


def _writes_utf8() -> bool:
    """Whether JSON can be read as it is: in another encoding it has to be ASCII."""
    return codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"


def print_heading(text: str) -> None:
    """A line on stdout that stands out on a terminal."""
    from rich.console import Console
    from rich.text import Text

    Console().print(Text(escape(text), style="bold"), soft_wrap=True)
