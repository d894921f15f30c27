"""Servers' addresses and users' paths: which of them a text is, and how it may be shown.

    "http://host:9200"                       server_address ─► the address
    "pictures", "./localhost:9200"                          └► None: a folder, or a name
    "localhost:9200", "htpp://host", "//host"               └► ConfigError, which names the right spelling

This is the one place that tells them apart.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote, urlsplit

from esclip._errors import ConfigError, one_line
from esclip._text.forms import existing_path
from esclip._text.secrets import Address, Secret, mask

__all__ = ["correct_address", "scheme_of", "server_address", "split_credentials", "user_path"]

WEB_SCHEMES = ("http", "https")

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/", re.IGNORECASE)
"""Of two letters or more: one letter is a drive of Windows."""
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
"""What stands for a server, and hardly for a folder; `rest` is what follows its scheme."""


def scheme_of(address: str) -> str:
    """What stands before `://`, in lower case; empty where that is missing."""
    scheme, separator, _ = address.partition("://")
    return scheme.lower() if separator else ""


def server_address(text: str, whose: str, schemes: Collection[str] = WEB_SCHEMES) -> str | None:
    """The address with one of these schemes that a user's text is, or None: then it is a folder or a name.

    Raises `ConfigError` for what looks like an address and is spelled in another way.
    """
    text = text.strip()
    if scheme_of(text) in schemes:
        return Address(text)
    if (spelled := correct_address(text, schemes)) is None:
        return None
    told = one_line(mask(text), 200)
    if "@" in text and told == one_line(text, 200):  # what stands before it may be a password
        told = "with a user or a password in it"
    remedy = f"write {one_line(spelled, 200)}"
    if "@" not in text and spelled.endswith(f"//{text}"):
        remedy += f", or ./{told} for a folder"
    listed = " nor ".join(f"{scheme}://" for scheme in schemes)
    raise ConfigError(f"The {whose}'s address {told} begins with neither {listed}; {remedy}")


def correct_address(text: str, schemes: Collection[str] = WEB_SCHEMES) -> str | None:
    """A text that looks like a server's address, as one; None for any other text."""
    if text.startswith("//"):
        if text.startswith("///") or _exists(text):
            return None
        return f"http:{text}"
    for pattern in _UNMARKED:
        if found := pattern.fullmatch(text):
            given = (found.groupdict().get("scheme") or WEB_SCHEMES[0]).lower()
            near = get_close_matches(given, schemes, n=1, cutoff=0.7) or WEB_SCHEMES
            rest = found["rest"].lstrip("/\\")
            host = f"[{rest}]" if re.fullmatch(r"[0-9a-f:.]*::[0-9a-f:.]*", rest, re.IGNORECASE) else rest
            return f"{near[0]}://{host}"
    return None


def user_path(path: str | Path, what: str) -> Path:
    """The path that a user names, `~` being the home directory: in a variable no shell has put it there.

    Its names are as the disk has them, where it has the same text in another Unicode form.

    Raises `ConfigError`, which names `what` it is, for an address, and for the home of nobody.
    """
    text = str(path)
    if isinstance(path, str) and not _exists(path):
        path = path.strip()
    if _SCHEME.match(text) and not _exists(path):
        raise ConfigError(f"{what} {one_line(text, 200)}: an address, where a path is wanted")
    try:
        return existing_path(Path(path).expanduser())
    except RuntimeError as error:
        raise ConfigError(f"{what} {one_line(text, 200)}: nobody here has that home directory") from error


def _exists(path: str | Path) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long for a name, or none
        return False


def split_credentials(address: str, whose: str, like: str) -> tuple[str, tuple[str, Secret] | None]:
    """The address as it may be shown, and its user and password.

    Raises `ConfigError`, which names `whose` it is and what it should be `like`, when it is no server's.
    """
    address = Address(address.strip())
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise ConfigError(f"The {whose}'s address can't be parsed; it is like {like}") from None
    host = parts.hostname
    if not host or parts.query or parts.fragment or not address.isprintable() or " " in host:
        raise ConfigError(
            f"The {whose}'s address has no host, or a ?, # or control character in it; it is like {like}"
        )
    shown = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"
    credentials = None
    if parts.username:
        credentials = unquote(parts.username), Secret(unquote(parts.password or ""))
    return shown + parts.path.rstrip("/"), credentials
