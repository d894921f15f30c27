"""Texts in a script that a text tower was not trained on: their vectors are chance, and nothing shows it."""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter
from collections.abc import Sequence

from esclip._core.null_queries import is_null_query
from esclip._errors import Hint, one_line
from esclip.encoders.catalogue import known_scripts

__all__ = ["warn_of_scripts"]

_log = logging.getLogger("esclip")


def warn_of_scripts(text_encoder: str, texts: Sequence[str]) -> None:
    """Log one warning where texts have letters that the text tower doesn't know, as far as that is known."""
    scripts = known_scripts(text_encoder)
    if scripts is None:
        return
    strange = [(text, found) for text in texts if (found := _scripts(text) - scripts)]
    strange = [(text, found) for text, found in strange if not is_null_query(text)]
    if strange:
        text, found = strange[0]
        others = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        _log.warning(
            "text tower %s was not trained on %s: what it makes of %r%s is chance; use a language that it "
            "knows, or an index of another model: %s",
            one_line(text_encoder),
            ", ".join(sorted(script.capitalize() for script in found)),
            one_line(text, 40),
            others,
            Hint.MODELS,
        )


def _scripts(text: str) -> set[str]:
    """The scripts of its letters, those of no living language left out; a single Greek letter is a sign."""
    if text.isascii():
        return set()
    letters = [c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) in _LETTERS]
    first_words = (unicodedata.name(c, "").partition(" ")[0] for c in letters)
    counts = Counter(_SAME.get(word, word) for word in first_words)
    return {
        script for script, count in counts.items() if script in _LIVING and (script != "GREEK" or count > 1)
    }


_LETTERS = ("Lu", "Ll", "Lt", "Lo", "Lm")

_SAME = {"IDEOGRAPHIC": "CJK", "KATAKANA-HIRAGANA": "KATAKANA"}

_NAMES = """
    ARABIC ARMENIAN BENGALI CHEROKEE CJK CYRILLIC DEVANAGARI ETHIOPIC GEORGIAN GREEK GUJARATI GURMUKHI HANGUL
    HEBREW HIRAGANA KANNADA KATAKANA KHMER LAO LATIN MALAYALAM MONGOLIAN MYANMAR ORIYA SINHALA TAMIL TELUGU
    THAANA THAI TIBETAN
"""
_LIVING = frozenset(_NAMES.split())
"""By the first word of their letters' names in Unicode."""
