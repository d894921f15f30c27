"""Checks the environment's proxies and certificates before a connection is made.

A variable that can't be used is an error of the run, reported once, and not of each picture.
"""

from __future__ import annotations

import ssl
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from esclip._errors import ConfigError
from esclip._errors.secrets import mask

SCHEMES = frozenset({"http", "https"})
"""Of proxies that our connections support."""


def check_proxy(url: str, proxies: Mapping[str, str], schemes: Collection[str] = SCHEMES) -> None:
    """Check the proxy for `url` among `proxies`, by URL scheme.

    Raises `ConfigError`, which names the variable, when it can't be used.
    """
    proxy = select_proxy(url, dict(proxies))
    if not proxy:  # an empty variable means no proxy
        return
    problem = _problem(proxy, schemes)
    if problem:
        variable = next(f"{scheme}_proxy" for scheme, value in proxies.items() if value == proxy)
        raise ConfigError(
            f"the variable {variable} (or {variable.upper()}) is {mask(proxy)!r:.200}, {problem}; "
            "it is like http://proxy:3128, or is not set"
        )


def check_proxy_of_environment(url: str, schemes: Collection[str] = SCHEMES) -> None:
    """Check the environment's proxy for `url`, for requests of other libraries."""
    check_proxy(url, get_environ_proxies(url), schemes)


def check_certificates(url: str, bundle: str | bool | None) -> None:
    """Check that the file or folder of a variable has certificates, for an https `url`.

    Raises `ConfigError` when it has none.
    """
    if isinstance(bundle, str) and urlsplit(url).scheme == "https" and not _has_certificates(bundle):
        raise ConfigError(
            f"the variable REQUESTS_CA_BUNDLE (or CURL_CA_BUNDLE) is {bundle!r:.200}, which has no "
            "certificates; it names a PEM file or a folder of them, or is not set"
        )


def check_certificates_of_environment() -> None:
    """Check the environment's certificates before there is a request. Raises `ConfigError`."""
    with requests.Session() as session:
        url = "https://localhost/"
        check_certificates(url, session.merge_environment_settings(url, {}, None, None, None)["verify"])


def _problem(proxy: str, schemes: Collection[str]) -> str | None:
    try:
        parts = parse_url(proxy if "://" in proxy else f"http://{proxy}")
        host = (parts.host or "").strip("[]")
        host.encode("idna")
    except (LocationParseError, UnicodeError):
        return "which is no address"
    if not host or any(character.isspace() for character in host):
        return "which has no host"
    if parts.scheme not in schemes:
        return f"and {parts.scheme}:// is no kind of proxy that esclip can use"
    return None


@cache
def _has_certificates(bundle: str) -> bool:
    try:
        if Path(bundle).is_dir():
            return True
        ssl.create_default_context(cafile=bundle)
    except (OSError, ValueError):  # ssl's own are OSErrors
        return False
    return True
