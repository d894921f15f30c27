"""What every encoder has to fulfil: inherit `EncoderContract` and say how to make one."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from esclip._core.schema import Space
from esclip._core.types import Pixels, Vectors
from esclip._errors import ConfigError
from esclip._protocols import Encoder
from esclip.encoders.palette import PaletteEncoder


def sample_images(count: int = 12) -> list[Image.Image]:
    """Pictures of different sizes and colours, the same each time."""
    random = np.random.default_rng(7)
    pictures = []
    for number in range(count):
        tiles = random.integers(0, 256, (2 + number % 5, 3, 3), dtype=np.uint8)
        pictures.append(Image.fromarray(tiles).resize((90 + 7 * number, 120 - 3 * number)))
    return pictures


class RecordingEncoder(PaletteEncoder):
    """Palette, with the size of each batch recorded; takes `seconds` for one, and fails where `broken`."""

    def __init__(self, seconds: float = 0.0, model: str = "palette") -> None:
        self.seconds = seconds
        self.model = model
        self.broken = False
        self.batches: list[int] = []

    @property
    def space(self) -> Space:
        """Palette's, by the name that was given."""
        return replace(super().space, model=self.model)

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """Record the batch's size, wait, and encode."""
        self.batches.append(len(batch))
        time.sleep(self.seconds)
        if self.broken:
            raise RuntimeError("out of memory\non the device")
        return super().encode_images(batch)


class EncoderContract:
    """Tests of the `Encoder` protocol's promises."""

    texts = ("a red car", "zwei grüne Hunde", "一只黄色的猫", "")

    @pytest.fixture
    def encoder(self) -> Encoder:
        """A new encoder, always of the same space."""
        raise NotImplementedError

    @pytest.fixture
    def again(self) -> Encoder:
        """Another instance of the same space."""
        raise NotImplementedError

    def test_images_become_unit_rows(self, encoder: Encoder) -> None:
        """Pictures become float32 rows of unit length, one each, with the space's dimension."""
        vectors = encoder.encode_images([encoder.preprocess(picture) for picture in sample_images()])
        assert vectors.shape == (12, encoder.space.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)

    def test_texts_become_unit_rows(self, encoder: Encoder) -> None:
        """Texts, the empty one among them, become float32 rows of unit length in the same dimension."""
        vectors = encoder.encode_texts(self.texts)
        assert vectors.shape == (len(self.texts), encoder.space.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)

    def test_a_batch_of_images_equals_one_at_a_time(self, encoder: Encoder) -> None:
        """What a picture's vector is doesn't depend on its batch, and the order is kept."""
        batch = [encoder.preprocess(picture) for picture in sample_images()]
        single = np.concatenate([encoder.encode_images([pixels]) for pixels in batch])
        np.testing.assert_allclose(encoder.encode_images(batch), single, atol=1e-5)

    def test_a_batch_of_texts_equals_one_at_a_time(self, encoder: Encoder) -> None:
        """What a text's vector is doesn't depend on the others, and the order is kept."""
        single = np.concatenate([encoder.encode_texts([text]) for text in self.texts])
        np.testing.assert_allclose(encoder.encode_texts(self.texts), single, atol=1e-5)

    def test_a_text_is_the_same_in_every_form(self, encoder: Encoder) -> None:
        """A letter with its mark as one character or as two, as macOS has it: the same vector."""
        for text in ("ein grünes Café", "초록색 사진", "màu đỏ, nhiều người"):
            composed, apart = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
            np.testing.assert_array_equal(encoder.encode_texts([composed]), encoder.encode_texts([apart]))

    def test_a_text_alone_is_no_list(self, encoder: Encoder) -> None:
        """One text where several are wanted is no list of its letters."""
        with pytest.raises(ConfigError, match="several texts"):
            encoder.encode_texts("red")

    def test_different_images_have_different_vectors(self, encoder: Encoder) -> None:
        """Different pictures are told apart."""
        vectors = encoder.encode_images([encoder.preprocess(picture) for picture in sample_images()])
        cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
        assert cosines.max() < 0.9999
        assert cosines.std() > 0.02

    def test_nothing_becomes_no_rows(self, encoder: Encoder) -> None:
        """An empty batch gives an array without rows that still has the dimension."""
        assert encoder.encode_images([]).shape == (0, encoder.space.dim)
        assert encoder.encode_texts([]).shape == (0, encoder.space.dim)

    def test_preprocess_is_safe_in_threads(self, encoder: Encoder) -> None:
        """Threads that preprocess at once get what one thread gets."""
        pictures = sample_images()
        with ThreadPoolExecutor(8) as pool:
            concurrent = list(pool.map(encoder.preprocess, pictures * 4))
        for pixels, picture in zip(concurrent, pictures * 4, strict=True):
            np.testing.assert_array_equal(pixels, encoder.preprocess(picture))

    def test_texts_are_safe_in_threads(self, encoder: Encoder) -> None:
        """Threads that encode texts at once get what one thread gets."""
        with ThreadPoolExecutor(8) as pool:
            concurrent = list(pool.map(lambda text: encoder.encode_texts([text])[0], self.texts * 4))
        alone = [encoder.encode_texts([text])[0] for text in self.texts] * 4
        np.testing.assert_allclose(np.stack(concurrent), np.stack(alone), atol=1e-5)

    @pytest.mark.parametrize("size", [(1, 1), (3, 500), (2000, 1)])
    def test_odd_shapes_are_pictures_too(self, encoder: Encoder, size: tuple[int, int]) -> None:
        """A single pixel and a line of pixels become vectors like any other."""
        pixels = encoder.preprocess(Image.new("RGB", size, "red"))
        assert np.isfinite(encoder.encode_images([pixels])).all()

    def test_the_softmax_has_a_scale(self, encoder: Encoder, again: Encoder) -> None:
        """What cosines are multiplied by is a number above 1, the same for every instance."""
        assert 1 < encoder.logit_scale < 1e4
        assert again.logit_scale == encoder.logit_scale

    def test_two_instances_agree(self, encoder: Encoder, again: Encoder) -> None:
        """Another instance has the same space and makes the same vectors."""
        picture = sample_images(1)[0]
        assert again.space == encoder.space
        np.testing.assert_allclose(
            again.encode_texts(self.texts), encoder.encode_texts(self.texts), atol=1e-6
        )
        np.testing.assert_allclose(
            again.encode_images([again.preprocess(picture)]),
            encoder.encode_images([encoder.preprocess(picture)]),
            atol=1e-6,
        )
