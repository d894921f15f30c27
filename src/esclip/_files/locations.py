"""Addresses of servers and paths of users: which of them a text is, and how it is shown.

    "http://host:9200"                       server_address ─► the address
    "pictures", "./localhost:9200"                          └► None: a folder, or a name
    "localhost:9200", "htpp://host", "//host"               └► ConfigError with the right spelling

This is the one place that distinguishes them.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from esclip._errors import ConfigError, one_line
from esclip._errors.secrets import Address, Secret, mask

AnyPath: TypeAlias = str | os.PathLike[str]

AnyCaptions: TypeAlias = AnyPath | Mapping[str, str] | Mapping[Path, str]
"""Where captions are, or texts by the paths of their pictures."""

AnyCaptioner: TypeAlias = AnyPath | Callable[[list[Any]], Sequence[str]]
"""A model's folder or name, or a function of pictures that gives a text for each."""

AnyDetector: TypeAlias = AnyPath | Callable[[Any], Iterable[Sequence[float]]]
"""A model's folder or name, or a function of a picture that gives boxes."""

WEB_SCHEMES = ("http", "https")

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/", re.IGNORECASE)
"""Of two letters or more: one letter is a drive of Windows."""
_CLOUD = re.compile(r"(?:s3[an]?|gc?s|abfss?|az|r2):/", re.IGNORECASE)
"""Addresses of buckets, also one that was made a `Path`, which has lost a slash."""
_HOST = r"(?:\[[0-9a-f:.]+\]|[\w.-]+)"
_REST = r"(?:[/?#].*)?"
_UNMARKED = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        r"(?P<scheme>[a-z][a-z0-9+.-]+):/+(?P<rest>.*)",
        r"(?P<scheme>https?)(?:[;.,]?//|[:;]\\*)(?P<rest>.*)",
        r"(?P<rest>[^/\\@:]+:(?![/\\])[^@]*@[^/\\@]+.*)",
        rf"(?P<rest>(?:[^/\\@]+@)?{_HOST}:\d{{1,5}}{_REST})",
        rf"(?P<rest>(?:localhost|\d+(?:\.\d+){{3}}|\[[0-9a-f:.]+\]){_REST})",
        r"(?P<rest>[0-9a-f:]*::[0-9a-f:.]*)",
    )
)
"""Texts that probably mean a server and not a folder; `rest` follows the scheme."""


def scheme_of(address: str) -> str:
    """The text before `://`, in lower case; empty without one."""
    scheme, separator, _ = address.partition("://")
    return scheme.lower() if separator else ""


def server_address(text: str, whose: str, schemes: Collection[str] = WEB_SCHEMES) -> str | None:
    """The text, if it is an address with one of these schemes; None for a folder or a name.

    Raises `ConfigError` for a text that looks like a misspelled address.
    """
    text = text.strip()
    if scheme_of(text) in schemes:
        return Address(text)
    if (corrected := correct_address(text, schemes)) is None:
        return None
    shown = one_line(mask(text), 200)
    if "@" in text and shown == one_line(text, 200):  # the text before it may be a password
        shown = "with a user or a password in it"
    remedy = f"write {one_line(corrected, 200)}"
    if "@" not in text and corrected.endswith(f"//{text}"):
        remedy += f", or ./{shown} for a folder"
    listed = " nor ".join(f"{scheme}://" for scheme in schemes)
    raise ConfigError(f"the {whose}'s address {shown} begins with neither {listed}; {remedy}")


def correct_address(text: str, schemes: Collection[str] = WEB_SCHEMES) -> str | None:
    """The address that a text was probably meant to be; None for a text that isn't like one."""
    if text.startswith("//"):
        if text.startswith("///") or _exists(text):
            return None
        return f"http:{text}"
    for pattern in _UNMARKED:
        if match := pattern.fullmatch(text):
            given = (match.groupdict().get("scheme") or WEB_SCHEMES[0]).lower()
            near = get_close_matches(given, schemes, n=1, cutoff=0.7) or WEB_SCHEMES
            rest = match["rest"].lstrip("/\\")
            host = f"[{rest}]" if re.fullmatch(r"[0-9a-f:.]*::[0-9a-f:.]*", rest, re.IGNORECASE) else rest
            return f"{near[0]}://{host}"
    return None


def user_path(path: str | Path, what: str) -> Path:
    """The path that a user gives, with `~` expanded, which no shell does in a variable.

    Names have the Unicode form that they have on disk.

    Raises `ConfigError`, which says `what` the path is for, for an address, for an unknown user's home, and
    for a text with a NUL.
    """
    text = str(path)
    if "\0" in text:
        raise ConfigError(f"{what} {one_line(text, 200)}: it holds a NUL, which no file's name does")
    if isinstance(path, str) and not _exists(path):
        path = path.strip()
    if _SCHEME.match(text) and not _exists(path):
        advice = "; an ingest reads buckets by a text like s3://name/prefix" if _CLOUD.match(text) else ""
        raise ConfigError(f"{what} {one_line(text, 200)}: an address where a path is expected{advice}")
    try:
        return existing_path(Path(path).expanduser())
    except RuntimeError as error:
        raise ConfigError(f"{what} {one_line(text, 200)}: there is no such home directory") from error


def _exists(path: str | Path) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long for a name, or none
        return False


def split_credentials(address: str, whose: str, like: str) -> tuple[str, tuple[str, Secret] | None]:
    """Splits credentials out of an address: (address without them, user and password).

    Raises `ConfigError`, which says `whose` it is and what it should be `like`, for no server's address.
    """
    address = Address(address.strip())
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise ConfigError(f"the {whose}'s address can't be parsed; it is like {like}") from None
    host = parts.hostname
    if not host or parts.query or parts.fragment or not address.isprintable() or " " in host:
        raise ConfigError(
            f"the {whose}'s address has no host, or a ?, # or control character in it; it is like {like}"
        )
    shown = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"
    credentials = None
    if parts.username:
        credentials = unquote(parts.username), Secret(unquote(parts.password or ""))
    return shown + parts.path.rstrip("/"), credentials


def existing_path(path: str | Path) -> Path:
    """The path with each name in the Unicode form that it has on disk.

    So a path is the same however it was typed. Names that aren't on disk stay as they are.
    """
    path = Path(path)
    if str(path).isascii():
        return path
    existing = Path(path.anchor)
    for name in path.relative_to(path.anchor).parts:
        existing /= _name_on_disk(existing, name) if not name.isascii() else name
    return existing


def _name_on_disk(folder: Path, name: str) -> str:
    wanted = unicodedata.normalize("NFC", name)
    try:
        with os.scandir(folder) as entries:
            alike = [entry.name for entry in entries if unicodedata.normalize("NFC", entry.name) == wanted]
    except (OSError, ValueError):  # not readable, or not a valid folder name
        return name
    return name if name in alike or not alike else min(alike)
