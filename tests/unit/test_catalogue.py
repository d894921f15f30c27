"""The models that are known by name."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import esclip
from esclip._settings import DEFAULT_ENCODER
from esclip.encoders._catalogue import MODELS, default_text_encoder
from esclip.encoders._exports import Kind


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


def test_a_damaged_model_is_told_and_counts_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder of a known name that is no model hides no other: it is missing, and the log says why."""
    (tmp_path / "clip-ViT-B-16").mkdir()
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.WARNING):
        found = {model.name: model.folder for model in esclip.models()}
    assert found.keys() == {model.name for model in MODELS}
    assert found["clip-ViT-B-16"] is None
    assert "clip-ViT-B-16" in caplog.text
