"""Models of any dimension, each in an index that remembers its own."""

from __future__ import annotations

from pathlib import Path

import pytest

import esclip
from scripts.make_models import make_clip

pytestmark = pytest.mark.model


def test_an_index_remembers_its_own_dimension(tmp_path: Path, photos: Path) -> None:
    """Two models of different layouts fill an index each, are found again by no name, and do not mix."""
    models = {
        "large": make_clip(tmp_path / "L-14", "tiny-L-14"),
        "small": make_clip(tmp_path / "B-16", "tiny-B-16"),
    }
    store = tmp_path / "store"
    for index, model in models.items():
        with esclip.open_index(store, index, encoder=model, device="cpu") as filled:
            assert filled.ingest(photos).written == 11
    for index, dim in (("large", 768), ("small", 64)):
        with esclip.open_index(store, index, device="cpu") as found:
            assert found.stats().dimension == dim
            assert found.search_image(photos / "red.png", k=1)[0].location == str(photos / "red.png")
            assert len(found.search_text("a red car", k=3)) == 3
    with (
        esclip.open_index(store, "large", encoder=models["small"], device="cpu") as mixed,
        pytest.raises(esclip.IndexMismatch, match=r"768 dimensions.* 64 dimensions"),
    ):
        mixed.search_text("a red car")
