"""Packages that aren't installed, for tests of what is said then."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from esclip._core.optional_imports import hide_module

__all__ = ["without"]


@contextmanager
def without(package: str, *modules: str) -> Iterator[None]:
    """Context manager: within it, `package` can't be imported, and our `modules` that need it are not yet."""
    names = {name for name in sys.modules if name.split(".")[0] == package or name in modules}
    loaded = {name: sys.modules.pop(name) for name in names}
    try:
        with hide_module(package):
            yield
    finally:
        sys.modules.update(loaded)
