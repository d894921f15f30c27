"""The analyzer: texts into the words that keyword search compares, alike for records, queries and stores.

"Two dogs, 東京の夜" ─► two · dog · 東京 · 京の · の夜

A word is a run of letters and digits, folded (`_core.text_forms`) and reduced to its English stem. Chinese,
Japanese and Korean, written without spaces, give each pair of neighbouring characters (bigrams), as Lucene's
CJK analyzer does; records give each single character as well, so that a query of one is found.

Indexes store what this module returns: a change has to increase `_core.types.RECORD_FORMAT`, and see
`former_words`.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from esclip._concurrency.forks import run_in_children
from esclip._core.picture_color import COLOR, is_color
from esclip._core.text_forms import fold
from esclip._core.types import GeoPoint, ImageRecord, Metadata

CJK = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3100-\u318f\u31a0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Unicode's blocks of Han characters, kana, bopomofo and hangul."""

INDIC = "\u0900-\u0dff"
"""Scripts of India; their vowel signs are not alphanumeric to Python."""

_RUN = re.compile(rf"(?:[^\W_]+|[{INDIC}]+)+")
_PLAIN_RUN = re.compile("[a-z0-9]+")
"""`_RUN` for ASCII texts, twice as fast."""
_SEGMENT = re.compile(rf"(?P<cjk>[{CJK}]+)|[^{CJK}]+")

MAX_WORD_LENGTH = 64
"""Longer words are truncated: they are identifiers, not words of a language."""

MAX_QUERY_WORDS = 256
"""Below the engines' limit of 1,024 clauses."""

STOP_WORDS = (
    *(
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "for",
        "if",
        "in",
        "into",
        "is",
        "it",
        "no",
        "not",
    ),
    *(
        "of",
        "on",
        "or",
        "such",
        "that",
        "the",
        "their",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "was",
    ),
    *("will", "with"),
)
"""Those of Lucene's `EnglishAnalyzer`."""


FOLDERS = "folders"
"""A file's field of paths, which have no words: all pictures of a user may be in `/home/anna`."""


def analyze_query(text: str) -> tuple[str, ...]:
    """The words of a query, each once, in order, 256 at most; stop words only if there are no others."""
    words = tuple(dict.fromkeys(word for run in _runs(text) for word in _words_of(run, singles=False)))
    return (tuple(word for word in words if word not in _stop_stems()) or words)[:MAX_QUERY_WORDS]


def former_words(text: str) -> dict[str, str]:
    """Words of a query by their form in records of `RECORD_FORMAT` 2, where it differs.

    Strokes and other marks were not folded then: `tromsø`. So older indexes are searched as before until an
    ingest writes them anew.
    """
    if text.isascii():
        return {}
    runs, former_runs = _split(fold(text)), _split(_fold_as_before(text))
    if len(runs) != len(former_runs):  # a mark was taken for a separator
        return {}
    forms: dict[str, str] = {}
    for run, former_run in zip(runs, former_runs, strict=True):
        words, former = list(_words_of(run, singles=False)), list(_words_of(former_run, singles=False))
        if words != former and len(words) == len(former):
            forms.update(zip(words, former, strict=True))
    return forms


def analyze_record(record: ImageRecord) -> list[str]:
    """The words of a record's description and of every text in its metadata, sorted, each once."""
    return sorted(analyze_document(record.description, record.all_metadata))


def analyze_document(description: str, metadata: Metadata) -> set[str]:
    """The words of a description and of every text in the metadata."""
    runs = set(_runs("\n".join(_texts(description, metadata))))
    ascii_words = {run for run in runs if run.isascii()}  # nearly all: worth a faster path
    others = (_words_of(run, singles=True) for run in runs if not run.isascii())
    return set(map(stem_word, ascii_words)).union(*others)


def stem_word(run: str) -> str:
    """The word of a run of ASCII letters and digits, in lower case."""
    return _stem(run[:MAX_WORD_LENGTH])


def _texts(description: str, metadata: Metadata) -> Iterator[str]:
    yield description
    for name, value in metadata.items():
        if name == FOLDERS or (name == COLOR and is_color(value)):
            continue
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple) and not isinstance(value, GeoPoint):
            yield from value


def _runs(text: str) -> list[str]:
    """Runs of letters and digits, folded."""
    return _split(fold(text))


def _split(text: str) -> list[str]:
    return (_PLAIN_RUN if text.isascii() else _RUN).findall(text)


def _words_of(run: str, *, singles: bool) -> Iterable[str]:
    """The words of a run of letters and digits; with `singles`, single CJK characters too."""
    if run.isascii():
        return (stem_word(run),)
    return (
        word
        for segment in _SEGMENT.finditer(run)
        for word in (
            _bigrams(segment[0], singles) if segment["cjk"] else (_stem(segment[0][:MAX_WORD_LENGTH]),)
        )
    )


def _bigrams(characters: str, singles: bool) -> Iterator[str]:
    yield from (characters[start : start + 2] for start in range(len(characters) - 1))
    if singles or len(characters) == 1:
        yield from characters


def _fold_as_before(text: str) -> str:
    """`fold` of former versions: it removed accents only, and only of letters that Unicode decomposes."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFKC", re.sub("[\u0300-\u036f]", "", decomposed))


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    """The English stem (Porter 2). Words of other languages change little, alike on both sides."""
    if not (word.isascii() and word.isalpha()):
        return word
    with _LOCK:  # a stemmer is stateful
        stem: str = _stemmer().stemWord(word)
        return stem


_LOCK = threading.Lock()


def _renew_lock() -> None:
    global _LOCK
    _LOCK = threading.Lock()


run_in_children(_renew_lock)


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")


@lru_cache(maxsize=1)
def _stop_stems() -> frozenset[str]:
    return frozenset(map(_stem, STOP_WORDS))
