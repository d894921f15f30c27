"""What lets us into a cluster: certificates to trust and credentials, which nothing shows.

    user, password, api_key, ... ─┐
    https://user:password@host ───┴► admitted ─► the address as it may be shown, and the one Access

Certificates and host names are always checked; there is no switch for it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from esclip._errors import ConfigError, Hint
from esclip._files.locations import split_credentials, user_path
from esclip._text.secrets import Secret

__all__ = ["StoreAuth", "resolve_access"]

log = logging.getLogger("esclip")


@dataclass(frozen=True, slots=True)
class StoreAuth:
    """How a cluster lets us in: by user and password, by API key, or by AWS credentials. At most one of them.

    Raises `ConfigError` for what can't be meant.
    """

    ca_file: str | Path | None = None
    """PEM certificates of who may have signed the server's, instead of the system's."""
    user: str | None = None
    password: str | None = None
    api_key: str | None = None
    """As Elasticsearch encodes it, or `id:key`."""
    aws_region: str | None = None
    """Requests are signed for this region, with credentials from where AWS's own tools find them."""

    def __post_init__(self) -> None:
        for name in ("user", "password", "api_key", "aws_region"):
            if (value := getattr(self, name)) is not None and not isinstance(value, str):
                raise ConfigError(f"{name} is of type {type(value).__name__}; it takes a text")
        if isinstance(self.ca_file, str):
            object.__setattr__(self, "ca_file", self.ca_file.strip())
        if self.ca_file and str(self.ca_file).startswith("~"):
            object.__setattr__(self, "ca_file", user_path(self.ca_file, "CA file"))
        for name in ("password", "api_key"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, Secret(value))
        if (self.user is None) != (self.password is None):
            has, lacks = ("password", "user") if self.user is None else ("user", "password")
            raise ConfigError(f"A {has} without a {lacks} lets nobody in", Hint.USER_AND_PASSWORD)
        if ":" in (self.user or ""):
            raise ConfigError("A user's name has no colon in it", Hint.PASSWORD)
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ConfigError(
                "The API key has a line break or another character that no key has; copy it again"
            )
        if len(self._kinds()) > 1:
            raise ConfigError(f"{' and '.join(self._kinds())} are given; a cluster lets in by one of them")

    @property
    def how(self) -> str | None:
        """How we are let in, but not with what: `user alice`, `API key`, `AWS us-east-1`."""
        return next(iter(self._kinds()), None)

    def _kinds(self) -> list[str]:
        named = (("user", self.user), ("API key", self.api_key and ""), ("AWS", self.aws_region))
        return [f"{kind} {name}".rstrip() for kind, name in named if name is not None]


def resolve_access(address: str, access: StoreAuth) -> tuple[str, StoreAuth]:
    """The address as it may be shown, and `access` with the user and password that stood in it.

    Credentials may go over plain HTTP, with a warning: many a network ends TLS at a proxy beside the client.
    """
    shown, credentials = split_credentials(address, "store", "https://host:9200")
    if credentials:
        if access.how:
            raise ConfigError(f"{shown} has a user before its host, and {access.how} is given; give one")
        access = replace(access, user=credentials[0], password=credentials[1])
    if not shown.startswith("https://"):
        if access.ca_file is not None:
            raise ConfigError(f"A CA file is given, and {shown} has no certificate; it begins with https://")
        if access.how and not _is_loopback(shown):
            log.warning("%s: credentials go there unencrypted; https:// would hide them", shown)
    return shown, access


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
