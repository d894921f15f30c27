"""Fixtures that tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.bucket_service import Service


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A server of S3's protocol, and an environment that names it."""
    from tests.bucket_service import bucket_service  # not where pytest only hands tests to its workers

    with bucket_service() as service:
        yield service
