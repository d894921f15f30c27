"""The program's standard streams, whatever they are when it starts. For the command line only.

closed (`>&-`)                  ─► reading and writing fail, as in other programs
not UTF-8                       ─► characters that the encoding lacks are written as JSON escapes
stdout can't be written         ─► one line on stderr, exit status 1
nobody reads stdout (`| head`)  ─► exit status 1, silently
nobody reads stderr             ─► the work goes on
libraries write to stderr       ─► it goes nowhere (`_cli.stderr`)
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, FileIO, TextIOWrapper

from esclip._cli.output.console import say_error
from esclip._cli.stderr import keep_stderr
from esclip._errors.escaping import json_escape

_ESCAPES = "esclip-json-escapes"


@contextmanager
def standard_streams() -> Iterator[None]:
    """Within it, the standard streams can be used; on leaving, all output has been written.

    Ends the program with exit status 1 when stdout can't be written.
    """
    _replace_closed()
    keep_stderr()
    codecs.register_error(_ESCAPES, _escape)
    with _instead("stderr", _OptionalStderr), _failure_told(), _instead("stdout", _CheckedStdout):
        yield


@contextmanager
def _failure_told() -> Iterator[None]:
    try:
        yield
    except _StdoutError as error:
        if not isinstance(error.__cause__, BrokenPipeError):
            say_error(f"the results can't be written to stdout: {error}")
        raise SystemExit(1) from None


class _StdoutError(Exception):
    """What was printed could not be written."""


class _CheckedStdout(TextIOWrapper):
    """Text to stdout's file, whose errors are told from those of other files."""

    def write(self, text: str) -> int:
        with _stdout_errors():
            return super().write(text)

    def flush(self) -> None:
        with _stdout_errors():
            super().flush()


@contextmanager
def _stdout_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _StdoutError(error.strerror or str(error)) from error


class _OptionalStderr(TextIOWrapper):
    """Text to stderr's file; what can't be written there is left out."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            _discard_output(self)


@contextmanager
def _instead(name: str, kind: type[TextIOWrapper]) -> Iterator[None]:
    """Within it, the stream `sys.<name>` is of this kind, and escapes what its encoding lacks."""
    before = getattr(sys, name)
    if not isinstance(before, TextIOWrapper):  # what a test put there
        yield
        return
    before.flush()
    stream = kind(
        before.buffer,
        encoding=before.encoding,
        errors=_ESCAPES,
        line_buffering=before.line_buffering,
        write_through=before.write_through,
    )
    setattr(sys, name, stream)
    try:
        try:
            yield
        finally:
            stream.flush()
    except _StdoutError:
        _discard_output(stream)
        raise
    finally:
        setattr(sys, name, before)
        stream.detach()


def _discard_output(stream: TextIOWrapper) -> None:
    """Let what `stream` still holds go nowhere: Python would try to write it again at exit, and complain."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _replace_closed() -> None:
    """Open streams that are closed: the next file that is opened would take their place, and get the output.

    The null device is opened the wrong way round, so that reading stdin and writing stdout fail.
    """
    if sys.stdin is None:
        unreadable = FileIO(os.open(os.devnull, os.O_WRONLY), "r")
        unreadable.name = "<stdin>"  # as the usual one is called
        sys.stdin = TextIOWrapper(BufferedReader(unreadable), encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json_escape(error.object[error.start : error.end]), error.end
