"""The store that a user gives: a folder, an address, or a `Store` of his own."""

from __future__ import annotations

import os
from pathlib import Path

from esclip._core.arguments import AnyPath, coerce_path, wrong_kind
from esclip._core.settings import default_store
from esclip._errors import ConfigError
from esclip._errors.secrets import Address
from esclip._net.access import StoreAuth
from esclip._protocols import Store
from esclip.stores import open_store


def coerce_store(store: AnyPath | Store | None) -> Address | Path | Store:
    """The store that a user gives; as a string it is an address, whose password no traceback shows."""
    if store is None:
        store = default_store()
    if not isinstance(store, (str, os.PathLike)):
        return store
    path = coerce_path("the store", store)
    return Address(path) if isinstance(path, str) else path


def open_given_store(store: Address | Path | Store, index: str, auth: StoreAuth | None) -> Store:
    """The store, opened. Raises `ConfigError` for what is none."""
    if auth is not None and not isinstance(auth, StoreAuth):
        raise wrong_kind("auth", auth, "a StoreAuth")
    if isinstance(store, (str, Path)):
        return open_store(store, index, auth)
    if auth is not None:
        raise ConfigError("auth goes with a store's address, not with a store")
    if not isinstance(store, Store):
        raise wrong_kind("the store", store, "a folder, an address or a Store")
    return store
