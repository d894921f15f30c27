"""Whole searches against sentence-transformers' own vectors: nothing in between changes a result."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

import esclip
from scripts.reference_scenario import compare
from tests.engines import engine_address


@pytest.mark.model
@pytest.mark.parametrize("store", ["embedded", pytest.param("cluster", marks=pytest.mark.engine)])
def test_hits_equal_an_exact_search_over_the_models_own_vectors(store: str, tmp_path: Path) -> None:
    """Text and image searches give the exact search's pictures and cosines, from rows to hits."""
    address = str(tmp_path / "store") if store == "embedded" else engine_address(store)
    index = f"reference-{uuid.uuid4().hex[:8]}"
    try:
        found = compare(tmp_path, address, index, photos=200, sample=100, size="tiny", queries=10)
    finally:
        esclip.open_index(address, index).drop()
    assert found.recall >= 0.99
    assert found.cosine_error < 1e-3
