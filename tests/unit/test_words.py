"""Texts become words, the same for records and queries."""

from __future__ import annotations

import pytest

from esclip._core.analysis import analyze_query, analyze_record, former_words
from esclip._core.types import GeoPoint, ImageRecord, Metadata


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Two dogs, in the SNOW!", "two dog snow"),
        ("the who", "who"),
        ("to be or not to be", "to be or not"),
        ("café CAFÉ cafe\u0301", "cafe"),
        ("Straße Müller", "strass muller"),
        ("IMG_1234.jpg", "img 1234 jpg"),
        ("１２３ ｶﾒﾗ", "123 カメ メラ"),
        ("東京都の夜", "東京 京都 都の の夜"),
        ("猫", "猫"),
        ("red猫cat", "red 猫 cat"),
        ("서울에서 찍은", "서울 울에 에서 찍은"),
        ("हिन्दी फोटो", "हिन्दी फोटो"),
        ("Tromsø Łódź Ærø", "tromso lodz aero"),
        ("Đà Nẵng", "da nang"),
        ("ışık IŞIK İstanbul", "isik istanbul"),
        ("Þingvellir Ħal Ŧ ŋ Œuvre", "thingvellir hal t n oeuvr"),
        ("مُحَمَّد محـــمد", "محمد"),
        ("أحمد احمد کتاب كتاب", "احمد كتاب"),
        ("שָׁלוֹם שלום", "שלום"),
        ("ガ カ\u3099 ｶﾞ", "ガ"),
        ("फ़ोटो फोटो", "फोटो"),
        ("\U0001d413romsø Hawaiʻi don\u00adau", "tromso hawaii donau"),
        ("٢٠٢٤ ２０２４", "2024"),
        ("葛\U000e0100城", "葛城"),
        ("zero\u200bwidth", "zero width"),
        ("Привет, МИР", "привет мир"),
        ("\ud800 half", "half"),
        ("!? ...", ""),
        ("", ""),
    ],
)
def test_words_of_a_query(text: str, words: str) -> None:
    """Folded, as stems, each once; pairs of characters where nothing stands between words."""
    assert analyze_query(text) == tuple(words.split())


@pytest.mark.parametrize(
    ("text", "former"),
    [
        ("Tromsø in winter", {"tromso": "tromsø"}),
        ("Łódź ışık", {"lodz": "łodz", "isik": "ısık"}),
        ("Müller Zürich 東京", {}),
        ("مُحَمَّد", {}),
        ("plain text", {}),
    ],
)
def test_words_as_they_were_kept(text: str, former: dict[str, str]) -> None:
    """Those that an older version left with their strokes; none where it kept them alike, or in pieces."""
    assert former_words(text) == former


def test_a_record_has_single_characters_too() -> None:
    """What a query of one character asks for; places, numbers and dates are no words."""
    metadata: Metadata = {
        "keywords": ("black cats", "夜"),
        "country": "日本",
        "likes": 7,
        "point": GeoPoint(1.0, 2.0),
    }
    record = ImageRecord("a", "/x/y.jpg", "", "1", description="東京", metadata=metadata)
    assert analyze_record(record) == sorted(["black", "cat", "夜", "日本", "日", "本", "東京", "東", "京"])


def test_a_book_is_cut() -> None:
    """A query has no more words than engines take, and a word no more characters than words have."""
    assert len(analyze_query(" ".join(f"word{n}" for n in range(5000)))) == 256
    assert len(analyze_query("x" * 10_000)[0]) == 64
