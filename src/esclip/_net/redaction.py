"""Redacts secrets in responses: some servers repeat a request with its credentials.

response of any status ─► has no secret's bytes ─► unchanged
                       └► JSON ─► text by text, users' documents with care ─► JSON
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

from esclip._errors.secrets import HIDDEN, drop_frames
from esclip._net.session import causes

MIN_LENGTH = 8
"""Shorter secrets may be parts of words: they are redacted only as whole words."""

DOCUMENTS = frozenset(
    {"_source", "_id", "_index", "sort", "matched_queries", "mappings", "settings", "fields"}
)
"""JSON keys of users' data, in which a word may be equal to a password."""
NAMES = frozenset({"type"})
"""JSON keys of an engine's own names, which are compared."""


def with_base64(secret: str) -> tuple[str, ...]:
    """The secret as it is, and in the base64 forms of headers."""
    data = _bytes(secret)
    forms = (b64encode(data).decode(), urlsafe_b64encode(data).decode())
    return (secret, *forms, *(form.rstrip("=") for form in forms))


class Redactor:
    """Redacts secrets in texts and responses of a server.

    A secret that can't be anything else, such as the base64 of user and password, is redacted everywhere. One
    that may be a word, as bad passwords are, stays in users' documents, which must not change.
    """

    def __init__(self, words: Iterable[str], sure: Iterable[str] = ()) -> None:
        """`sure` are secrets that can't be anything else, unless they are too short."""
        words, sure = set(filter(None, words)), set(filter(None, sure))
        self._all = words | sure
        self._long = {secret for secret in self._all if len(secret) >= MIN_LENGTH}
        self._certain = {secret for secret in self._long if secret in sure or _is_no_word(secret)}
        forms = {form for secret in self._all for form in _forms(secret)}
        self._marks: list[bytes] = []
        for mark in sorted(map(_bytes, forms | {_escape(form) for form in forms}), key=len):
            if not self.has(mark):  # none that has another as a part: all are searched in every response
                self._marks.append(mark)

    def has(self, data: bytes) -> bool:
        """Whether the data may have any of the secrets."""
        return any(mark in data for mark in self._marks)

    def text(self, text: str) -> str:
        """A message without the secrets."""
        return self._alone(self._in_text(text)) if self.has(_bytes(text)) else text

    def answer(self, data: bytes) -> bytes:
        """A response's body, JSON or not, without the secrets. Nearly always it has none."""
        if not self.has(data):
            return data
        try:
            return orjson.dumps(self._redact(orjson.loads(data), self.text))
        except orjson.JSONDecodeError:
            return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def failure(self, error: Exception) -> Exception:
        """A request's exception, without secrets in its message and in its frames' locals."""
        drop_frames(error)
        repeats = any(self.text(str(cause)) != str(cause) for cause in causes(error))
        return ProtocolError("the response is no HTTP") if repeats else error

    @cached_property
    def _everywhere(self) -> Callable[[str], str]:
        return _redactor_of(self._certain)

    @cached_property
    def _in_text(self) -> Callable[[str], str]:
        return _redactor_of(self._certain | self._long)

    @cached_property
    def _alone(self) -> Callable[[str], str]:
        return _redactor_of(self._all - self._certain, alone=True)

    def _redact(self, value: Any, redact: Callable[[str], str]) -> Any:
        match value:
            case str():
                return redact(value)
            case list():
                return [self._redact(item, redact) for item in value]
            case dict():
                return {
                    self._everywhere(key): self._redact(item, self._function_for(key, redact))
                    for key, item in value.items()
                }
            case _:
                return value

    def _function_for(self, key: str, outer: Callable[[str], str]) -> Callable[[str], str]:
        """The function that redacts the values of a key."""
        if key in DOCUMENTS or outer == self._everywhere:
            return self._everywhere
        if key in NAMES:
            return lambda text: self._alone(self._everywhere(text))
        return outer


def _is_no_word(secret: str) -> bool:
    kinds = (str.islower, str.isupper, str.isdecimal, lambda char: not char.isalnum())
    return sum(any(map(kind, secret)) for kind in kinds) >= 3


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _forms(secret: str) -> set[str]:
    """The notations of a secret in a response."""
    escaped = _escape(secret)
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


def _escape(text: str) -> str:
    return json.dumps(text)[1:-1]


def _redactor_of(secrets: Iterable[str], *, alone: bool = False) -> Callable[[str], str]:
    forms = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
    if not forms:
        return str
    pattern = "|".join(map(re.escape, forms))
    if alone:
        pattern = rf"(?<!\w)(?:{pattern})(?!\w)"
    return partial(re.compile(pattern).sub, HIDDEN)
