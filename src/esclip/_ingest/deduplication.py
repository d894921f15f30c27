"""Pictures of the same bytes under several names: encoded once, written for each.

fetched ─► in the index already? ─► its vector
        ├► under way?            ─► waits for the one that is, and shares its vectors or its rejection
        └► else                  ─► decode, encode
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from enum import Enum
from threading import Lock

from esclip._core.types import Document, ImageRecord

__all__ = ["ContentDeduplicator", "Lookup"]

REMEMBERED = 4096
"""Vectors of this run that are kept for copies to come, 2 kB each: a store may not find them yet."""

MOST_WAITING = 256
"""Copies that wait for one: its batch may be long in filling, and further copies help to fill it."""


class Lookup(Enum):
    """What is to be done with a picture whose vector isn't known."""

    ENCODE = "encode"
    WAIT = "wait"


class ContentDeduplicator:
    """What is known of pictures by their bytes' fingerprint, for a run. Safe from several threads."""

    def __init__(self, vectors_each: int = 1) -> None:
        """Begin with nothing. A document has at most `vectors_each`."""
        self._lock = Lock()
        self._waiting: dict[str, list[ImageRecord]] = {}
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self._remembered = REMEMBERED // vectors_each

    def claim(self, content: str, record: ImageRecord) -> Document | Lookup:
        """The record's document, where these bytes have one; else whether to encode them, or to wait."""
        with self._lock:
            if (document := self._documents.get(content)) is not None:
                return replace(document, record=record)
            waiting = self._waiting.get(content)
            if waiting is None:
                self._waiting[content] = []
            elif len(waiting) < MOST_WAITING:
                waiting.append(record)
                return Lookup.WAIT
            return Lookup.ENCODE

    def settle(self, content: str, document: Document | None) -> list[ImageRecord]:
        """The records that waited, now that there is a document, or (None) that there will be none."""
        with self._lock:
            if document is not None:
                self._documents[content] = document
                if len(self._documents) > self._remembered:
                    self._documents.popitem(last=False)
            return self._waiting.pop(content, [])
