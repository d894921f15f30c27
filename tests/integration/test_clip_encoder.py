"""ClipEncoder on models with random weights: it has to agree with sentence-transformers to the last digit."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from esclip._errors import EncoderError
from esclip._protocols import Encoder
from esclip.encoders import load_encoder
from scripts.make_models import make_clip, make_text_tower
from tests.contracts.encoder_contract import EncoderContract, sample_pictures
from tests.models import Models, tiny_models

__all__ = ["tiny_models"]

pytestmark = pytest.mark.model


class TestClipEncoder(EncoderContract):
    @pytest.fixture
    def encoder(self, tiny_models: Models) -> Encoder:
        return load_encoder(str(tiny_models.clip), str(tiny_models.texts), device="cpu")

    @pytest.fixture
    def again(self, tiny_models: Models) -> Encoder:
        return load_encoder(str(tiny_models.clip), str(tiny_models.texts), device="cpu")


class TestClipEncoderAlone(EncoderContract):
    """A model that reads texts itself."""

    @pytest.fixture
    def encoder(self, tiny_models: Models) -> Encoder:
        return load_encoder(str(tiny_models.clip), device="cpu")

    @pytest.fixture
    def again(self, tiny_models: Models) -> Encoder:
        return load_encoder(str(tiny_models.clip), device="cpu")


def test_images_equal_sentence_transformers(tiny_models: Models) -> None:
    """A picture's vector is the one that sentence-transformers computes, whatever the picture's shape."""
    pictures = [*sample_pictures(), Image.new("RGB", (640, 48), "teal"), Image.new("RGB", (5, 5), "white")]
    encoder = load_encoder(str(tiny_models.clip), device="cpu")
    vectors = encoder.encode_images([encoder.preprocess(picture) for picture in pictures])
    np.testing.assert_allclose(vectors, _reference(tiny_models.clip, pictures), atol=1e-6)


@pytest.mark.parametrize("tower", ["texts", "clip"])
def test_texts_equal_sentence_transformers(tiny_models: Models, tower: str) -> None:
    """A text's vector is the one that sentence-transformers computes, scaled to unit length."""
    folder: Path = getattr(tiny_models, tower)
    texts = ["two dogs playing in the snow", "ein Hund", "雪の中の犬", "", "a " * 400]
    vectors = load_encoder(str(tiny_models.clip), str(folder), device="cpu").encode_texts(texts)
    np.testing.assert_allclose(vectors, _reference(folder, texts), atol=1e-6)


def test_a_long_text_is_cut_with_a_warning(tiny_models: Models, caplog: pytest.LogCaptureFixture) -> None:
    """A text over the model's limit is encoded as far as it fits, and the log says so; others say nothing."""
    encoder = load_encoder(str(tiny_models.clip), str(tiny_models.texts), device="cpu")
    with caplog.at_level(logging.WARNING):
        encoder.encode_texts(["a dog"])
        assert caplog.messages == []
        encoder.encode_texts(["dog " * 300])
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "text of 302 tokens cut to the model's 128"
    ]


def test_loading_is_silent(tiny_models: Models, capfd: pytest.CaptureFixture[str]) -> None:
    """Loading and using both towers shows nothing, and leaves other libraries' log levels as they were."""
    loggers = [
        logging.getLogger(name) for name in ("transformers", "sentence_transformers", "huggingface_hub")
    ]
    before = [logger.level for logger in loggers]
    encoder = load_encoder(str(tiny_models.clip), str(tiny_models.texts), device="cpu")
    _use(encoder)
    encoder.encode_texts(["a dog"])
    assert capfd.readouterr() == ("", "")
    assert [logger.level for logger in loggers] == before


def test_a_lone_surrogate_is_text(tiny_models: Models) -> None:
    """A character that is no valid Unicode, as a shell can pass it, doesn't fail the search."""
    encoder = load_encoder(str(tiny_models.clip), str(tiny_models.texts), device="cpu")
    assert np.isfinite(encoder.encode_texts(["dog \udce4"])).all()


def test_a_text_needs_no_image_tower(tiny_models: Models, tmp_path: Path) -> None:
    """Texts are encoded, and the space known, while the picture tower's weights can't even be loaded."""
    broken = Path(shutil.copytree(tiny_models.clip, tmp_path / "clip"))
    (broken / "0_CLIPModel" / "model.safetensors").write_bytes(b"not weights")
    encoder = load_encoder(str(broken), str(tiny_models.texts), device="cpu")
    assert encoder.space.dim == 64
    assert encoder.preprocess(sample_pictures(1)[0]).shape == (3, 224, 224)
    assert encoder.encode_texts(["a dog"]).shape == (1, 64)


