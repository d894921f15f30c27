"""Who may use the search service: hosts, tokens, sessions of browsers, origins of pages.

request's head ─► host ─► token or session ─► origin ─► route
                    └───────────┴───────────────┴─► Problem
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from esclip._errors.secrets import Secret
from esclip._server.http import RequestHead
from esclip._server.problems import Problem, ProblemType

OPEN_PATHS = frozenset({"/livez"})
"""What needs no token: whether the process runs. All other routes do."""
SESSION_PATH = "/session"
COOKIE = "esclip-session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[^\[\]:/@\\?#\s]+))(?::[0-9]*)?")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Guard:
    """Checks the head of every request, before its body and whatever its route."""

    token: Secret | None
    hosts: frozenset[str] = field(default=LOOPBACK_NAMES)
    """Names and addresses that the server is reached by, in lower case, without ports. `*`: any."""

    def admit(self, head: RequestHead) -> None:
        """Let a request pass. Raises `Problem`."""
        self._check_host(head)
        if head.path in OPEN_PATHS:
            return
        if head.path != SESSION_PATH and not self._is_known(head):
            raise Problem(ProblemType.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
        if head.method not in SAFE_METHODS:
            _check_origin(head)

    def open_session(self, token: str) -> str:
        """The Set-Cookie header of a browser that gives the token. Raises `Problem` for another token."""
        if self.token is not None and not _equal(token, self.token):
            raise Problem(ProblemType.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
        return f"{COOKIE}={self._session()}; Path=/; HttpOnly; SameSite=Strict"

    def _check_host(self, head: RequestHead) -> None:
        """A page whose name resolves to this machine sends its own name: DNS rebinding ends here."""
        if "*" not in self.hosts and _host_name(head.header("Host")) not in self.hosts:
            raise Problem(ProblemType.WRONG_HOST)

    def _is_known(self, head: RequestHead) -> bool:
        if self.token is None:
            return True
        kind, _, given = head.header("Authorization").partition(" ")
        if kind == "Bearer" and given:
            return _equal(given, self.token)
        return _equal(_cookie(head), self._session())

    def _session(self) -> str:
        """What the cookie holds: made of the token, which can't be read from it."""
        key = (self.token or "").encode()
        return hmac.new(key, b"esclip session", hashlib.sha256).hexdigest()


CLOSED_SESSION = f"{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
"""The Set-Cookie header that ends a session."""


def hosts_of(bound: str, allowed: Iterable[str]) -> frozenset[str]:
    """The names of a server that listens at an address: its own, those of this machine, those allowed."""
    names = {name.lower() for name in allowed}
    try:
        own = {bound} if ipaddress.ip_address(bound).is_unspecified is False else set()
    except ValueError:
        own = {bound.lower()}
    return LOOPBACK_NAMES | names | own


def _host_name(host: str) -> str:
    """A Host header without its port, in lower case; empty for what is no name with a port."""
    named = _HOST.fullmatch(host.lower())
    return named["name"] or named["v6"] if named else ""


def _check_origin(head: RequestHead) -> None:
    """Raise `Problem` for a page of another origin. Programs send neither header."""
    site, origin = head.header("Sec-Fetch-Site"), head.header("Origin")
    if site not in ("", "same-origin", "none"):
        raise Problem(ProblemType.FORBIDDEN_ORIGIN)
    if origin and origin.partition("://")[2] != head.header("Host"):
        raise Problem(ProblemType.FORBIDDEN_ORIGIN)


def _cookie(head: RequestHead) -> str:
    try:
        morsel = SimpleCookie(head.header("Cookie")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _equal(given: str, expected: str) -> bool:
    """Whether they are the same; takes as long for any other."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
