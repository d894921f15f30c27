"""Pictures of the same bytes under several names: encoded once, written for each.

fetched ─► in the index already? ─► its vector
        ├► under way?            ─► waits for the one that is, and shares its vector or its rejection
        └► else                  ─► decode, encode
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum
from threading import Lock

from esclip._types import ImageRecord, Vector

__all__ = ["Claim", "Copies"]

REMEMBERED = 4096
"""Vectors of this run that are kept for copies to come, 2 kB each: a store may not find them yet."""

MOST_WAITING = 256
"""Copies that wait for one: its batch may be long in filling, and further copies help to fill it."""


class Claim(Enum):
    """What is to be done with a picture whose vector isn't known."""

    ENCODE = "encode"
    WAIT = "wait"


class Copies:
    """What is known of pictures by their bytes' fingerprint, for a run. Safe from several threads."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = Lock()
        self._waiting: dict[str, list[ImageRecord]] = {}
        self._vectors: OrderedDict[str, Vector] = OrderedDict()

    def claim(self, content: str, record: ImageRecord) -> Vector | Claim:
        """The vector, where these bytes have one by now; else whether to encode them, or to wait."""
        with self._lock:
            if (vector := self._vectors.get(content)) is not None:
                return vector
            waiting = self._waiting.get(content)
            if waiting is None:
                self._waiting[content] = []
            elif len(waiting) < MOST_WAITING:
                waiting.append(record)
                return Claim.WAIT
            return Claim.ENCODE

    def settle(self, content: str, vector: Vector | None) -> list[ImageRecord]:
        """The records that waited, now that there is a vector, or (None) that there will be none."""
        with self._lock:
            if vector is not None:
                self._vectors[content] = vector
                if len(self._vectors) > REMEMBERED:
                    self._vectors.popitem(last=False)
            return self._waiting.pop(content, [])
