"""The benchmarks run: on tiny models and few pictures, where their figures mean nothing."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from scripts import (
    bench_batch,
    bench_bulk,
    bench_encode,
    bench_ingest,
    bench_query,
    bench_serve,
    bench_sources,
)
from tests.engines import engine_address
from tests.models import Models, tiny_models

__all__ = ["tiny_models"]

FEW = ("--pictures", "8", "--pixels", "240x160")
COLD = ("--warm-up", "0")


@pytest.mark.model
@pytest.mark.parametrize(
    ("main", "options", "names"),
    [
        (bench_encode.main, (*FEW, *COLD), ["esclip ingest", "decode, whole", "sentence-transformers"]),
        (bench_ingest.main, FEW, ["bound", "from the web", "embedded folder"]),
        (
            bench_query.main,
            ("--documents", "200", "--queries", "5", *COLD),
            ["warm p50", "16 callers p50", "cold"],
        ),
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


@pytest.mark.model
def test_a_batch_by_its_parts(tiny_models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    """A batch of texts is told with its parts, and beside single calls."""
    models = str(tiny_models.clip.parent)
    bench_batch.main(["--models", models, "--documents", "200", "--rounds", "1"])
    out = capsys.readouterr().out
    for part in ("tokens", "forward passes", "the store", "the batch, asked before", "ratio, single calls"):
        assert f"| {part} |" in out


@pytest.mark.engine
def test_bulk_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three ways of writing the same documents into an engine are told with their ratios; then the memory."""
    store = ("--store", engine_address("opensearch"))
    counts = ("--documents", "700", "--rounds", "1", "--warm-up", "0")
    bench_bulk.main([*store, *counts, "--json", str(tmp_path / "out")])
    rows = json.loads((tmp_path / "out").read_text())["rows"]
    assert [row["name"].split()[-1] for row in rows] == ["helpers.bulk", "helpers.parallel_bulk", "esclip"]
    assert all(row["value"] > 0 for row in rows)
    bench_bulk.main([*store, "--memory", "--counts", "100,600"])
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in out if line.endswith("MiB |")] == ["100", "600"]


@pytest.mark.skipif(not shutil.which("wrk"), reason="no wrk here: apt-get install wrk")
def test_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    """The search service is told beside the library, up to the requests that a stop must not drop."""
    bench_serve.main(["--palette", "--documents", "200", "--rounds", "1", "--seconds", "1"])
    figures = dict(re.findall(r"^\| (.+) \| ([\d.e+-]+) \|$", capsys.readouterr().out, re.MULTILINE))
    assert float(figures["library, 16 callers, queries/s"]) > 0
    assert float(figures["64 clients, broken"]) == float(figures["64 clients, refused"]) == 0
    assert float(figures["SIGTERM with 64 in flight, dropped"]) == 0


@pytest.mark.parametrize("kind", ["urls", "tar"])
def test_sources_are_made_and_read(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """All records of what it has written come, and each has a rate."""
    bench_sources.main(["--make", kind, "--rows", "70", str(tmp_path)])
    figures = json.loads(capsys.readouterr().out)
    assert figures["records"] == 70
    assert figures["records_per_cpu_second"] > 0
