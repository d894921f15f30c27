"""Which hosts may be asked, and at which addresses: no one's data leads into the network that esclip runs in.

    URL ─► in normal form ─► host allowed? ─► connection ─► address public, or the host named by a person?

A host that a person names may be anywhere. All others may be at public addresses only, whatever their names
resolve to at the moment of the connection.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import requests
import urllib3.exceptions as urllib3_errors
from urllib3.util import Url, parse_url

from esclip._core.rejections import Reason
from esclip._errors import ConfigError, FetchError
from esclip._net.session import addresses_limited
from esclip._net.sockets import ForbiddenAddressError
from esclip._text.urls import MAX_URL

__all__ = ["HostPolicy", "Place", "RedirectChain", "is_public"]

_HOST = re.compile(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]")

_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""An IPv4 address in its last four bytes, behind NAT64: all that a host in an IPv6 network may see."""
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_PROTOCOLS_OWN = ipaddress.IPv4Network("192.0.0.0/24")
"""Reserved for protocols, and a cloud's metadata; older versions of Python take most of it for public."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL leads."""

    url: str
    """In normal form."""
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class HostPolicy:
    """The hosts that may be asked: those that a person `named`, anywhere, and those that must be `public`.

    An entry is `host` for any port, or `host:port`. With None named, all hosts may be asked.

    Raises `ConfigError` for an entry that can be no host.
    """

    def __init__(self, named: Collection[str] | None, public: Collection[str] = ()) -> None:
        self._named = None if named is None else {_host_and_port(entry) for entry in named}
        self._public = {_host_and_port(entry) for entry in public}

    def check(self, url: str) -> Place:
        """Where `url` leads. Raises `FetchError` when it is malformed or its host is not allowed."""
        if len(url) > MAX_URL:
            raise FetchError(Reason.BAD_URL, f"a URL of more than {MAX_URL} characters")
        try:
            normal = requests.Request("GET", url).prepare().url or ""
            parts = parse_url(normal)
        except (requests.RequestException, ValueError) as error:
            raise FetchError(Reason.BAD_URL, "malformed URL") from error
        host = (parts.host or "").rstrip(".")
        if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
            raise FetchError(Reason.BAD_URL, "not the http or https URL of a host")
        if parts.auth is not None:
            raise FetchError(Reason.BAD_URL, "a URL with a user name or password is not fetched")
        place = Place(normal, host, parts.port or (443 if parts.scheme == "https" else 80))
        if self._named is not None and not _has(self._named | self._public, place):
            raise FetchError(Reason.BAD_URL, f"host {host} is not one of those allowed")
        return place

    def may_be_private(self, place: Place, *, strayed: bool) -> bool:
        """Whether `place` may be at an address that is not public, after a public place or as the first.

        Where all hosts are allowed, the first is the one that a person typed.
        """
        return not strayed if self._named is None else _has(self._named, place)


class RedirectChain:
    """The places that lead to one picture, one after another, each at an address where it may be."""

    def __init__(self, hosts: HostPolicy) -> None:
        self._hosts = hosts
        self._strayed = False

    @contextmanager
    def at(self, place: Place) -> Iterator[None]:
        """A time in which connections are made to where `place` may be.

        A proxy looks names up itself, out of our sight: only addresses in URLs are judged then.
        """
        private_too = self._hosts.may_be_private(place, strayed=self._strayed)
        public: list[bool] = []

        def welcome(address: str) -> bool:
            public.append(is_public(address))
            return public[-1] or private_too

        literal = _literal(place.host)
        if literal and not welcome(literal):
            raise ForbiddenAddressError(f"{literal} is not an address of the public web")
        with addresses_limited(welcome):
            yield
        self._strayed |= any(public) or not public


def is_public(address: str) -> bool:
    """Whether `address` is one of the public web: not private, loopback, link-local, shared, reserved, ...

    An IPv6 address that carries an IPv4 address is judged by that.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _TRANSLATED:
            inner = ipaddress.IPv4Address(ip.packed[-4:])
        if inner is None:
            return ip in _GLOBAL_UNICAST and ip.is_global
        ip = inner
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and ip not in _PROTOCOLS_OWN


def _literal(host: str) -> str | None:
    """The address that `host` is, written in any of the ways that resolvers understand (`0x7f.1`)."""
    with suppress(OSError, ValueError):
        found = socket.getaddrinfo(host.strip("[]"), None, flags=socket.AI_NUMERICHOST)
        return str(found[0][4][0])
    return None


def _has(entries: Collection[tuple[str, int | None]], place: Place) -> bool:
    return (place.host, None) in entries or (place.host, place.port) in entries


def _host_and_port(entry: str) -> tuple[str, int | None]:
    """An allowed host, with the one port that is allowed or None for any."""
    try:
        parts = parse_url(f"http://{entry}")
    except urllib3_errors.LocationParseError:
        parts = Url()
    host = (parts.host or "").rstrip(".")
    beyond = parts.auth is not None or parts.path or parts.query or parts.fragment
    if not _HOST.fullmatch(host) or beyond or parts.port == 0:
        raise ConfigError(f"allowed host {entry!r}: give a host like images.unsplash.com, or host:port")
    return host, parts.port
