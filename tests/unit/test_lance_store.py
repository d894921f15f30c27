"""The embedded store keeps the stores' contract."""

from __future__ import annotations

from tests.contracts.lance import LanceContract


class TestLanceStore(LanceContract):
    """Without indexes, as a small folder is; `integration/test_lance_variants.py` has the others."""
