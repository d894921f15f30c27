"""Hides secrets: tokens and passwords as values, and in the URLs of messages."""

from __future__ import annotations

import re

HIDDEN = "***"

_CREDENTIALS = re.compile(
    r"(?<=:/)(?:"
    r"/[^/?#\s]*"
    r"|/[^\s/:@?#]+:(?!\d{1,5}[/?#])[^\s@]*"  # a password with a slash in it, which cuts the URL short
    r"|(?<=\w\w:/)[^\s/:@]+:[^\s/@]*"  # an address parsed as a path, which has no double slash
    r")@"
)


class Secret(str):
    """Text whose `repr` is hidden, also in the `repr` of containers and of a traceback's locals."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{HIDDEN}'"


class Address(str):
    """An address or a path of a user; its `repr` has no user and password."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(mask(str(self)))


def mask(text: str) -> str:
    """The text with users and passwords in its URLs replaced. Such a URL can't be fetched."""
    if "@" not in text:
        return text
    return _CREDENTIALS.sub(lambda match: "/" * match[0].startswith("/") + f"{HIDDEN}@", text)


def drop_frames(error: BaseException) -> BaseException:
    """The exception and its causes without tracebacks, whose frames' locals have headers as bytes."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        cause = pending.pop()
        if cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            cause.__traceback__ = None
            pending += [cause.__cause__, cause.__context__]
            pending += [arg for arg in cause.args if isinstance(arg, BaseException)]
    return error
