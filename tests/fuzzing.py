"""How much the fuzz tests try: always the same few cases, or as many new ones as `ESCLIP_FUZZ=20000` says."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

__all__ = ["fuzz_settings", "fuzz_tries"]

_WANTED = os.environ.get("ESCLIP_FUZZ")


def fuzz_tries(usual: int) -> int:
    """How many cases to try: `usual` in the suite."""
    return int(_WANTED) if _WANTED else usual


def fuzz_settings(usual: int) -> settings:
    """Settings for a test by Hypothesis. In the suite the cases are the same each time."""
    return settings(
        max_examples=fuzz_tries(usual),
        deadline=None,
        derandomize=_WANTED is None,
        suppress_health_check=list(HealthCheck),
    )
