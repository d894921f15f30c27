"""Unicode forms in which texts are compared.

text ─┬─► compose   NFC: for equality, names, keys and tokenizers
      └─► fold      for words: without differences of width, case, accents and marks

One text can be written in several ways: ü as one character, or as u and a combining mark, which is how macOS
writes file names. They look the same.
"""

from __future__ import annotations

import re
import unicodedata


def compose(text: str) -> str:
    """The text in NFC: a letter with its marks is one character if Unicode has one."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def forms(text: str) -> tuple[str, ...]:
    """The text as it is, in NFC and in NFD, without repetitions."""
    if text.isascii():
        return (text,)
    return tuple(dict.fromkeys((text, compose(text), unicodedata.normalize("NFD", text))))


def is_unicode(text: str) -> bool:
    """Whether it can be encoded: invalid bytes of arguments or file names become half surrogate pairs."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def fold(text: str) -> str:
    """The text without differences of width, case, accents, marks and digits.

    As Lucene's ICU and ASCII folding: ø is o, æ ae, ß ss; Arabic and Hebrew are without vowel points. Vowel
    signs of India and the voicing marks of Japanese are no accents, and stay.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text.translate(_FOLDS))


class _Folds(dict[int, str]):
    """Maps each character to its folded text, computed on first use."""

    def __missing__(self, code: int) -> str:
        apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", chr(code)).casefold())
        self[code] = plain = "".join(map(_plain, apart))
        return plain


_FOLDS = _Folds()

_LATIN = re.compile(
    "LATIN (?:SMALL LETTER|SMALL LIGATURE|LETTER SMALL CAPITAL|SMALL CAPITAL LETTER) "
    "(?:DOTLESS |SCRIPT |OPEN |INSULAR )?([A-Z]{1,2})(?: BAR| WITH .*)?"
)
"""Names of letters with a stroke, a hook or a tail, which Unicode doesn't decompose."""

_LETTERS = str.maketrans(
    # eth, thorn, eng, schwa, kra; and Arabic letters that are often written for one another, as in Lucene's
    # normalizers: alef wasla, alef maksura, Farsi yeh, keheh, teh marbuta, heh goal
    {"\u00f0": "d", "\u00fe": "th", "\u014b": "n", "\u0259": "e", "\u0138": "q"}
    | dict(zip("\u0671\u0649\u06cc\u06a9\u0629\u06c1", "\u0627\u064a\u064a\u0643\u0647\u0647", strict=True))
)

_MODIFIERS = "\u02b9\u02ba\u02bb\u02bc\u02bd\u02be\u02bf\u02c0\u02c1"
"""Apostrophes that are letters to Unicode: Hawaiʻi."""

_TATWEEL = "\u0640"
"""Elongates an Arabic word."""
_BREAK = "\u200b"
"""Zero-width space: the only format character that separates words."""


def _plain(character: str) -> str:
    if character.isascii():
        return character
    if _is_mark(character):
        return ""
    if ord(character) in _LETTERS:
        return character.translate(_LETTERS)
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    latin = _LATIN.fullmatch(unicodedata.name(character, ""))
    return latin[1].lower() if latin else character


def _is_mark(character: str) -> bool:
    """Whether it only modifies other characters."""
    if character in _MODIFIERS or character == _TATWEEL or "\u0300" <= character <= "\u036f":
        return True
    if "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":  # variation selectors
        return True
    kind = unicodedata.combining(character)  # overlays, nuktas, Hebrew to Syriac points, accents
    if kind in (1, 7) or 10 <= kind <= 36 or 200 <= kind <= 240:
        return True
    return unicodedata.category(character) == "Cf" and character != _BREAK
