"""Queries in scripts that a text tower was not trained on."""

from __future__ import annotations

import logging

import pytest

from esclip._core.null_queries import NULL_QUERIES
from esclip.encoders.text_warnings import warn_of_unknown_scripts

ENGLISH, MULTILINGUAL = "clip-ViT-B-16", "clip-ViT-B-32-multilingual-v1"


@pytest.mark.parametrize(
    ("tower", "text", "script"),
    [
        (ENGLISH, "雪山", "Cjk"),
        (ENGLISH, "ひらがな", "Hiragana"),
        (ENGLISH, "ﾋﾟﾝｸ", "Katakana"),
        (ENGLISH, "a photo of 富士山", "Cjk"),
        (ENGLISH, "красный", "Cyrillic"),
        (ENGLISH, "كلب", "Arabic"),
        ("openai/clip-vit-base-patch16", "개", "Hangul"),
        ("ViT-L-14::openai", "σκύλος", "Greek"),
        (MULTILINGUAL, "কুকুর", "Bengali"),
        (f"sentence-transformers/{MULTILINGUAL}", "ውሻ", "Ethiopic"),
    ],
)
def test_a_strange_script_is_told(
    caplog: pytest.LogCaptureFixture, tower: str, text: str, script: str
) -> None:
    """One line names the tower, the script and the first such text."""
    with caplog.at_level(logging.WARNING, "esclip"):
        warn_of_unknown_scripts(tower, ["a dog", text, text])
    (message,) = caplog.messages
    assert tower in message
    assert script in message
    assert "and 1 more" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("tower", "text"),
    [
        (ENGLISH, "a naïve café, 20 µm: “Łódź” № 5 ½ ☃ 🐕 ｄｏｇ ª"),
        (MULTILINGUAL, "雪山 красный كلب σκύλος कुत्ता 개 ひらがな հայ"),
        ("google/siglip2-base-patch16-224", "雪山"),
        ("/models/clip-ViT-B-16", "雪山"),
        ("nobody/nothing", "雪山"),
        (ENGLISH, ""),
        (ENGLISH, "\ud800"),
    ],
)
def test_known_scripts_and_unknown_towers_are_not(
    caplog: pytest.LogCaptureFixture, tower: str, text: str
) -> None:
    """Accents, signs and pictographs are no script, and a tower that isn't known may know all."""
    with caplog.at_level(logging.WARNING, "esclip"):
        warn_of_unknown_scripts(tower, [text])
    assert caplog.messages == []


def test_what_an_index_is_measured_with_is_not(caplog: pytest.LogCaptureFixture) -> None:
    """Sentences for calibration are in all scripts, and nobody's query."""
    with caplog.at_level(logging.WARNING, "esclip"):
        warn_of_unknown_scripts(ENGLISH, [text for texts in NULL_QUERIES.values() for text in texts])
    assert caplog.messages == []
