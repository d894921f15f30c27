"""How a client is authenticated by a cluster, and which certificates it trusts. Secrets are never shown.

    user, password, api_key, ... ─┐
    https://user:password@host ───┴► resolve_access ─► (address without credentials, StoreAuth)

Certificates and host names are always verified; there is no option against it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from esclip._core.options import Opt, Panel
from esclip._errors import ConfigError, Hint
from esclip._errors.secrets import Secret
from esclip._files.locations import scheme_of, split_credentials, user_path

log = logging.getLogger("esclip")

ENGINE = ("https://host:9200", "https://")
MILVUS = ("milvus://host:19530", "milvus+https://")
"""What an address is like, and how one begins whose connections are encrypted."""


@dataclass(frozen=True, slots=True)
class StoreAuth:
    """Authentication by user and password, by API key, or by AWS credentials: at most one of them.

    Raises `ConfigError` for a combination or a value that can't be used.
    """

    ca_file: Annotated[
        str | Path | None,
        Opt(
            None,
            "PEM certificates of who may have signed the cluster's. [default: the system's]",
            metavar="FILE",
            panel=Panel.ACCESS,
        ),
    ] = None
    user: Annotated[
        str | None, Opt(None, "Who the cluster lets in, with a password.", metavar="NAME", panel=Panel.ACCESS)
    ] = None
    password: Annotated[
        str | None,
        Opt(
            None,
            "The user's password; better in the variable, which no list of processes shows.",
            metavar="PASSWORD",
            panel=Panel.ACCESS,
            secret=True,
        ),
    ] = None
    api_key: Annotated[
        str | None,
        Opt(
            None,
            "An Elasticsearch API key, encoded or as id:key, or a token of Milvus; better in the variable.",
            metavar="KEY",
            panel=Panel.ACCESS,
            secret=True,
        ),
    ] = None
    aws_region: Annotated[
        str | None,
        Opt(
            None,
            "Sign requests to Amazon OpenSearch Service for this region, with AWS's own credentials.",
            metavar="REGION",
            panel=Panel.ACCESS,
        ),
    ] = None

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
            raise ConfigError(f"a {has} without a {lacks} authenticates nobody", Hint.USER_AND_PASSWORD)
        if ":" in (self.user or ""):
            raise ConfigError("a user's name has no colon in it", Hint.PASSWORD)
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ConfigError(
                "the API key has a line break or another character that no key has; copy it again"
            )
        if len(self._kinds()) > 1:
            raise ConfigError(f"{' and '.join(self._kinds())} are given; a cluster takes one of them")

    def describe(self) -> str | None:
        """The kind of authentication, without secrets: `user alice`, `API key`, `AWS us-east-1`; or None."""
        return next(iter(self._kinds()), None)

    def _kinds(self) -> list[str]:
        named = (("user", self.user), ("API key", self.api_key and ""), ("AWS", self.aws_region))
        return [f"{kind} {name}".rstrip() for kind, name in named if name is not None]


def resolve_access(address: str, access: StoreAuth) -> tuple[str, StoreAuth]:
    """Splits credentials out of the URL: (address without them, auth with them).

    Credentials may be sent over plain HTTP, with a warning: TLS may end at a proxy beside the client.
    """
    of_milvus = scheme_of(address.strip()).startswith("milvus")
    like, encrypted = MILVUS if of_milvus else ENGINE
    shown, credentials = split_credentials(address, "store", like)
    if credentials:
        if given := access.describe():
            raise ConfigError(f"{shown} has a user before its host, and {given} is given; give one")
        access = replace(access, user=credentials[0], password=credentials[1])
    if not shown.startswith(encrypted):
        if access.ca_file is not None:
            raise ConfigError(
                f"a CA file is given, and {shown} has no certificate; it begins with {encrypted}"
            )
        if access.describe() and not _is_loopback(shown):
            log.warning("%s: credentials are sent unencrypted; %s would encrypt them", shown, encrypted)
    return shown, access


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
