"""Where vectors are kept and searched: an embedded index, OpenSearch or Elasticsearch, memory.

open_store(address, index) ─► http(s)://host:port   EngineStore, which asks the server what it is
                           └► a folder              LanceStore
"""

from __future__ import annotations

import re
from pathlib import Path

from esclip._errors import ConfigError
from esclip._files.locations import server_address, user_path
from esclip._net.access import StoreAuth
from esclip._protocols import Store

__all__ = ["is_folder", "open_store"]

INDEX_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,199}")


def is_folder(address: str | Path) -> bool:
    """Whether this is the address of an embedded store. Raises `ConfigError` for what is no address."""
    return isinstance(address, Path) or server_address(address, "store") is None


def open_store(address: str | Path, index: str, access: StoreAuth | None = None) -> Store:
    """Open a store by its address. Connects to nothing yet.

    Args:
        address: A folder (`~` is the home directory; a `Path` always is one), or an `http://` or `https://`
            address.
        index: Name of the index, which need not exist.
        access: Credentials and CA file of a cluster.

    Raises:
        ConfigError: The address, the name or `access` can't be used.
    """
    if not INDEX_NAME.fullmatch(index):
        raise ConfigError(
            f"Index name {index!r:.80} can't be used; "
            "it is up to 200 of a-z, 0-9, _ and -, and begins with a letter or digit."
        )
    if isinstance(address, str) and not address.strip():
        raise ConfigError("The store's address is empty: give a folder, or an http:// or https:// address.")
    server = None if isinstance(address, Path) else server_address(address, "store")
    if server is None:
        folder = user_path(address.strip() if isinstance(address, str) else address, "store")
        if access not in (None, StoreAuth()):
            raise ConfigError(
                f"{folder} is a folder, which has no lock: leave out user, password, API key, AWS region "
                "and CA file, or give the https:// address of a cluster"
            )
        from esclip.stores.lance.store import LanceStore

        return LanceStore(folder, index)
    from esclip.stores.engine.store import EngineStore

    return EngineStore(server, index, access=access)
