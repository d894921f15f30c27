"""What an open_clip model's folder says without open_clip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from esclip._errors import EncoderError
from esclip.encoders.checkpoints.folder import ModelFolder
from esclip.encoders.checkpoints.open_clip_config import image_processor, text_tower
from esclip.encoders.preprocessing import read_processor

NAME = "CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What LAION's repository holds: no config at all."""
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "open_clip_pytorch_model.bin").write_bytes(b"weights")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "preprocessor_config.json").write_text("{}")
    return folder


def test_a_repository_without_a_config_is_known_by_its_name(repository: Path) -> None:
    """Dimension, pictures and text tower of LAION's model are known, from a folder as from the hub."""
    for model in (ModelFolder(str(repository), repository), ModelFolder(f"laion/{NAME}", repository)):
        model.check()
        assert model.is_complete
        assert (model.dim, model.library) == (512, "open_clip")
        preprocessing, values = read_processor(model.processor)
        assert (preprocessing.short_side, preprocessing.width) == (224, 224)
        assert values.mean == pytest.approx((0.48145466, 0.4578275, 0.40821073))
        assert text_tower(repository, model.open_clip)["vocab_size"] == 250_002


def test_other_weights_are_another_space(repository: Path) -> None:
    """The weights' hash is that of the file which open_clip loads."""
    model = ModelFolder(str(repository), repository)
    before = model.weights
    (repository / "open_clip_pytorch_model.bin").write_bytes(b"others")
    assert model.weights != before


def test_a_written_config_counts(repository: Path) -> None:
    """An `open_clip_config.json` says it all, whatever the folder's name."""
    config = {"model_cfg": {"embed_dim": 640, "text_cfg": {}}, "preprocess_cfg": {"size": 256}}
    (repository / "open_clip_config.json").write_text(json.dumps(config))
    model = ModelFolder("x", repository)
    assert model.dim == 640
    assert read_processor(model.processor)[0].width == 256
    with pytest.raises(ValueError, match="open_clip's own"):
        text_tower(repository, model.open_clip)


def test_what_transformers_loads_too_is_left_to_it(repository: Path) -> None:
    """A repository with both layouts needs no open_clip."""
    (repository / "config.json").write_text('{"vision_config": {}, "projection_dim": 32}')
    model = ModelFolder(str(repository), repository)
    assert (model.library, model.dim) == ("sentence-transformers", 32)


def test_without_weights_it_is_no_model(repository: Path) -> None:
    """A folder that lacks the weights is refused, with its path."""
    (repository / "open_clip_pytorch_model.bin").unlink()
    with pytest.raises(EncoderError, match=str(repository)):
        ModelFolder(str(repository), repository).check()


@pytest.mark.parametrize(
    ("asked", "side"), [({"resize_mode": "longest"}, 224), ({"size": [224, 256]}, 224), ({}, [224, 256])]
)
def test_pictures_that_can_not_be_said_are_refused(asked: dict[str, Any], side: object) -> None:
    """What open_clip can do and esclip can't is an error, not another preprocessing."""
    config = {"model_cfg": {"vision_cfg": {"image_size": side}}, "preprocess_cfg": asked}
    with pytest.raises(ValueError, match="resized by"):
        image_processor(config)


def test_an_odd_middle_is_rounded_as_torchvision_does() -> None:
    """Half a pixel is rounded to the even one, where transformers cuts it down."""
    config: dict[str, Any] = {"model_cfg": {"vision_cfg": {"image_size": 4}}}
    rounding = read_processor(image_processor(config))[0]
    stripes = np.zeros((4, 7, 3), dtype=np.uint8)
    stripes[:, 2] = 255
    cut = rounding(Image.fromarray(stripes))
    assert cut[0, :, 0].tolist() == [255, 0, 0, 0]
