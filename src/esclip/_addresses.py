"""Addresses of servers: as they may be shown, and the credentials in them, which may not."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from esclip._errors import ConfigError
from esclip._secrets import Secret

__all__ = ["without_credentials"]


def without_credentials(address: str, whose: str, like: str) -> tuple[str, tuple[str, Secret] | None]:
    """The address as it may be shown, and its user and password.

    Raises `ConfigError`, which names `whose` it is and what it should be `like`, when it is no server's.
    """
    try:
        parts = urlsplit(address.strip())
        port = parts.port
    except ValueError:
        raise ConfigError(f"The {whose}'s address can't be parsed; it is like {like}") from None
    host = parts.hostname
    if not host or parts.query or parts.fragment:
        raise ConfigError(f"The {whose}'s address has no host, or a ? or # in it; it is like {like}")
    shown = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"
    credentials = None
    if parts.username:
        credentials = unquote(parts.username), Secret(unquote(parts.password or ""))
    return shown + parts.path.rstrip("/"), credentials
