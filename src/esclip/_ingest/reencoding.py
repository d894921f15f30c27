"""Opens an index as the source of another one, of another model; and names that other one.

old index ─► open_documents ─► IndexedSource ─► the pipeline of an ingest ─► new index
photos, photos-2 ─► find_target ─► photos-2 where that was begun with this model, else photos-3

An index that an alias points to is the one that searches use: its documents may go into all that were made of
each other, the ones that it was made of included. So an index that was left is up to date before it is gone
back to. Of another index, they may only go into what was made of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from esclip._core.index_settings import IndexSettings
from esclip._core.schema import IndexInfo, IndexSchema, Space
from esclip._core.texts import is_companion
from esclip._core.types import ImageRecord
from esclip._errors import ConfigError, Hint, IndexExists, one_line
from esclip._ingest.labels import LabelingSource, Labeller
from esclip._ingest.options import ReencodeOptions
from esclip._ingest.parts import PartsSource
from esclip._ingest.pruning import Pruning
from esclip._ingest.reading import Reading
from esclip._ingest.run import Target
from esclip._protocols import Source, Store
from esclip.encoders.unloaded import UnloadedEncoder
from esclip.sources.chain import ChainedSource
from esclip.sources.indexed import Derived, IndexedSource, Pictures
from esclip.stores import require_index_name
from esclip.stores.several import SeveralIndexes
from esclip.stores.suggestions import missing_index

_NUMBERED = re.compile(r"(.*?)-(\d{1,9})")


@dataclass(frozen=True, slots=True)
class IndexedDocuments:
    """The documents of one index, on their way into another one."""

    source: Source
    origin: str
    """Names them in the new index's ledger, and in questions."""
    _schema: IndexSchema
    _index: str
    _target: Store
    _settings: IndexSettings

    def require_other_space(self, space: Space) -> None:
        """Raise `ConfigError` where the new vectors would be those that there are."""
        if self._schema.space.same_as(space):
            raise ConfigError(
                f"index {self._index!r} has the vectors of {one_line(space.model, 200)} already: there is "
                "nothing to encode anew"
            )

    def reading(self, options: ReencodeOptions) -> Reading:
        """What a run of these options reads."""
        is_whole = options["limit"] is None
        removes = is_whole and not options["keep_deleted"]
        pruning = Pruning((self.origin,), options["confirm"], texts=True) if removes else None
        return Reading(self.source, self.origin if is_whole else None, pruning)

    def target(self, parts: Callable[[], Store], texts: Callable[[], Store]) -> Target:
        """The new index, with labels and parts as the old one has; these open the indexes beside it."""
        return Target(
            self._target,
            self._schema.label_set,
            self._schema.parts,
            self._settings,
            parts,
            texts,
            reencoded_from=self._index,
        )


def open_documents(
    store: Store,
    texts: Callable[[], Store],
    target: Store,
    present: IndexSchema | None,
    options: ReencodeOptions,
) -> IndexedDocuments:
    """The documents of the index of `store` for that of `target`, whose schema is `present`.

    `texts` opens the index of texts beside the first. Raises `IndexNotFound` where that isn't there,
    `IndexExists` and `ConfigError` where the second can't have its documents.
    """
    if isinstance(store, SeveralIndexes):
        raise ConfigError(f"{store.index!r} are several indexes: encode each anew by itself")
    schema = store.schema()
    if schema is None:
        raise missing_index(store)
    _require_target(store, target, present)
    images = options["images"]
    where = Pictures(Path(images) if images else None, options["trust"])
    source: Source = IndexedSource(store, texts() if schema.texts else None, _derived_of(schema), where)
    if options["limit"] is not None:
        source = ChainedSource([source], options["limit"])
    given_settings = IndexSettings.of(options)
    is_like = present is None and store.address == target.address
    settings = schema.settings.extended_by(given_settings) if is_like else given_settings
    return IndexedDocuments(source, f"index {store.index}", schema, store.index, target, settings)


def _derived_of(schema: IndexSchema) -> Derived:
    """What ingests into the index computed: said by the same steps that they went through."""
    record, nothing = ImageRecord("", "", "", ""), ChainedSource([], None)
    record = PartsSource(nothing, schema.parts).transform(record)
    if schema.label_set is None or not schema.label_set.labels:
        return Derived(record.derivation, frozenset())
    labeller = Labeller(UnloadedEncoder(schema.space), schema.label_set)
    record = LabelingSource(nothing, labeller).transform(record)
    return Derived(record.derivation, frozenset(field.name for field in labeller.fields))


def _require_target(source: Store, target: Store, present: IndexSchema | None) -> None:
    if (source.address, source.index) == (target.address, target.index):
        raise ConfigError(f"index {source.index!r} can't be encoded anew into itself", Hint.NEW_INDEX)
    if present is None:
        return
    if names := target.aliases():
        raise IndexExists(
            f"index {target.index!r} in {target.address} is in use: {', '.join(map(repr, names))} points to "
            "it; an ingest keeps it up to date",
            Hint.NEW_INDEX,
        )
    if not _has_documents_of(source, target, present):
        raise IndexExists(
            f"index {target.index!r} in {target.address} is there, and was not made of the documents of "
            f"{source.index!r}",
            Hint.NEW_INDEX,
        )


def _has_documents_of(source: Store, target: Store, present: IndexSchema) -> bool:
    """Whether an index of this schema was made of the documents of `source`, or may have them again."""
    if present.reencoded_from == source.index:
        return True
    return source.address == target.address and target.index in _relatives(source.list_indexes(), source)


def _relatives(infos: Mapping[str, IndexInfo], source: Store) -> set[str]:
    """The indexes that the documents of `source` may be written into, by another model."""
    origins = {
        name: info.schema.reencoded_from for name, info in infos.items() if not is_companion(info.schema)
    }
    if not source.aliases():
        return {name for name, origin in origins.items() if origin == source.index}
    found, previous = {source.index, origins.get(source.index, "")} - {""}, set[str]()
    while found != previous:
        previous = found
        more = {name for name, origin in origins.items() if origin in found}
        found = found | more | {origins[name] for name in found & origins.keys()} - {""}
    return found - {source.index}


def find_target(source: Store, space: Space) -> str:
    """The name of the index of `source`'s documents in this space: one that was begun, else the next free.

    Raises `IndexNotFound` where there is no source, `StoreError` where the store can't list its indexes.
    """
    infos = source.list_indexes()
    if source.index not in infos:
        raise missing_index(source)
    relatives = _relatives(infos, source)
    for name, info in infos.items():
        if name in relatives and info.schema.space.same_as(space):
            return name
    taken = {*infos, *(alias for info in infos.values() for alias in info.aliases)}
    match = _NUMBERED.fullmatch(source.index)
    stem, number = (match[1], int(match[2])) if match else (source.index, 1)
    while (name := f"{stem}-{(number := number + 1)}") in taken:
        pass
    require_index_name(name)
    return name
