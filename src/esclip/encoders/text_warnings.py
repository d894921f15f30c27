"""Warnings about texts that an encoder can't understand: nothing in their vectors shows it.

Null queries are exempt: an ingest encodes them in every script, and no user has written them.
"""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter
from collections.abc import Sequence

from esclip._core.null_queries import is_null_query
from esclip._core.settings import TEXT_LOGGER
from esclip._errors import Hint, one_line
from esclip.encoders.catalogue import known_scripts

_log = logging.getLogger(TEXT_LOGGER)


def warn_of_missing_colors(texts: Sequence[str], advice: str) -> None:
    """Log one warning of the texts, which name no colour, with the advice of the palette encoder."""
    if texts := _written_by_users(texts):
        _log.warning("no colour word in %s: %s", _first_of(texts), advice)


def warn_of_unknown_scripts(text_encoder: str, texts: Sequence[str]) -> None:
    """Log one warning of texts in scripts that a text tower was not trained on, as far as that is known."""
    foreign = [text for text in _written_by_users(texts) if unknown_scripts(text_encoder, text)]
    if foreign:
        _log.warning(
            "text tower %s was not trained on %s: what it makes of %s is chance; use a language that it "
            "knows, or an index of another model: %s",
            one_line(text_encoder),
            ", ".join(unknown_scripts(text_encoder, foreign[0])),
            _first_of(foreign),
            Hint.MODELS,
        )


def unknown_scripts(text_encoder: str, text: str) -> list[str]:
    """The scripts of a text that a text tower was not trained on, as far as that is known, in order."""
    scripts = known_scripts(text_encoder)
    return [] if scripts is None else sorted(one.capitalize() for one in _scripts_of(text) - scripts)


def _written_by_users(texts: Sequence[str]) -> list[str]:
    return [text for text in texts if not is_null_query(text)]


def _first_of(texts: Sequence[str]) -> str:
    others = f" and {len(texts) - 1} more" if len(texts) > 1 else ""
    return f"{one_line(texts[0], 40)!r}{others}"


def _scripts_of(text: str) -> set[str]:
    """The scripts of a text's letters, if of a living language; a single Greek letter is a symbol."""
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
