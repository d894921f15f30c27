"""Every number that a user gives has bounds, which the help and the errors tell."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
from typer.testing import CliRunner

import esclip
from esclip import ImageIndex, Keywords, Query, Text, VectorQuery
from esclip._cli.app import app

PROGRAM: Any = typer.main.get_command(app)
NUMBERS = [
    (name, param)
    for name, command in PROGRAM.commands.items()
    for param in command.params
    if param.metavar in ("N", "R", "S", "COSINE", "WEIGHT", "PORT", "MIB", "GB", "PRICE")
]


@pytest.mark.parametrize(("name", "param"), NUMBERS, ids=lambda value: getattr(value, "name", value))
def test_options_have_bounds(name: str, param: Any) -> None:
    """What is beyond a bound, or no number, is wrong usage that names the bound; the help has both."""
    option = max(param.opts, key=len)
    text = "".join(CliRunner().invoke(app, [name, "--help"]).output.split())
    low, high = (f"{n:,}" if isinstance(n, int) else f"{n:g}" for n in (param.min, param.max))
    assert f"{low}to{high}]" in text
    for wrong in (param.max + 1, param.min - 1, "9" * 30, "inf", "nan", "1e400", ""):
        ran = CliRunner().invoke(app, [name, option, str(wrong)])
        assert ran.exit_code == 2
        assert option in ran.stderr


def test_no_number_is_without_bounds() -> None:
    """The options that the test above knows are all that are numbers."""
    for command in PROGRAM.commands.values():
        for param in command.params:
            kind = param.type_descriptor.annotation
            if param.param_type_name == "argument":
                assert kind not in (int, float) or None not in (param.min, param.max), param.name
            elif kind in (int, float, int | None, float | None):
                assert any(param is one for _, one in NUMBERS), param.name


def query(**options: Any) -> Callable[[ImageIndex], object]:
    return lambda index: index.search(Query(Text("red"), **options))


CALLS: list[tuple[str, Callable[[Any], Callable[[ImageIndex], object]], list[Any]]] = [
    ("k", lambda n: query(k=n), [0, -1, 1_000_001, 2.5]),
    ("offset", lambda n: query(offset=n), [-1, 10**9 + 1, 0.5]),
    ("rank_window_size", lambda n: query(rank_window_size=n), [0, 1_000_001]),
    ("candidates", lambda n: query(candidates=n), [0, -1, 10**9 + 1, 0.5]),
    ("min_score", lambda n: query(min_score=n), [-1.1, 1.1]),
    ("collapse", lambda n: query(collapse=n), [0, 1.1]),
    ("min_relevance", lambda n: query(min_relevance=n), [-0.1, 1]),
    ("weight", lambda n: lambda _: Query(Text("red", n)), [-1001, 1001]),
    ("weight", lambda n: lambda _: Query(Keywords("red", n)), [1001]),
    ("weight", lambda n: lambda _: Query(VectorQuery([1.0], n)), [1001]),
    ("hybrid", lambda n: lambda index: index.search_text("red", hybrid=n), [-1, 1001]),
    ("hybrid", lambda n: lambda index: index.search_texts(["red"], hybrid=n), [-1, 1001]),
    ("threshold", lambda n: lambda index: index.duplicates(n), [0, 1.1]),
    ("n", lambda n: lambda index: index.peek(n), [0, 10_001, 1.5]),
    ("limit", lambda n: lambda index: index.add(__file__, limit=n), [0, 10**9 + 1, 1.5]),
    ("limit", lambda n: lambda index: index.ingest(__file__, limit=n), [0, 10**9 + 1, 1.5]),
    ("batch_size", lambda n: lambda index: index.ingest(__file__, batch_size=n), [0, 4097, 1.5]),
    ("workers", lambda n: lambda index: index.ingest(__file__, workers=n), [0, 257, 1.5]),
    ("max_rejection_rate", lambda n: lambda index: index.ingest(__file__, max_rejection_rate=n), [-0.1, 1.1]),
]


@pytest.mark.parametrize(
    ("name", "call", "wrong"),
    [
        pytest.param(name, call, number, id=f"{name}={number}")
        for name, call, numbers in CALLS
        for number in [*numbers, math.nan, math.inf, -math.inf, 10**30, True, "7"]
    ],
)
def test_the_library_has_bounds(
    name: str, call: Callable[[Any], Callable[[ImageIndex], object]], wrong: Any, tmp_path: Path
) -> None:
    """A number that can't be is a `ValueError` that names it and its bounds, before anything is begun."""
    with (
        esclip.open_index(tmp_path / "store", encoder="palette") as index,
        pytest.raises(ValueError, match=rf"^{name} is .* number from .* to "),
    ):
        call(wrong)(index)
    assert not (tmp_path / "store").exists()


def test_numbers_of_other_libraries_are_numbers() -> None:
    """NumPy's numbers are taken as Python's are."""
    assert Query(Text("red", np.float32(0.5)), k=np.int64(5), offset=np.uint8(3)).depth == 8  # type: ignore[arg-type]
