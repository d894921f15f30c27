"""A handle on an index: open until it is closed, a context manager, a container of ids and hits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from threading import Lock
from types import TracebackType

from esclip._concurrency.forks import renew_in_children
from esclip._core.text_forms import is_unicode
from esclip._core.types import Hit
from esclip._errors import IndexNotFound


class IndexHandle(ABC):
    """An index that a program has open, in whichever way its documents are reached."""

    def __init__(self) -> None:
        self._lock = Lock()
        renew_in_children(self)

    @abstractmethod
    def close(self) -> None:
        """Free what it holds open."""

    @abstractmethod
    def _holds(self, id: str) -> bool:
        """Whether a document has this id. Raises `IndexNotFound` where there is no index."""

    def renew(self) -> None:
        """Give a forked child a lock of its own."""
        self._lock = Lock()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __bool__(self) -> bool:
        """True, also for an empty index: `if index` asks nobody for the number of its documents."""
        return True

    def __contains__(self, id: object) -> bool:
        """Whether a document has this id, or is this hit."""
        id = id.id if isinstance(id, Hit) else id
        with suppress(IndexNotFound):
            return isinstance(id, str) and is_unicode(id) and self._holds(id)
        return False
