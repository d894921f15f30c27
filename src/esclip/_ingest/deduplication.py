"""Pictures of the same bytes under several names: encoded once, written for each.

fetched ─► encoded before in this run? ─► its vectors
        ├► being encoded?              ─► waits for it, and shares its vectors or its rejection
        └► else                        ─► decode, encode
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum
from threading import Lock

from esclip._core.types import ImageRecord, StoredDocument
from esclip._ingest.stages import Encoded

CACHE_SIZE = 4096
"""Vectors of this run in memory, 2 kB each: a store may not find them yet."""

MAX_WAITING = 256
"""Records waiting for one picture: its batch may take long to fill, and further copies help to fill it."""


class Lookup(Enum):
    """What to do with a picture without a known vector."""

    ENCODE = "encode"
    WAIT = "wait"


class ContentDeduplicator:
    """The pictures of a run by their bytes' fingerprint. Safe from several threads."""

    def __init__(self, vectors_each: int = 1) -> None:
        """A picture has at most `vectors_each`."""
        self._lock = Lock()
        self._waiting: dict[str, list[ImageRecord]] = {}
        self._encoded: OrderedDict[str, Encoded] = OrderedDict()
        self._cache_size = CACHE_SIZE // vectors_each

    def lookup(self, content: str, record: ImageRecord) -> StoredDocument | Lookup:
        """The record's document, where these bytes are encoded; else whether to encode them or to wait."""
        with self._lock:
            if (encoded := self._encoded.get(content)) is not None:
                return encoded.document_of(record)
            waiting = self._waiting.get(content)
            if waiting is None:
                self._waiting[content] = []
            elif len(waiting) < MAX_WAITING:
                waiting.append(record)
                return Lookup.WAIT
            return Lookup.ENCODE

    def resolve(self, content: str, encoded: Encoded | None) -> list[ImageRecord]:
        """Set what these bytes are encoded as; None: they aren't. Returns the records waiting for it."""
        with self._lock:
            if encoded is not None:
                self._encoded[content] = encoded
                if len(self._encoded) > self._cache_size:
                    self._encoded.popitem(last=False)
            return self._waiting.pop(content, [])
