"""The benchmarks run: on tiny models and few pictures, where their figures mean nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from scripts import bench_encode, bench_ingest, bench_query
from tests.models import Models, tiny_models

__all__ = ["tiny_models"]

pytestmark = pytest.mark.model

FEW = ("--pictures", "8", "--pixels", "240x160")


@pytest.mark.parametrize(
    ("main", "options", "names"),
    [
        (bench_encode.main, FEW, ["esclip ingest", "decode, whole", "sentence-transformers"]),
        (bench_ingest.main, FEW, ["bound", "from the web", "embedded folder"]),
        (bench_query.main, ("--documents", "200", "--queries", "5"), ["warm p50", "16 callers p50", "cold"]),
    ],
    ids=["encode", "ingest", "query"],
)
def test_a_benchmark_prints_its_rows(
    tiny_models: Models,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    main: Callable[[Sequence[str]], None],
    options: tuple[str, ...],
    names: list[str],
) -> None:
    """Each prints a table with its rows, and keeps them with the machine's description as JSON."""
    main(
        ["--models", str(tiny_models.clip.parent), "--rounds", "1", "--json", str(tmp_path / "out"), *options]
    )
    out = capsys.readouterr().out
    for name in names:
        assert name in out
    assert json.loads((tmp_path / "out").read_text())["facts"]["processor"]
