"""The models that are known by name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from esclip._core.settings import DEFAULT_ENCODER
from esclip.encoders.catalogue import MODELS, canonical_name, default_text_encoder, hub_name
from esclip.encoders.runtimes.export import Kind


def test_names_are_unique_and_the_default_is_known() -> None:
    """Each model is listed once, and the program's default among them."""
    names = [model.name for model in MODELS]
    assert len(set(names)) == len(names)
    assert DEFAULT_ENCODER in names


def test_a_models_text_encoder_is_known_and_fits() -> None:
    """Who encodes a model's queries is in the list, encodes texts, and makes vectors of its dimension."""
    by_name = {model.name: model for model in MODELS}
    for model in MODELS:
        texts = by_name[model.text_encoder]
        assert texts.dim == model.dim
        assert "texts" in texts.towers
        assert {Kind(tower) for tower in model.towers}
        assert (model.picture_megabytes is not None) == ("pictures" in model.towers)


def test_an_unknown_model_reads_texts_itself() -> None:
    """What is in no list has its own text tower."""
    assert default_text_encoder("clip-ViT-B-32") == "clip-ViT-B-32-multilingual-v1"
    assert default_text_encoder("nobody/nothing") == "nobody/nothing"


@pytest.mark.parametrize(
    "spelling",
    [
        "clip-ViT-B-32",
        "sentence-transformers/clip-ViT-B-32",
        "Sentence-Transformers/CLIP-ViT-B-32",
        " clip-vit-b-32 ",
        "ViT-B-32::openai",
        "ViT-B-32/openai",
        "ViT-B-32__openai",
        "open_clip:ViT-B-32",
        "open_clip:ViT-B-32::openai",
        "open_clip/ViT-B-32/openai",
        "ViT-B-32-quickgelu::openai",
        "ViT-B/32",
        "hf-hub:sentence-transformers/clip-ViT-B-32",
        "https://huggingface.co/sentence-transformers/clip-ViT-B-32",
    ],
)
def test_one_model_has_one_name(spelling: str) -> None:
    """However a model is spelled, it is one entry, one repository, with one text tower."""
    assert (canonical_name(spelling), hub_name(spelling)) == ("clip-ViT-B-32", "clip-ViT-B-32")
    assert default_text_encoder(spelling) == "clip-ViT-B-32-multilingual-v1"


def test_a_mirror_is_the_same_model_from_its_own_repository() -> None:
    """The same weights in a file of other bytes: loaded from where it was named, with the entry's tower."""
    mirror = "openai/clip-vit-base-patch32"
    assert (canonical_name(mirror), hub_name(mirror)) == ("clip-ViT-B-32", mirror)
    assert default_text_encoder(mirror) == "clip-ViT-B-32-multilingual-v1"


@pytest.mark.parametrize(
    "name", ["/m/clip-ViT-B-32", "./clip-ViT-B-32", "ViT-B-32::laion2b_s34b_b79k", "http://x"]
)
def test_others_are_themselves(name: str) -> None:
    """Folders, other weights and addresses are no spelling of a known model."""
    assert (canonical_name(name), hub_name(name)) == (None, name)


def test_a_damaged_model_is_told_and_counts_as_missing(tmp_path: Path) -> None:
    """A damaged model in the hub's cache hides no other: it is missing, and the log says why."""
    cached = tmp_path / "hub" / "models--sentence-transformers--clip-ViT-B-16"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0" * 40)
    (cached / "snapshots" / ("0" * 40)).mkdir(parents=True)
    (cached / "snapshots" / ("0" * 40) / "modules.json").write_text("[{")
    code = (
        "import esclip, logging; logging.basicConfig()\n"
        "print([model.name for model in esclip.models() if not model.folder])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"HF_HOME": str(tmp_path)},
    )
    assert done.stdout.strip() == str([model.name for model in MODELS])
    assert "clip-ViT-B-16" in done.stderr
