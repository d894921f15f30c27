from __future__ import annotations

import logging
import subprocess
import sys
import unicodedata
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from esclip._errors import ConfigError
from esclip._protocols import Encoder
from esclip.encoders import load_encoder
from esclip.encoders.color_words import Color, find_colors
from esclip.encoders.palette import PALETTE_LIMITS, PaletteEncoder
from esclip.testing.encoder import EncoderContract

_LOOKS = {
    Color.BLACK: (12, 12, 14),
    Color.WHITE: (250, 249, 246),
    Color.RED: (205, 25, 30),
    Color.GREEN: (35, 130, 45),
    Color.YELLOW: (250, 225, 35),
    Color.BLUE: (35, 75, 200),
    Color.BROWN: (115, 68, 32),
    Color.PURPLE: (120, 35, 145),
    Color.PINK: (250, 155, 190),
    Color.ORANGE: (248, 135, 20),
    Color.GREY: (130, 131, 128),
}

_TERMS = {
    Color.BLACK: "black 黑色 negra schwarzer noire 黒い",
    Color.WHITE: "white 白色 blancas weißes blanche 白い",
    Color.RED: "red 红色 roja roter rouges 赤い",
    Color.GREEN: "green 綠色 verdes grünes vertes 緑の",
    Color.YELLOW: "yellow 黄色 amarilla gelbe jaunes 黄色い",
    Color.BLUE: "blue 蓝色 azules blauem bleue 青い",
    Color.BROWN: "brown 棕色 marrón brauner brune 茶色",
    Color.PURPLE: "purple 紫色 morada violette violets 紫の",
    Color.PINK: "pink 粉红色 rosas rosa roses ピンク",
    Color.ORANGE: "orange 橙色 naranjas orangefarben oranges オレンジ",
    Color.GREY: "gray 灰色 grises graue grise 灰色の",
}


class TestPaletteEncoder(EncoderContract):
    @pytest.fixture
    def encoder(self) -> Encoder:
        return load_encoder("palette")

    @pytest.fixture
    def again(self) -> Encoder:
        return load_encoder("palette")


@pytest.mark.parametrize("noise", [0, 60])
@pytest.mark.parametrize(
    ("color", "term"), [(c, term) for c, terms in _TERMS.items() for term in terms.split()]
)
def test_a_term_finds_its_color(color: Color, term: str, noise: int) -> None:
    """Each basic colour term of six languages ranks the picture of its colour first of eleven."""
    pictures = [_noisy(look, noise) for look in _LOOKS.values()]
    scores = _scores(f"… {term} …", pictures)
    assert list(_LOOKS)[int(scores.argmax())] is color
    assert scores.max() > 2 * np.sort(scores)[-2]


def test_pictures_come_in_the_order_of_their_share() -> None:
    """What has more of the colour comes first, however the rest is coloured."""
    reds = [
        _stripes({Color.RED: 90, Color.BLUE: 10}),
        _stripes({Color.RED: 60, Color.BLUE: 40}),
        _stripes(
            {
                Color.RED: 50,
                Color.BLUE: 10,
                Color.GREEN: 10,
                Color.WHITE: 10,
                Color.BLACK: 10,
                Color.PINK: 10,
            }
        ),
        _stripes({Color.RED: 20, Color.GREEN: 80}),
        _stripes({Color.GREEN: 100}),
    ]
    scores = _scores("red", reds)
    assert list(np.argsort(-scores)) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(scores**2, [0.9, 0.6, 0.5, 0.2, 0], atol=0.02)


def test_several_colors_ask_for_a_mix() -> None:
    """A red car in a white scene is what "red and white" finds first, before plain red and plain white."""
    scores = _scores(
        "rot und weiß",
        [
            _stripes({Color.RED: 15, Color.WHITE: 85}),
            _stripes({Color.RED: 100}),
            _stripes({Color.WHITE: 100}),
            _stripes({Color.RED: 15, Color.GREEN: 85}),
        ],
    )
    assert scores.argmax() == 0


def test_similar_pictures_have_similar_colors() -> None:
    """Between pictures the cosine is the Bhattacharyya coefficient of their colours."""
    encoder = PaletteEncoder()
    first, second = (
        encoder.encode_images([encoder.preprocess(_stripes(shares))])[0]
        for shares in ({Color.RED: 50, Color.BLUE: 50}, {Color.RED: 50, Color.GREEN: 50})
    )
    assert first @ second == pytest.approx(0.5, abs=0.02)


def test_a_text_without_color_is_far_from_every_picture(caplog: pytest.LogCaptureFixture) -> None:
    """A text that names no colour has the cosine 0 with all pictures, and a warning says why."""
    with caplog.at_level(logging.WARNING, logger="esclip"):
        scores = _scores("two dogs playing in the snow", [_noisy(look, 60) for look in _LOOKS.values()])
    assert not scores.any()
    assert PALETTE_LIMITS in caplog.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("粉红的花", {Color.PINK}),
        ("粉红和红", {Color.PINK, Color.RED}),
        ("橙红色的天", {Color.ORANGE}),
        ("紅色與黃色", {Color.RED, Color.YELLOW}),
        ("赤と青", {Color.RED, Color.BLUE}),
        ("ﾋﾟﾝｸ", {Color.PINK}),
        ("黄昏", set()),
        ("面白い", set()),
        ("hundred tired bluesmen", set()),
        ("RED, Red and red", {Color.RED}),
        ("eine WEISSE Wand, ein weißer Hut", {Color.WHITE}),
        ("dunkelrotes Haus", {Color.RED}),
        ("", set()),
    ],
)
def test_words_are_found_as_they_stand(text: str, expected: set[Color]) -> None:
    """Latin words count as a whole, Chinese and Japanese ones by the longest match, in any case and width."""
    assert find_colors(text) == expected


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_normal_forms_are_alike(form: Literal["NFC", "NFD", "NFKC", "NFKD"]) -> None:
    """Accents count the same, composed or not."""
    text = unicodedata.normalize(form, "marrón, grün, púrpura, ピンク")
    assert find_colors(text) == {Color.BROWN, Color.GREEN, Color.PURPLE, Color.PINK}


def test_palette_has_no_text_encoder() -> None:
    """A text encoder beside palette is a setting that can't be meant."""
    with pytest.raises(ConfigError, match="clip-multi"):
        load_encoder("palette", "clip-multi")


def test_palette_needs_no_torch() -> None:
    """Palette works without the import of torch or transformers."""
    code = (
        "import sys; from esclip.encoders import load_encoder; load_encoder('palette').encode_texts(['red']);"
        "print(sorted({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def _scores(text: str, pictures: list[Image.Image]) -> npt.NDArray[np.float32]:
    encoder = PaletteEncoder()
    vectors = encoder.encode_images([encoder.preprocess(picture) for picture in pictures])
    scores: npt.NDArray[np.float32] = vectors @ encoder.encode_texts([text])[0]
    return scores


@cache
def _noisy(look: tuple[int, int, int], noise: int) -> Image.Image:
    """A picture of one colour, every pixel off by up to `noise` on every channel."""
    offsets = np.random.default_rng(3).integers(-noise, noise + 1, (300, 400, 3))
    return Image.fromarray(np.clip(np.array(look) + offsets, 0, 255).astype(np.uint8))


def _stripes(shares: dict[Color, int]) -> Image.Image:
    """A picture of upright stripes, their widths in percent."""
    columns = np.repeat([_LOOKS[color] for color in shares], [4 * share for share in shares.values()], axis=0)
    return Image.fromarray(np.repeat(columns[None].astype(np.uint8), 300, axis=0))
