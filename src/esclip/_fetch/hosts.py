"""Which hosts get requests, and at which addresses: no data leads into the network that esclip runs in.
Which buckets are read: those that the user names, for their credentials may open others, too.

    URL ─► in normal form ─► host allowed? ─► connection ─► address public, or the host named by the user?

A host that the user names may have any address. All others may have public addresses only, checked at the
moment of the connection.
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

from esclip._core.urls import MAX_URL
from esclip._errors import ConfigError, FetchError
from esclip._errors.reasons import Reason
from esclip._files.buckets import BucketPath, is_bucket_address
from esclip._net.session import address_scope
from esclip._net.sockets import ForbiddenAddressError

_HOST = re.compile(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]")

_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""An IPv4 address in its last four bytes, behind NAT64: all that a host in an IPv6 network may see."""
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_PROTOCOLS_OWN = ipaddress.IPv4Network("192.0.0.0/24")
"""Reserved for protocols, and a cloud's metadata; older versions of Python take most of it for public."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL, and the host and port that it leads to."""

    url: str
    """In normal form."""
    host: str
    port: int


class HostPolicy:
    """The allowed hosts: those that the user `named`, at any address, and those that must be `public`.

    An entry is `host` for any port, or `host:port`. None for the first allows all hosts, for a URL that the
    user typed: private addresses too, unless a public host redirects there. None for the second allows all
    others at public addresses, for URLs of strangers: then no proxy may resolve their names. Buckets are read
    only where the first names them, as `s3://bucket`, or is None.

    Raises `ConfigError` for an entry that is not a host's name.
    """

    def __init__(self, named: Collection[str] | None, public: Collection[str] | None = ()) -> None:
        buckets = [entry for entry in named or () if is_bucket_address(entry)]
        self._buckets = None if named is None else {_bucket(entry) for entry in buckets}
        self._named = (
            None if named is None else {_host_and_port(entry) for entry in {*named}.difference(buckets)}
        )
        self._public = None if public is None else {_host_and_port(entry) for entry in public}

    def check(self, url: str) -> Endpoint:
        """The endpoint of `url`. Raises `FetchError` when it is malformed or its host is not allowed."""
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
        endpoint = Endpoint(normal, host, parts.port or (443 if parts.scheme == "https" else 80))
        if not self._allows(endpoint):
            raise FetchError(Reason.BAD_URL, f"host {host} is not one of those allowed")
        return endpoint

    def check_bucket(self, address: str) -> BucketPath:
        """Where `address` leads. Raises `FetchError` when it is malformed or its bucket is not allowed."""
        try:
            path = BucketPath.parse(address)
        except ValueError as error:
            raise FetchError(Reason.BAD_URL, str(error)) from None
        if self._buckets is not None and path.root not in self._buckets:
            raise FetchError(Reason.BAD_URL, f"bucket {path.root} is not one of those allowed")
        return path

    def _allows(self, endpoint: Endpoint) -> bool:
        if self._named is None or self._public is None:
            return True
        return _has(self._named | self._public, endpoint)

    def may_be_private(self, endpoint: Endpoint, *, left_public: bool) -> bool:
        """Whether `endpoint` may have a private address. `left_public`: a public host redirected to it.

        Where all hosts are allowed, the first is the one that the user typed.
        """
        return not left_public if self._named is None else _has(self._named, endpoint)


class RedirectChain:
    """The endpoints of one download: the URL's, and those that it is redirected to."""

    def __init__(self, hosts: HostPolicy) -> None:
        self._hosts = hosts
        self._left_public = False
        """Whether an endpoint before was public: what it redirects to must be, too."""

    @contextmanager
    def visit(self, endpoint: Endpoint) -> Iterator[None]:
        """Context manager: within it, connections are made only to addresses that `endpoint` may have.

        A proxy resolves names itself: then only addresses that stand in URLs are checked.
        """
        may_be_private = self._hosts.may_be_private(endpoint, left_public=self._left_public)
        public: list[bool] = []

        def allow_address(address: str) -> bool:
            public.append(is_public(address))
            return public[-1] or may_be_private

        literal = _literal_address(endpoint.host)
        if literal and not allow_address(literal):
            raise ForbiddenAddressError(f"{literal} is not an address of the public web")
        with address_scope(allow_address):
            yield
        self._left_public |= any(public) or not public


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


def _literal_address(host: str) -> str | None:
    """The address that `host` is, in any of the notations that resolvers understand (`0x7f.1`)."""
    with suppress(OSError, ValueError):
        resolved = socket.getaddrinfo(host.strip("[]"), None, flags=socket.AI_NUMERICHOST)
        return str(resolved[0][4][0])
    return None


def _has(entries: Collection[tuple[str, int | None]], endpoint: Endpoint) -> bool:
    return (endpoint.host, None) in entries or (endpoint.host, endpoint.port) in entries


def _bucket(entry: str) -> BucketPath:
    """The bucket that an entry allows."""
    path = BucketPath.of_user(entry, "allowed bucket")
    if path.key:
        raise ConfigError(f"allowed bucket {path}: give the whole bucket, {path.root}")
    return path


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
