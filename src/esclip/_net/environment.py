"""What the environment says about connections, proxies and certificates, checked before a connection is made.

A variable that can't be used is a fault of the run, named once, and not of each picture that is fetched.
"""

from __future__ import annotations

import ssl
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from esclip._errors import ConfigError
from esclip._text.secrets import mask

__all__ = ["check_certificates", "check_proxy", "check_proxy_of_environment"]

SCHEMES = frozenset({"http", "https"})
"""Of proxies that our connections go through."""


def check_proxy(url: str, proxies: Mapping[str, str], schemes: Collection[str] = SCHEMES) -> None:
    """Look at the one of `proxies`, by the scheme that each is for, through which `url` would be requested.

    Raises `ConfigError`, which names the variable, when it is none that can be used.
    """
    proxy = select_proxy(url, dict(proxies))
    if not proxy:  # an empty variable says that there is none
        return
    fault = _fault(proxy, schemes)
    if fault:
        variable = next(f"{scheme}_proxy" for scheme, value in proxies.items() if value == proxy)
        raise ConfigError(
            f"The variable {variable} (or {variable.upper()}) is {mask(proxy)!r:.200}, {fault}; "
            "it is like http://proxy:3128, or is not set"
        )


def check_proxy_of_environment(url: str, schemes: Collection[str] = SCHEMES) -> None:
    """The same with the proxies of the environment, for requests that other libraries make."""
    check_proxy(url, get_environ_proxies(url), schemes)


def check_certificates(url: str, bundle: str | bool | None) -> None:
    """Look at the file or folder of certificates, which a variable names, for an https `url`.

    Raises `ConfigError` when there are none.
    """
    if isinstance(bundle, str) and urlsplit(url).scheme == "https" and not _has_certificates(bundle):
        raise ConfigError(
            f"The variable REQUESTS_CA_BUNDLE (or CURL_CA_BUNDLE) is {bundle!r:.200}, where no certificates "
            "are; it names a PEM file or a folder of them, or is not set"
        )


def _fault(proxy: str, schemes: Collection[str]) -> str | None:
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
