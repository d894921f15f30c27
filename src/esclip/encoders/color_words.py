"""Colour words in six languages.

The eleven colours are the basic colour terms of Berlin and Kay, "Basic Color Terms" (1969). Words in Latin
script match as whole words, without accents; Chinese and Japanese ones anywhere, the longest first, so that
粉红 is pink and not red.

    find_colors("ein roter Ball im Gras")  ─►  {Color.RED}
"""

from __future__ import annotations

import re
import unicodedata
from enum import IntEnum
from functools import cache


class Color(IntEnum):
    """A basic colour; its number is its axis in the palette's space."""

    BLACK = 0
    WHITE = 1
    RED = 2
    GREEN = 3
    YELLOW = 4
    BLUE = 5
    BROWN = 6
    PURPLE = 7
    PINK = 8
    ORANGE = 9
    GREY = 10


def find_colors(text: str) -> set[Color]:
    """Find the colours that `text` names."""
    folded = _fold(text)
    colors = {_latin_words().get(word) for word in re.findall(r"[a-z]+", folded)}
    colors |= {_cjk_words()[word] for word in _cjk_pattern().findall(folded)}
    return {color for color in colors if color is not None}


def _fold(text: str) -> str:
    """Fold case, accents and widths, so that `WEIß` equals `weiss` and `ﾋﾟﾝｸ` equals `ピンク`.

    Only Latin accents are removed: kana differ by theirs.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", decomposed))


@cache
def _latin_words() -> dict[str, Color]:
    words = {word: color for color, names in _WORDS.items() for word in names.split()}
    for color, stem in _GERMAN.items():
        for shade in ("", "hell", "dunkel"):
            words |= {f"{shade}{stem}{ending}": color for ending in ("", "e", "er", "es", "en", "em")}
    return {_fold(word): color for word, color in words.items()}


@cache
def _cjk_words() -> dict[str, Color | None]:
    """Chinese and Japanese words; None for those that contain a colour's character and name no colour."""
    words: dict[str, Color | None] = {_fold(word): None for word in _NO_COLORS.split()}
    return words | {_fold(word): color for color, names in _CJK.items() for word in names.split()}


@cache
def _cjk_pattern() -> re.Pattern[str]:
    longest_first = sorted(_cjk_words(), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)))


# English, Spanish and French, with plurals and genders; German words that have no endings.
_WORDS = {
    Color.BLACK: "black negro negra negros negras noir noire noirs noires",
    Color.WHITE: "white blanco blanca blancos blancas blanc blanche blancs blanches",
    Color.RED: "red rojo roja rojos rojas rouge rouges",
    Color.GREEN: "green verde verdes vert verte verts vertes gruen",
    Color.YELLOW: "yellow amarillo amarilla amarillos amarillas jaune jaunes",
    Color.BLUE: "blue azul azules bleu bleue bleus bleues",
    Color.BROWN: "brown marrón marrones marron marrons brun brune bruns brunes",
    Color.PURPLE: (
        "purple violet violeta violetas violette violets violettes lila lilas morado morada morados moradas "
        "púrpura púrpuras purpur pourpre pourpres"
    ),
    Color.PINK: "pink rosa rosas rosado rosada rosados rosadas rose roses",
    Color.ORANGE: (
        "orange oranges naranja naranjas anaranjado anaranjada anaranjados anaranjadas "
        "orangener orangenes orangefarben orangefarbene oranger"
    ),
    Color.GREY: "grey gray gris grises grise",
}

_GERMAN = {
    Color.BLACK: "schwarz",
    Color.WHITE: "weiß",
    Color.RED: "rot",
    Color.GREEN: "grün",
    Color.YELLOW: "gelb",
    Color.BLUE: "blau",
    Color.BROWN: "braun",
    Color.PURPLE: "violett",
    Color.GREY: "grau",
}

# Chinese in both scripts, Japanese in kanji and kana. Kana only in forms that are no part of other words.
_CJK = {
    Color.BLACK: "黑 黒 くろい まっくろ ブラック",
    Color.WHITE: "白 しろい まっしろ ホワイト",
    Color.RED: "红 紅 赤 あかい まっか レッド",
    Color.GREEN: "绿 綠 緑 青绿 青綠 翠绿 みどり グリーン",
    Color.YELLOW: "黄 黃 きいろ イエロー",
    Color.BLUE: "蓝 藍 青 あおい ブルー",
    Color.BROWN: "棕 褐 咖啡色 茶色 ちゃいろ ブラウン",
    Color.PURPLE: "紫 紫红 紫紅 むらさき パープル",
    Color.PINK: "粉红 粉紅 粉色 桃红 桃紅 桃色 ももいろ ピンク",
    Color.ORANGE: "橙 橘色 桔色 橘红 橘紅 橙红 橙紅 橙黄 橙黃 橘黄 橘黃 だいだい オレンジ",
    Color.GREY: "灰 鼠色 はいいろ ねずみいろ グレー",
}

_NO_COLORS = (
    "黄昏 黃昏 黄河 黃河 白天 明白 空白 告白 面白 青年 青春 青森 口红 口紅 赤道 赤ちゃん "
    "ブレッド ブルーベリー"
)
