"""What must be shown nowhere: tokens and passwords as values, and in the URLs of messages."""

from __future__ import annotations

import re

__all__ = ["HIDDEN", "Address", "Secret", "drop_frames", "mask"]

HIDDEN = "***"

_CREDENTIALS = re.compile(
    r"(?<=:/)(?:"
    r"/[^/?#\s]*"
    r"|/[^\s/:@?#]+:(?!\d{1,5}[/?#])[^\s@]*"  # a password with a slash in it, which cuts the URL short
    r"|(?<=\w\w:/)[^\s/:@]+:[^\s/@]*"  # an address that was taken for a path, which has no double slash
    r")@"
)


class Secret(str):
    """Text that no `repr` shows, neither that of what holds it nor that of a traceback's locals."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{HIDDEN}'"


class Address(str):
    """A place that a user names, whose `repr` has no user and password."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(mask(str(self)))


def mask(text: str) -> str:
    """The text without users and passwords in its URLs; such a URL is fetched neither with nor without."""
    if "@" not in text:
        return text
    return _CREDENTIALS.sub(lambda found: "/" * found[0].startswith("/") + f"{HIDDEN}@", text)


def drop_frames(error: BaseException) -> BaseException:
    """The exception, with what caused it, without the frames below: their locals hold headers as bytes."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.__traceback__ = None
            waiting += [one.__cause__, one.__context__]
            waiting += [arg for arg in one.args if isinstance(arg, BaseException)]
    return error
