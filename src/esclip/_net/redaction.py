"""Secrets taken out of what servers say: some repeat a request, with the header that let it in.

answer of any status ─► no secret's bytes in it ─► as it is
                     └► JSON ─► text by text, a user's documents with care ─► JSON
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Any
from urllib.parse import quote, quote_plus

import orjson
from urllib3.exceptions import ProtocolError

from esclip._net.session import causes
from esclip._text.secrets import HIDDEN, drop_frames

__all__ = ["Redactor", "with_base64"]

LONG = 8
"""Shorter secrets are parts of ordinary words: they are hidden where they stand alone."""

DOCUMENTS = frozenset(
    {"_source", "_id", "_index", "sort", "matched_queries", "mappings", "settings", "fields"}
)
"""Keys of an answer's JSON below which are a user's own data: a password that is a word may stand there."""
NAMES = frozenset({"type"})
"""Keys whose values are names of an engine's own, which are compared."""


def with_base64(secret: str) -> tuple[str, ...]:
    """The secret as it is, and as headers carry it."""
    data = _bytes(secret)
    forms = (b64encode(data).decode(), urlsafe_b64encode(data).decode())
    return (secret, *forms, *(form.rstrip("=") for form in forms))


class Redactor:
    """Takes secrets out of what a server says.

    A secret that can't be anything else, such as the base64 of user and password, is taken out everywhere.
    One that may be a word too, as bad passwords are, stays in a user's documents: they must not change.
    """

    def __init__(self, words: Iterable[str], sure: Iterable[str] = ()) -> None:
        """`sure` are those that can't be anything else, if they are not too short."""
        words, sure = set(filter(None, words)), set(filter(None, sure))
        self._all = words | sure
        self._certain = {one for one in self._all if len(one) >= LONG and (one in sure or _is_no_word(one))}
        forms = {form for one in self._all for form in _forms(one)}
        self._marks: list[bytes] = []
        for mark in sorted(map(_bytes, forms | {_escaped(form) for form in forms}), key=len):
            if not self.has(
                mark
            ):  # each is looked for in every answer: no two where one is part of the other
                self._marks.append(mark)

    def has(self, data: bytes) -> bool:
        """Whether any of the secrets may stand in the data."""
        return any(mark in data for mark in self._marks)

    def text(self, text: str) -> str:
        """Words for people, without the secrets."""
        return self._alone(self._in_text(text)) if self.has(_bytes(text)) else text

    def answer(self, data: bytes) -> bytes:
        """An engine's answer, JSON or not, without the secrets. Nearly always it has none."""
        if not self.has(data):
            return data
        try:
            return orjson.dumps(self._walked(orjson.loads(data), self.text))
        except orjson.JSONDecodeError:
            return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def failure(self, error: Exception) -> Exception:
        """A failure to get an answer, without the secrets that its words or its frames' locals have."""
        drop_frames(error)
        repeats = any(self.text(str(one)) != str(one) for one in causes(error))
        return ProtocolError("what came is no HTTP") if repeats else error

    @cached_property
    def _everywhere(self) -> Callable[[str], str]:
        return _finder(self._certain)

    @cached_property
    def _in_text(self) -> Callable[[str], str]:
        return _finder(self._certain | {one for one in self._all if len(one) >= LONG})

    @cached_property
    def _alone(self) -> Callable[[str], str]:
        return _finder(self._all - self._certain, alone=True)

    def _walked(self, value: Any, clean: Callable[[str], str]) -> Any:
        match value:
            case str():
                return clean(value)
            case list():
                return [self._walked(one, clean) for one in value]
            case dict():
                return {
                    self._everywhere(key): self._walked(one, self._cleaner(key, clean))
                    for key, one in value.items()
                }
            case _:
                return value

    def _cleaner(self, key: str, around: Callable[[str], str]) -> Callable[[str], str]:
        """How what stands below a key is cleaned."""
        if key in DOCUMENTS or around == self._everywhere:
            return self._everywhere
        if key in NAMES:
            return lambda text: self._alone(self._everywhere(text))
        return around


def _is_no_word(secret: str) -> bool:
    kinds = (str.islower, str.isupper, str.isdecimal, lambda char: not char.isalnum())
    return sum(any(map(kind, secret)) for kind in kinds) >= 3


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _forms(secret: str) -> set[str]:
    """How a secret may be spelled in an answer."""
    escaped = _escaped(secret)
    return {
        secret,
        escaped,
        escaped.replace("/", "\\/"),
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(str(secret))[1:-1],
        html.escape(secret),
        quote(secret, safe="", errors="surrogatepass"),
        quote_plus(secret, errors="surrogatepass"),
    }


def _escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def _finder(secrets: Iterable[str], *, alone: bool = False) -> Callable[[str], str]:
    forms = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
    if not forms:
        return str
    pattern = "|".join(map(re.escape, forms))
    if alone:
        pattern = rf"(?<!\w)(?:{pattern})(?!\w)"
    return partial(re.compile(pattern).sub, HIDDEN)