def test_the_space_is_the_weights_not_the_place(tiny_models: Models, tmp_path: Path) -> None:
    """A copy in another folder has the same space; other weights and other preprocessing have another."""
    copy = Path(shutil.copytree(tiny_models.clip, tmp_path / "copy"))
    other = make_clip(tmp_path / "other", seed=1)
    cropped = Path(shutil.copytree(tiny_models.clip, tmp_path / "cropped"))
    config = cropped / "0_CLIPModel" / "preprocessor_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"do_center_crop": False}))
    space = load_encoder(str(tiny_models.clip)).space
    assert load_encoder(str(copy)).space.same_as(space)
    assert not load_encoder(str(other)).space.same_as(space)
    assert not load_encoder(str(cropped)).space.same_as(space)


def test_the_space_names_both_towers(tiny_models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is named by its absolute path, from whichever working directory it was given."""
    monkeypatch.chdir(tiny_models.clip.parent)
    space = load_encoder(tiny_models.clip.name, tiny_models.texts.name).space
    assert (space.model, space.text_model) == (str(tiny_models.clip), str(tiny_models.texts))
    alone = load_encoder(f"./{tiny_models.clip.name}").space
    assert (alone.model, alone.text_model) == (str(tiny_models.clip), str(tiny_models.clip))


def test_towers_of_different_dimensions_are_refused(tiny_models: Models, tmp_path: Path) -> None:
    """A text tower of another dimension is an error that names both, before anything is loaded."""
    texts = make_text_tower(tmp_path / "texts", dim=48)
    with pytest.raises(EncoderError, match=r"48 dimensions.* of 64;"):
        load_encoder(str(tiny_models.clip), str(texts))


def _no_modules(model: Path) -> None:
    (model / "modules.json").unlink()


def _damaged_modules(model: Path) -> None:
    (model / "modules.json").write_text("[{")


def _odd_modules(model: Path) -> None:
    (model / "modules.json").write_text('[{"idx": 0}]')


def _no_modules_at_all(model: Path) -> None:
    (model / "modules.json").write_text("[]")


def _no_weights(model: Path) -> None:
    (model / "0_CLIPModel" / "model.safetensors").unlink()


def _damaged_weights(model: Path) -> None:
    (model / "0_CLIPModel" / "model.safetensors").write_bytes(b"\x00" * 100)


def _truncated_weights(model: Path) -> None:
    weights = model / "0_CLIPModel" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def _no_tokenizer(model: Path) -> None:
    (model / "0_CLIPModel" / "vocab.json").write_text("{")


def _no_processor(model: Path) -> None:
    (model / "0_CLIPModel" / "preprocessor_config.json").unlink()


@pytest.mark.parametrize(
    "damage",
    [
        _no_modules,
        _damaged_modules,
        _odd_modules,
        _no_modules_at_all,
        _no_weights,
        _damaged_weights,
        _truncated_weights,
        _no_tokenizer,
        _no_processor,
    ],
)
def test_a_broken_folder_is_an_error_of_one_line(
    tiny_models: Models, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """Whatever is wrong with a model folder, it is an EncoderError of one line that names the folder."""
    broken = Path(shutil.copytree(tiny_models.clip, tmp_path / "broken"))
    damage(broken)
    with pytest.raises(EncoderError) as caught:
        _use(load_encoder(str(broken), str(tiny_models.texts), device="cpu"))
    assert str(broken) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_device_is_an_error(tiny_models: Models) -> None:
    """A device that isn't there is an EncoderError that names it."""
    with pytest.raises(EncoderError, match="on warp"):
        _use(load_encoder(str(tiny_models.clip), device="warp"))


def _use(encoder: Encoder) -> None:
    """Make the encoder load and use its picture tower."""
    assert encoder.space.dim
    encoder.encode_images([encoder.preprocess(sample_pictures(1)[0])])


def _reference(folder: Path, inputs: list[Image.Image] | list[str]) -> npt.NDArray[np.float32]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    vectors: npt.NDArray[np.float32] = model.encode(
        inputs, normalize_embeddings=True, show_progress_bar=False
    )
    return vectors
