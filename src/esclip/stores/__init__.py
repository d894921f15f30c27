"""Where vectors are kept and searched: an embedded index, OpenSearch or Elasticsearch, memory.

open_store(address, index) ─► http(s)://host:port   EngineStore, which asks the server what it is
                           └► anything else         LanceStore, in a folder of that name
"""

from __future__ import annotations

import re
from pathlib import Path

from esclip._access import Access
from esclip._errors import ConfigError
from esclip._protocols import Store

__all__ = ["is_folder", "open_store"]

INDEX_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,199}")
URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
NO_FOLDER = re.compile(r"[^/\\:@]+:[^/\\@]+@[^/\\@]+")
"""A user and a password before a host, which a folder's name would show to everybody."""


def is_folder(address: str) -> bool:
    """Whether this is the address of an embedded store."""
    return URL.match(address) is None


def open_store(address: str, index: str, access: Access | None = None) -> Store:
    """The store at `address` with its index `index`, which need not exist. Nothing is connected to yet.

    Raises `ConfigError` for an address, a name or an `access` that can't be used.
    """
    if not INDEX_NAME.fullmatch(index):
        raise ConfigError(
            f"Index name {index!r:.80} can't be used; "
            "it is up to 200 of a-z, 0-9, _ and -, and begins with a letter or digit."
        )
    if not address:
        raise ConfigError("The store's address is empty: give a folder, or an http:// or https:// address.")
    scheme = URL.match(address)
    if scheme is None:
        if NO_FOLDER.fullmatch(address):
            raise ConfigError("The store's address has a password in it; it is like https://host:9200")
        if access not in (None, Access()):
            raise ConfigError(
                f"{address} is a folder, which has no lock: leave out user, password, API key, AWS region "
                "and CA file, or give the https:// address of a cluster"
            )
        from esclip.stores.embedded import LanceStore

        return LanceStore(Path(address), index)
    if scheme[1].lower() not in ("http", "https"):
        raise ConfigError(f"Store addresses begin with http:// or https://, or are folders, not {scheme[0]}")
    from esclip.stores.engine import EngineStore

    return EngineStore(address, index, access=access)
