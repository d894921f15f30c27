"""Models of transformers that look at pictures, with the layouts of BLIP and YOLOS and random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from scripts.make_vision_models import make_blip, make_yolos
from tests.command_line import Esclip
from tests.sharing import make_once, session_folder

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = session_folder(tmp_path_factory) / "vision"
    return make_once(folder, lambda unfinished: make_blip(unfinished / "blip-tiny")) / "blip-tiny"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for n, color in enumerate(("red", "green", "blue")):
        Image.new("RGB", (300 + 9 * n, 400), color).save(folder / f"{color}.png")
    return folder


def test_a_model_describes_pictures(blip: Path, folder: Path, tmp_path: Path, quick_esclip: Esclip) -> None:
    """Its words are found, filtered by its name, kept by the next ingest, and replaced by another model's."""
    where = ("--store", tmp_path / "store", "--encoder", "palette", "--json")
    ingest = ("ingest", folder, *where, "--caption-model")
    assert quick_esclip(*ingest, blip).json["written"] == 3
    hits = quick_esclip("search-text", "red", "--where", "caption_by=blip-tiny", *where).hits
    captions = {hit["description"] for hit in hits}
    assert len(captions) == 3
    assert all(captions)
    word = hits[0]["description"].split()[0]
    assert hits[0]["id"] in [hit["id"] for hit in quick_esclip("search", "--words", word, *where).hits]
    assert quick_esclip(*ingest, blip).json["skipped"] == 3
    other = tmp_path / "blip-other"
    make_blip(other, seed=1)
    assert quick_esclip(*ingest, other).json["written"] == 3
    others = quick_esclip("search-text", "red", "--where", "caption_by=blip-other", *where).hits
    assert not captions & {hit["description"] for hit in others}


def test_a_damaged_model(blip: Path, folder: Path, tmp_path: Path, quick_esclip: Esclip) -> None:
    """Ends the run with one line, which names it."""
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "config.json").write_text('{"model_type": "clip"}')
    arguments = ("ingest", folder, "--store", tmp_path / "store", "--encoder", "palette")
    ran = quick_esclip(*arguments, "--caption-model", damaged, status=1)
    assert "damaged" in ran.err.splitlines()[-1]
    assert "can't be loaded as one of images to text" in ran.err


def test_a_model_finds_crops(folder: Path, tmp_path: Path, quick_esclip: Esclip) -> None:
    """Hits have its boxes; the same model with another threshold finds others."""
    yolos = make_yolos(tmp_path / "yolos-tiny")
    where = ("--store", tmp_path / "store", "--encoder", "palette", "--json")
    ingest = ("ingest", folder, *where, "--crop-model", yolos, "--parts", "crops")
    assert quick_esclip(*ingest, "--crop-threshold", "0.1").json["written"] == 3
    boxes = [hit["box"] for hit in quick_esclip("search-text", "red", "--in", "crops", *where).hits]
    assert boxes
    assert all(round(share, 4) == share for box in boxes for share in box.values())
    assert quick_esclip(*ingest, "--crop-threshold", "0.1").json["skipped"] == 3
    assert quick_esclip(*ingest, "--crop-threshold", "1").json["written"] == 3
    assert not quick_esclip("search-text", "red", "--in", "crops", *where).hits
