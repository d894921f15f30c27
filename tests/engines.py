"""Where the real engines listen that tests run against.

Each is named by an environment variable. A test whose engine is not there is skipped, and says how to start
it; with ESCLIP_REQUIRE_ENGINES=1 it fails instead, so that no run passes by skipping.
"""

from __future__ import annotations

import os

import pytest

__all__ = ["ENGINES", "engine_address"]

ENGINES = {
    "opensearch": "ESCLIP_TEST_OPENSEARCH",
    "opensearch2": "ESCLIP_TEST_OPENSEARCH2",
    "cluster": "ESCLIP_TEST_CLUSTER",
    "elasticsearch": "ESCLIP_TEST_ELASTICSEARCH",
}
"""The environment variable that has the address, by the name that `scripts/engines` starts."""


def engine_address(name: str) -> str:
    """The address of a running engine. Skips or fails the test when there is none."""
    address = os.environ.get(ENGINES[name])
    if address:
        return address
    how = f"start it with: scripts/engines start {name}"
    if os.environ.get("ESCLIP_REQUIRE_ENGINES") == "1":
        pytest.fail(how)
    pytest.skip(how)
