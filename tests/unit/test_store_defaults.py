"""What the base class of stores asks of a new one, and gives it."""

from __future__ import annotations

import inspect

from esclip._protocols import Store
from esclip.stores.memory import MemoryStore
from esclip.stores.wrapper import StoreWrapper
from esclip.testing.documents import SCHEMA

MOST_REQUIRED = 10
"""Methods that a new store may have to write."""


def test_a_new_store_has_few_methods_to_write() -> None:
    """At most ten methods have no default."""
    assert len(Store.__abstractmethods__) <= MOST_REQUIRED


def test_a_store_closes_when_a_with_block_ends() -> None:
    """A store is its own context manager."""

    class Closing(MemoryStore):
        closed = False

        def close(self) -> None:
            self.closed = True

    with Closing("pictures") as store:
        store.ensure_index(SCHEMA)
        assert not store.closed
    assert store.closed


def test_a_wrapper_forwards_every_method() -> None:
    """No method of a wrapper is a default: a faster one of the wrapped store would be lost."""
    methods = {name for name, _ in inspect.getmembers(Store, inspect.isfunction) if not name.startswith("_")}
    assert methods <= vars(StoreWrapper).keys()
