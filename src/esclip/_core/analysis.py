"""Words as keyword search compares them: the same for records and for queries, whatever store holds them.

"Two dogs, 東京の夜" ─► two · dog · 東京 · 京の · の夜

A word is a run of letters and digits, folded (`_text.forms`) and cut to its English stem; in Chinese,
Japanese and Korean it is each pair of neighbouring characters, as in Lucene's CJK analyzer, because nothing
stands between their words. A record has each single character as well, so that one alone can be asked for.

What is changed here changes what indexes hold: count `_core.types.KEPT_AS` up, and see `former_words`.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from esclip._concurrency.forks import run_in_children
from esclip._core.types import GeoPoint, ImageRecord, Metadata
from esclip._text.forms import folded

__all__ = ["analyze_document", "analyze_query", "analyze_record", "former_words"]

CJK = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3100-\u318f\u31a0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Unicode's blocks of Han characters, kana, bopomofo and hangul."""

INDIC = "\u0900-\u0dff"
"""Scripts of India, whose vowel signs are no letters to Python."""

_RUN = re.compile(rf"(?:[^\W_]+|[{INDIC}]+)+")
_PLAIN_RUN = re.compile("[a-z0-9]+")
"""The same in ASCII, in half the time."""
_WITHIN = re.compile(rf"(?P<cjk>[{CJK}]+)|[^{CJK}]+")

LONGEST = 64
"""Characters of a word that count: behind them it is no word of a language, but a token of a machine."""

MOST = 256
"""Words of a query: an engine takes 1,024 at most, and a book is none."""

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
"""English words that say nothing by themselves: those of Lucene's `EnglishAnalyzer`."""


def analyze_query(text: str) -> tuple[str, ...]:
    """The words of a query, each once, in their order, 256 at most; stop words only without others."""
    words = (word for run in _runs(text) for word in _within(run, singles=False))
    found = tuple(dict.fromkeys(words))
    return (tuple(word for word in found if word not in _stop_stems()) or found)[:MOST]


def former_words(text: str) -> dict[str, str]:
    """Words of a query as records have them that were written when `KEPT_AS` was 2, where that differs.

    Strokes and such were kept then: it was `tromsø`. So an index is searched as before until an ingest has
    written it anew.
    """
    if text.isascii():
        return {}
    now, before = _split(folded(text)), _split(_formerly_folded(text))
    if len(now) != len(before):  # what is a mark was taken for a gap
        return {}
    found: dict[str, str] = {}
    for run, former_run in zip(now, before, strict=True):
        words, former = (list(_within(one, singles=False)) for one in (run, former_run))
        if words != former and len(words) == len(former):
            found.update(zip(words, former, strict=True))
    return found


def analyze_record(record: ImageRecord) -> list[str]:
    """All words of a record, sorted, each once: of its description and of every text in its metadata."""
    return sorted(analyze_document(record.description, record.all_metadata))


def analyze_document(description: str, metadata: Metadata) -> set[str]:
    """The words of a description and of every text in the metadata."""
    runs = set(_runs("\n".join(_texts(description, metadata))))
    plain = {run[:LONGEST] for run in runs if run.isascii()}  # nearly all: by the hundred, for each record
    return set(map(_stem, plain)).union(*(_within(run, singles=True) for run in runs if not run.isascii()))


def _texts(description: str, metadata: Metadata) -> Iterator[str]:
    yield description
    for value in metadata.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple) and not isinstance(value, GeoPoint):
            yield from value


def _runs(text: str) -> list[str]:
    """Letters and digits that nothing stands between, folded."""
    return _split(folded(text))


def _split(text: str) -> list[str]:
    return (_PLAIN_RUN if text.isascii() else _RUN).findall(text)


def _within(run: str, *, singles: bool) -> Iterable[str]:
    """The words in letters and digits that nothing stands between."""
    if run.isascii():
        return (_stem(run[:LONGEST]),)
    return (
        word
        for part in _WITHIN.finditer(run)
        for word in (_pairs(part[0], singles) if part["cjk"] else (_stem(part[0][:LONGEST]),))
    )


def _pairs(characters: str, singles: bool) -> Iterator[str]:
    yield from (characters[at : at + 2] for at in range(len(characters) - 1))
    if singles or len(characters) == 1:
        yield from characters


def _formerly_folded(text: str) -> str:
    """As `folded` was: only accents were taken away, and only of letters that Unicode takes apart."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFKC", re.sub("[\u0300-\u036f]", "", apart))


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    """The English stem (Porter 2). Words of other languages change little, and alike on both sides."""
    if not (word.isascii() and word.isalpha()):
        return word
    with _LOCK:  # a stemmer holds the word that it is at
        stem: str = _stemmer().stemWord(word)
        return stem


_LOCK = threading.Lock()


def _renew() -> None:
    global _LOCK
    _LOCK = threading.Lock()


run_in_children(_renew)


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")


@lru_cache(maxsize=1)
def _stop_stems() -> frozenset[str]:
    return frozenset(map(_stem, STOP_WORDS))
