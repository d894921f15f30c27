"""open_clip models with a text tower of Hugging Face's, weights random: they agree with open_clip itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from esclip._errors import EncoderError
from esclip._protocols import Encoder
from esclip.encoders import load_encoder
from esclip.testing.encoder import EncoderContract, sample_images
from tests.integration.hub_server import HubServer
from tests.missing import without
from tests.runtimes import RUNTIMES, TORCH
from tests.sharing import make_once, session_folder

pytest.importorskip("open_clip", reason="open_clip is an extra: pip install 'esclip[open-clip]'")

pytestmark = pytest.mark.model

NAME = "xlm-roberta-tiny"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model: 64 dimensions."""
    from scripts.make_open_clip import make_open_clip

    folder = session_folder(tmp_path_factory) / "open_clip"
    return make_once(folder, lambda unfinished: make_open_clip(unfinished / NAME)) / NAME


class TestOpenClip(EncoderContract):
    """As it runs by default."""

    @pytest.fixture
    def encoder(self, model: Path) -> Encoder:
        return load_encoder(str(model), device="cpu")

    @pytest.fixture
    def again(self, model: Path) -> Encoder:
        return load_encoder(str(model), device="cpu")


class TestOpenClipInTorch(EncoderContract):
    """On a device of torch's, as on a GPU."""

    @pytest.fixture
    def encoder(self, model: Path) -> Encoder:
        return load_encoder(str(model), device=TORCH)

    @pytest.fixture
    def again(self, model: Path) -> Encoder:
        return load_encoder(str(model), device=TORCH)


@pytest.mark.parametrize(("device", "precision", "likeness"), RUNTIMES)
def test_texts_agree_with_open_clip(
    model: Path, tmp_path: Path, device: str, precision: str | None, likeness: float
) -> None:
    """A text's vector is open_clip's on every runtime: quotes straight, spaces single, cut at 77 tokens."""
    texts = ["Two dogs in the snow", "  ein  Hund’s\n“Haus” ", "雪", "", "a " * 200]
    vectors = load_encoder(str(model), device=device, precision=precision).encode_texts(texts)
    assert np.sum(vectors * _reference(model, tmp_path, texts), axis=1).min() >= likeness


@pytest.mark.parametrize(("device", "precision", "likeness"), RUNTIMES)
def test_images_agree_with_open_clip(
    model: Path, tmp_path: Path, device: str, precision: str | None, likeness: float
) -> None:
    """A picture's vector is open_clip's on every runtime, whatever the picture's shape."""
    encoder = load_encoder(str(model), device=device, precision=precision)
    pictures = [*sample_images(), Image.new("RGB", (640, 48), "teal"), Image.new("RGB", (5, 5), "white")]
    vectors = encoder.encode_images([encoder.preprocess(picture) for picture in pictures])
    assert np.sum(vectors * _reference(model, tmp_path, pictures), axis=1).min() >= likeness
    assert (precision or "torch") in encoder.runtime


def test_a_second_process_needs_neither_torch_nor_open_clip(model: Path) -> None:
    """Once the towers are exported, texts and pictures are encoded without both."""
    code = (
        "import sys; from PIL import Image; from esclip.encoders import load_encoder\n"
        "hidden = sys.argv[1:]; sys.modules.update(dict.fromkeys(hidden))\n"
        f"e = load_encoder({str(model)!r}, device='cpu')\n"
        "e.space, e.encode_texts(['a dog']), e.encode_images([e.preprocess(Image.new('RGB', (9, 9)))])\n"
    )
    first = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all("preparing" in line for line in first.stderr.splitlines()), first.stderr
    hidden = ["torch", "transformers", "open_clip", "sentence_transformers"]
    again = subprocess.run([sys.executable, "-c", code, *hidden], capture_output=True, text=True, check=True)
    assert (again.stdout, again.stderr) == ("", "")


def test_the_hub_is_asked_for_this_model_alone(model: Path, tmp_path: Path) -> None:
    """A name comes from the hub with all that is needed: its text tower's own repository is not asked for."""
    code = (
        "from esclip.encoders import load_encoder\n"
        f"e = load_encoder('laion/{model.name}', device='cpu:0')\n"
        "print(e.encode_texts(['a dog']).shape, e.space.weights)"
    )
    places = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    for _ in range(2):
        with HubServer([model], owner="laion") as hub:
            done = subprocess.run(
                [sys.executable, "-c", code],
                capture_output=True,
                text=True,
                check=False,
                env=os.environ | places | {"HF_ENDPOINT": hub.url},
            )
        assert done.stdout == f"(1, 64) {load_encoder(str(model)).space.weights}\n", done.stderr
        assert done.stderr == ""


def test_without_open_clip_the_error_says_how_to_get_it(model: Path, tmp_path: Path) -> None:
    """A model that needs the extra is an error of one line that names it."""
    other = Path(shutil.copytree(model, tmp_path / model.name))
    with (
        without("open_clip", "esclip.encoders.runtimes.open_clip"),
        pytest.raises(EncoderError, match=r"pip install 'esclip\[open-clip\]'") as caught,
    ):
        load_encoder(str(other), device=TORCH).encode_texts(["a dog"])
    assert "\n" not in str(caught.value)


def test_a_text_tower_of_its_own_is_refused(model: Path, tmp_path: Path) -> None:
    """A model whose texts open_clip reads by itself is an error that says so, in one line."""
    other = Path(shutil.copytree(model, tmp_path / "other"))
    config = json.loads((other / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"] = {"context_length": 77}
    (other / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(EncoderError, match="open_clip's own") as caught:
        load_encoder(str(other), device=TORCH).encode_texts(["a dog"])
    assert "\n" not in str(caught.value)


def _reference(folder: Path, scratch: Path, inputs: list[Image.Image] | list[str]) -> npt.NDArray[np.float32]:
    """By open_clip's own loader, on a folder that has all it wants."""
    import open_clip
    import torch

    whole = Path(shutil.copytree(folder, scratch / "whole"))
    config = json.loads((whole / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"]["hf_model_name"] = str(whole)
    (whole / "open_clip_config.json").write_text(json.dumps(config))
    named = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>"}
    (whole / "tokenizer_config.json").write_text(json.dumps(named))
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{whole}")
    with torch.inference_mode():
        if isinstance(inputs[0], str):
            features = model.eval().encode_text(open_clip.get_tokenizer(f"local-dir:{whole}")(inputs))
        else:
            features = model.eval().encode_image(torch.stack([preprocess(picture) for picture in inputs]))
    rows: npt.NDArray[np.float32] = features.numpy()
    unit: npt.NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
