"""Where vectors are kept and searched: an embedded index, OpenSearch or Elasticsearch, memory.

open_store(address, index) ─► http(s)://host:port   EngineStore, which asks the server what it is
                           └► anything else         LanceStore, in a folder of that name
"""

from __future__ import annotations

import re
from pathlib import Path

from esclip._errors import ConfigError
from esclip._protocols import Store

__all__ = ["open_store"]

INDEX_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,199}")
URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


def open_store(address: str, index: str) -> Store:
    """The store at `address` with its index `index`, which need not exist. Nothing is connected to yet.

    Raises `ConfigError` for an address or a name that can't be used.
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
        from esclip.stores.embedded import LanceStore

        return LanceStore(Path(address), index)
    if scheme[1].lower() not in ("http", "https"):
        raise ConfigError(f"Store addresses begin with http:// or https://, or are folders, not {scheme[0]}")
    from esclip.stores.engine import EngineStore

    return EngineStore(address, index)
