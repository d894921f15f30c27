"""What one index is kept in: stores of its pictures, of their parts, of its texts; a ledger of rejections.

the name that was given ─► an alias? ─► pictures ─┬─► parts, texts: indexes beside it, opened when needed
                                                  └─► ledger

Each is opened once and closed with the others, and is of the same index wherever an alias points later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from threading import Lock

from esclip._concurrency.forks import renew_in_children
from esclip._core.parts import holds_parts, parts_index
from esclip._core.rejections import LedgerEntry
from esclip._core.schema import IndexInfo, IndexSchema
from esclip._core.texts import holds_texts, is_companion, texts_index
from esclip._errors import ConfigError, Hint, IndexExists, IndexNotFound, StoreUnavailable
from esclip._errors.counts import pluralize
from esclip._files.paths import is_below, location_of
from esclip._ingest.ledger import Ledger, ledger_path
from esclip._protocols import Store
from esclip.stores.several import SeveralIndexes, several_are_read_only
from esclip.stores.suggestions import missing_index

SCHEMA_SECONDS = 5.0
"""For which the schema of an index is kept between searches."""


class IndexStores:
    """The stores of an index, and its ledger. Thread-safe. After `close` every use raises `ConfigError`."""

    def __init__(self, named: Store) -> None:
        """Open nothing yet."""
        self.named = named
        """The store of the name that was given, which may be an alias."""
        self.is_closed = False
        self._pictures: Store | None = None
        self._ledger: Ledger | None = None
        self._others: dict[str, Store] = {}
        self._schema: IndexSchema | None = None
        self._schema_until = 0.0
        self._lock = Lock()
        renew_in_children(self)

    @property
    def pictures(self) -> Store:
        """The store of pictures, of one index from its first use on. All use of an index begins here."""
        self.require_open()
        if self._pictures is None:
            resolved = self.named.resolve_alias()
            with self._lock:
                self._pictures = self._pictures or resolved
            if resolved not in (self._pictures, self.named):  # another thread was faster
                resolved.close()
        return self._pictures

    @property
    def ledger(self) -> Ledger:
        """The ledger of rejections, which all that writes needs.

        Raises `ConfigError` when the index stands for several.
        """
        self.require_one()
        if self._ledger is None:
            try:
                index = self.pictures.index
            except StoreUnavailable:  # what was rejected can be read while a server is away
                index = self.named.index
                if not Ledger(ledger_path(self.named.address, index)).exists():
                    raise
            with self._lock:
                path = ledger_path(self.named.address, index)
                self._ledger = self._ledger or Ledger(path)
        return self._ledger

    def parts(self) -> Store:
        """The parts index, there or not."""
        return self._open_other(parts_index)

    def texts(self) -> Store:
        """The index of texts, there or not."""
        return self._open_other(texts_index)

    def with_texts(self, schema: IndexSchema, pictures: Store | None = None) -> Store:
        """The store of all documents: of pictures, and of the texts that the index may have beside them."""
        pictures = pictures or self.pictures
        if not schema.texts:
            return pictures
        from esclip.stores.with_texts import StoreWithTexts

        return StoreWithTexts(pictures, self.texts, present=holds_texts(self.texts().schema()))

    def with_parts(self, schema: IndexSchema) -> Store:
        """The store of pictures, which removes the parts of documents with them."""
        from esclip._ingest.parts import StoreWithParts

        if not schema.parts or not holds_parts(self.parts().schema()):
            return self.pictures
        return StoreWithParts(self.pictures, self.parts(), schema.parts)

    def info(self) -> IndexInfo | None:
        """What the store says of the index and its texts together."""
        info = self.pictures.info()
        return self.with_texts(info.schema).info() if info and info.schema.texts else info

    def forget_schema(self) -> None:
        """Read the schema anew the next time: it may be another one now."""
        self._schema = None

    def has_left(self, path: str | Path, schema: IndexSchema | None, *, texts: bool) -> bool:
        """Whether a path has no pictures any more, and something is held of those that it had."""
        from esclip.sources import is_gone

        if not is_gone(path, texts=texts):
            return False
        root = location_of(path)
        store = self.with_parts(schema) if schema else None
        store = self.with_texts(schema, store) if schema and texts else store
        documents = (location for _, location in store.scan_locations()) if store else iter(())
        rejections = (location for _, _, location in self.ledger.locations())
        return any(is_below(location, root) for location in chain(documents, rejections))

    def require_open(self) -> None:
        """Raise `ConfigError` when the index is closed."""
        if self.is_closed:
            raise ConfigError("the index is closed; open it again with open_index")

    def require_one(self) -> None:
        """Raise `ConfigError` when the index is closed, or stands for several."""
        self.require_open()
        if isinstance(self.named, SeveralIndexes):
            raise several_are_read_only(self.named.index)

    def require_schema(self) -> IndexSchema:
        """The index's schema, kept for a while: another process may have added fields, parts or texts.

        Raises `IndexNotFound` when there is no index.
        """
        store, schema = self.pictures, self._schema
        if schema is None or time.monotonic() > self._schema_until:
            self._schema_until = time.monotonic() + SCHEMA_SECONDS  # first: other threads go on with the old
            self._schema = schema = store.schema()
        if schema is None:
            raise missing_index(self.pictures)
        return schema

    def require_info(self) -> IndexInfo:
        """What the store says of the pictures' index. Raises `IndexNotFound` when there is none."""
        info = self.pictures.info()
        if info is None:
            raise missing_index(self.pictures)
        return info

    def require_documents(self) -> None:
        """Raise `IndexNotFound` when the index is empty or gone; called only when there are no hits."""
        self.forget_schema()
        info = self.info()
        if info is None or info.documents == 0:
            raise missing_index(self.pictures, "is empty" if info else "does not exist")

    def require_texts(self) -> Store:
        """The index of texts, for searching. Raises `IndexNotFound` when it isn't there."""
        texts = self.texts()
        if not holds_texts(texts.schema()):
            raise IndexNotFound(
                f"index {self.pictures.index!r} in {self.pictures.address} has lost its texts: "
                f"{texts.index!r} is not there, or holds pictures of its own; search among pictures alone, "
                "or add the texts again"
            )
        return texts

    def require_parts(self) -> Store:
        """The parts index, for searching. Raises `IndexNotFound` when it isn't there."""
        parts = self.parts()
        if not holds_parts(parts.schema()):
            raise IndexNotFound(
                f"index {self.pictures.index!r} in {self.pictures.address} has lost its parts: "
                f"{parts.index!r} is not there, or holds pictures of its own; search without them, or drop "
                "the index and ingest anew"
            )
        return parts

    def own_schema(self) -> IndexSchema | None:
        """The schema of an index that may be written as one of pictures; None: there is none yet.

        Raises `IndexExists` as `require_own_pictures` does.
        """
        schema = self.pictures.schema()
        self.require_own_pictures(schema)
        return schema

    def require_own_pictures(self, schema: IndexSchema | None) -> None:
        """Raise `IndexExists` when this is where the parts or the texts of another index are kept."""
        if is_companion(schema):
            name = self.pictures.index
            of_parts = holds_parts(schema)
            whole = name.removesuffix(parts_index("") if of_parts else texts_index(""))
            contents = "the parts of the pictures" if of_parts else "the texts"
            raise IndexExists(
                f"index {name!r} in {self.pictures.address} holds {contents} of {whole!r}, and can't have "
                "pictures of its own",
                Hint.OTHER_INDEX,
            )

    def require_index_or_ledger(self) -> None:
        """Raise `IndexNotFound` for a name that nobody has used: it isn't an index without rejections."""
        if not self.ledger.exists():
            self.require_schema()

    def require_droppable(self, *, aliases: bool) -> None:
        """Raise `ConfigError` for an alias, for several, and without `aliases` for an index that has some.

        Raises `StoreError` for one that was adopted.
        """
        self.require_one()
        name, index = self.named.index, self.pictures.index
        if name != index:
            raise ConfigError(f"{name!r} is an alias of index {index!r}; drop that by its own name")
        if (info := self.pictures.info()) and info.adopted:
            self.pictures.drop()  # raises, before its parts are gone
        if (names := self.pictures.aliases()) and not aliases:
            listed = f"{pluralize(len(names), 'alias')}, {', '.join(map(repr, names))}"
            raise ConfigError(f"index {index!r} has {listed}; nothing was removed", Hint.ALIASES)

    def drop(self) -> None:
        """Remove the index with its parts, its texts and its ledger."""
        ledger, schema = self.ledger, self.pictures.schema()
        if schema and holds_parts(self.parts().schema()):
            self.parts().drop()  # first: what is dropped by halves still says that it has them
        (self.with_texts(schema) if schema else self.pictures).drop()
        self.forget_schema()
        ledger.remove()

    def until_closed(self, rejections: Iterator[LedgerEntry]) -> Iterator[LedgerEntry]:
        """The rejections; `ConfigError` once the index is closed, whose ledger would be opened again."""
        while self.ledger and (rejection := next(rejections, None)):
            yield rejection

    def renew(self) -> None:
        """Give a forked child a lock of its own."""
        self._lock = Lock()

    def close(self) -> None:
        """Close all that is open. Closing twice is harmless."""
        with self._lock:
            self.is_closed = True
        for store in (self.named, self._pictures, *self._others.values()):
            if store is not None:
                store.close()
        if self._ledger is not None:
            self._ledger.close()

    def _open_other(self, name: Callable[[str], str]) -> Store:
        """An index beside this one, by its name of this one's; opened once."""
        store = self.pictures
        index = name(store.index)
        with self._lock:
            if index not in self._others:
                self._others[index] = store.open_other(index)
            return self._others[index]
