"""The folder of exported towers is laid out as the snapshot shows."""

from __future__ import annotations

import pytest

from tests.meta.test_snapshots import SNAPSHOTS, read_snapshot


@pytest.mark.model
def test_exported_towers() -> None:
    """What an export writes has not changed."""
    assert SNAPSHOTS["exported_towers"]().splitlines() == read_snapshot("exported_towers")
