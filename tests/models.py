"""Models with random weights for tests: made once in a test session, in a folder that goes with it.

A test module that takes `tiny_models` as a fixture imports it from here.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.make_models import make_clip, make_text_tower
from tests.sharing import make_once, session_folder

__all__ = ["Models", "cached_on_the_hub", "make_models", "tiny_models"]


@dataclass(frozen=True, slots=True)
class Models:
    """Folders of a model and of a text tower that fits it."""

    clip: Path
    texts: Path

    @classmethod
    def in_folder(cls, folder: Path) -> Models:
        return cls(folder / "clip-ViT-B-32", folder / "clip-ViT-B-32-multilingual-v1")


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """A pair of tiny models: 64 dimensions, a few megabytes."""
    return Models.in_folder(make_once(session_folder(tmp_path_factory) / "models", make_models))


def cached_on_the_hub(cache: Path, *folders: Path) -> None:
    """Put folders into a cache of the hub's, as sentence-transformers' models of their names."""
    for folder in folders:
        place = cache / f"models--sentence-transformers--{folder.name}"
        (place / "refs").mkdir(parents=True)
        (place / "refs" / "main").write_text("0" * 40)
        shutil.copytree(folder, place / "snapshots" / ("0" * 40))


def make_models(folder: Path, size: str = "tiny", seed: int = 0) -> Models:
    """A pair of models of this size; `full` ones have the real ones' sizes and take over a gigabyte."""
    models = Models.in_folder(folder)
    make_clip(models.clip, size, seed)
    make_text_tower(models.texts, size, seed)
    return models
