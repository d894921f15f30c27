"""Thousands of damaged pictures through the pipeline, in a process of bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys


def test_thousands_of_damaged_pictures_through_the_pipeline() -> None:
    """Each becomes a vector or a rejection, in a process that may not have much memory."""
    command = [sys.executable, "-m", "scripts.soak_pictures", "--pictures", "2000", "--megabytes", "5000"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-500:]
    counts = json.loads(done.stdout)
    outcomes = ("written", "not_an_image", "truncated", "too_large")
    assert min(counts[name] for name in outcomes) > 10
    assert counts["pictures"] == sum(counts[name] for name in outcomes) == 2000
