"""Where vectors are kept and searched: an embedded index, OpenSearch or Elasticsearch, Milvus, memory.

open_store(address, index) ─► scheme of the address ─┬► SERVERS     EngineStore, MilvusStore
                                                     ├► name.db    MilvusStore, a folder of Milvus Lite
                                                     └► no scheme  LanceStore, a folder

A new kind of store is a folder beside these and a row in `SERVERS`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from esclip._core.settings import INDEX_SEPARATOR, is_cluster_name, is_index_name
from esclip._errors import ConfigError
from esclip._files.locations import scheme_of, server_address, user_path
from esclip._net.access import StoreAuth

if TYPE_CHECKING:
    from esclip._protocols import Store
    from esclip.stores.engine.store import EngineStore

__all__ = [
    "is_folder",
    "is_of_one_process",
    "is_server",
    "open_store",
    "require_adoptable",
    "require_index_name",
]

SERVERS = {
    "http": "esclip.stores.engine.store:EngineStore",
    "https": "esclip.stores.engine.store:EngineStore",
    "milvus": "esclip.stores.milvus.store:MilvusStore",
    "milvus+https": "esclip.stores.milvus.store:MilvusStore",
}
"""Store servers by the scheme of their address: `module:callable`, imported when first opened.

The callable takes the address, the index's name and `auth=`, and returns a `Store`."""


CLUSTERS = ("http", "https")
"""Whose indexes may have dots in their names."""


def is_folder(address: str | Path) -> bool:
    """Whether a user's text is an embedded store's folder. Raises `ConfigError` for a misspelled address."""
    return isinstance(address, Path) or server_address(address, "store", SERVERS) is None


def is_of_one_process(folder: Path) -> bool:
    """Whether an embedded store's folder can be open in one process only: one of Milvus Lite."""
    from esclip.stores.milvus.lite import is_lite_folder

    return is_lite_folder(folder)


def is_server(address: str) -> bool:
    """Whether this `Store.address` is a server's."""
    return scheme_of(address) in SERVERS


def require_index_name(index: str) -> None:
    """Raise `ConfigError` for what can't be the name of an index."""
    if not is_index_name(index):
        raise ConfigError(
            f"index name {index!r:.80} can't be used; "
            "it is up to 200 of a-z, 0-9, _ and - (in a cluster also dots), and begins with a letter or digit"
        )


def require_adoptable(store: Store) -> EngineStore:
    """A store that can take over what other programs made. Raises `ConfigError` for one that can't."""
    from esclip.stores.engine.store import EngineStore

    if not isinstance(store, EngineStore):
        raise ConfigError(
            f"{store.address} is no cluster: only an index of OpenSearch or Elasticsearch can be adopted"
        )
    return store


def open_store(address: str | Path, index: str, auth: StoreAuth | None = None) -> Store:
    """Open a store by its address. Connects to nothing yet.

    Args:
        address: A folder (`~` is the home directory; a `Path` always is one), of Milvus Lite where its name
            ends in `.db`; or an `http://`, `https://`, `milvus://` or `milvus+https://` address.
        index: Name of the index, which need not exist; or several names with commas between, to be searched.
        auth: Credentials and CA file of a server.

    Raises:
        ConfigError: The address, the name or `auth` can't be used.
    """
    if INDEX_SEPARATOR in index:
        from esclip.stores.several import SeveralIndexes

        names = dict.fromkeys(name.strip() for name in index.split(INDEX_SEPARATOR))
        return SeveralIndexes([open_store(address, name, auth) for name in names])
    if isinstance(address, str) and not address.strip():
        require_index_name(index)
        raise ConfigError("the store's address is empty: give a folder, or an http:// or https:// address")
    server = None if isinstance(address, Path) else server_address(address, "store", SERVERS)
    if server is None or not (scheme_of(server) in CLUSTERS and is_cluster_name(index)):
        require_index_name(index)
    if server is not None:
        module, _, name = SERVERS[scheme_of(server)].partition(":")
        store: Store = getattr(import_module(module), name)(server, index, auth=auth)
        return store
    folder = user_path(address.strip() if isinstance(address, str) else address, "store")
    if auth not in (None, StoreAuth()):
        raise ConfigError(
            f"{folder} is a folder, which has no lock: leave out user, password, API key, AWS region "
            "and CA file, or give the https:// address of a cluster"
        )
    from esclip.stores.milvus.lite import is_lite_folder

    if is_lite_folder(folder):
        from esclip.stores.milvus.store import MilvusStore

        return MilvusStore(folder, index)
    from esclip.stores.lance.log import errors_only

    with errors_only():
        from esclip.stores.lance.store import LanceStore

    return LanceStore(folder, index)
