"""SigLIP as Google lays it out, with random weights: it agrees with transformers, texts as in training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from esclip._errors import EncoderError
from esclip._protocols import Encoder
from esclip.encoders import load_encoder
from esclip.encoders.checkpoints.folder import ModelFolder
from esclip.testing.encoder import EncoderContract, sample_images
from scripts.make_siglip import make_siglip
from tests.integration.hub_server import HubServer
from tests.runtimes import RUNTIMES, TORCH
from tests.sharing import make_once, session_folder

pytestmark = pytest.mark.model

NAME = "siglip2-base-patch16-224"


@pytest.fixture(scope="session")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model: 64 dimensions."""
    folder = session_folder(tmp_path_factory) / "siglip"
    return make_once(folder, lambda unfinished: make_siglip(unfinished / NAME)) / NAME


class TestSiglip(EncoderContract):
    """As it runs by default."""

    @pytest.fixture
    def encoder(self, siglip: Path) -> Encoder:
        return load_encoder(str(siglip), device="cpu")

    @pytest.fixture
    def again(self, siglip: Path) -> Encoder:
        return load_encoder(str(siglip), device="cpu")


class TestSiglipInTorch(EncoderContract):
    """On a device of torch's, as on a GPU."""

    @pytest.fixture
    def encoder(self, siglip: Path) -> Encoder:
        return load_encoder(str(siglip), device=TORCH)

    @pytest.fixture
    def again(self, siglip: Path) -> Encoder:
        return load_encoder(str(siglip), device=TORCH)


@pytest.mark.parametrize(("device", "precision", "likeness"), RUNTIMES)
def test_texts_agree_with_transformers(
    siglip: Path, device: str, precision: str | None, likeness: float
) -> None:
    """A text's vector is that of its lower case, padded to 64 tokens, on every runtime."""
    texts = ["Two Dogs in the snow", "ein Hund", "雪", "", "a " * 200]
    vectors = load_encoder(str(siglip), device=device, precision=precision).encode_texts(texts)
    assert np.sum(vectors * _reference_texts(siglip, texts), axis=1).min() >= likeness


@pytest.mark.parametrize(("device", "precision", "likeness"), RUNTIMES)
def test_images_agree_with_transformers(
    siglip: Path, device: str, precision: str | None, likeness: float
) -> None:
    """A picture's vector is transformers' on every runtime, whatever the picture's shape."""
    encoder = load_encoder(str(siglip), device=device, precision=precision)
    pictures = sample_images()
    vectors = encoder.encode_images([encoder.preprocess(picture) for picture in pictures])
    assert np.sum(vectors * _reference_images(siglip), axis=1).min() >= likeness
    assert (precision or "torch") in encoder.runtime


def test_the_scale_is_the_models(siglip: Path) -> None:
    """The scale of its softmax is the exp of the tensor of its weights."""
    from safetensors.numpy import load_file

    kept = load_file(siglip / "model.safetensors")["logit_scale"]
    assert load_encoder(str(siglip)).logit_scale == pytest.approx(float(np.exp(kept[0])))


def test_what_the_config_leaves_out_is_usual(siglip: Path, tmp_path: Path) -> None:
    """Google's config names neither the dimension nor the texts' length: they are those of the base model."""
    usual: dict[str, object] = {"model_type": "siglip", "text_config": {}, "vision_config": {}}
    (tmp_path / "config.json").write_text(json.dumps(usual))
    model = ModelFolder("x", tmp_path)
    assert (model.dim, model.text_length) == (768, 64)
    assert ModelFolder("x", siglip).dim == 64


def test_a_folder_without_towers_is_an_error(tmp_path: Path) -> None:
    """A folder of transformers with a text model alone can't be told how to pool, and is refused."""
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(EncoderError, match=r"no modules.json in .* both towers"):
        load_encoder(str(tmp_path))


def test_a_name_of_another_owner_is_downloaded_once(siglip: Path, tmp_path: Path) -> None:
    """A model without `modules.json` comes from the hub by its full name, and then from the cache."""
    code = (
        "from esclip.encoders import load_encoder\n"
        f"e = load_encoder('google/{siglip.name}', device='cpu')\n"
        "print(e.space.model, e.encode_texts(['a dog']).shape, e.space.weights)"
    )
    weights = load_encoder(str(siglip)).space.weights
    expected = f"google/{siglip.name} (1, 64) {weights}\n"
    with HubServer([siglip], owner="google") as hub:
        assert _python(code, HF_HOME=str(tmp_path), HF_ENDPOINT=hub.url) == expected
    assert _python(code, HF_HOME=str(tmp_path), HF_ENDPOINT="http://127.0.0.1:9") == expected


def _python(code: str, **environment: str) -> str:
    """What code prints in a new process, which reads the hub's settings anew; libraries say nothing."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "0"} | environment,
    )
    assert done.returncode == 0, done.stderr
    assert all("preparing" in line for line in done.stderr.splitlines()), done.stderr
    return done.stdout


def _reference_texts(folder: Path, texts: list[str]) -> npt.NDArray[np.float32]:
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder, padding_side="right")(
        [text.lower() for text in texts],
        padding="max_length",
        max_length=64,
        truncation=True,
        return_tensors="pt",
    )
    with torch.inference_mode():
        features = AutoModel.from_pretrained(folder).eval().get_text_features(input_ids=tokens["input_ids"])
    return _unit(features)


def _reference_images(folder: Path) -> npt.NDArray[np.float32]:
    import torch
    from transformers import AutoImageProcessor, AutoModel

    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    pixels = processor(sample_images(), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        return _unit(AutoModel.from_pretrained(folder).eval().get_image_features(pixel_values=pixels))


def _unit(features: Any) -> npt.NDArray[np.float32]:
    rows = getattr(features, "pooler_output", features).numpy()
    unit: npt.NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
