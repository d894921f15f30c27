"""Several indexes of a store, searched as one: `photos,archive`. They are read, never written.

                   ┌─► index ─┐
SeveralIndexes ────┼─► index ─┼─► the best k of all, each id once
                   └─► index ─┘

Vectors of one space are comparable wherever they lie, so scores need no conversion. The weight of a word is
that of the document's own index, as it is of the document's shard in a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from itertools import chain
from typing import NoReturn, TypeVar

from esclip._core.calibration import merge_calibrations
from esclip._core.facet_counting import NO_SPANS, Spans
from esclip._core.facet_merging import merge_facets
from esclip._core.facets import Facets
from esclip._core.filters import Condition
from esclip._core.ordering import rank
from esclip._core.schema import Field, IndexInfo, IndexSchema, sum_known
from esclip._core.searches import Scan, Search
from esclip._core.settings import INDEX_SEPARATOR
from esclip._core.texts import texts_index
from esclip._core.types import Fingerprint, Hit, StoredDocument, Vectors, rank_hits
from esclip._errors import ConfigError, IndexMismatch
from esclip._protocols import Store
from esclip.stores import validation
from esclip.stores.suggestions import missing_index, require_schema

T = TypeVar("T")


class SeveralIndexes(Store):
    """The documents of several indexes. An id that several hold is found once, with its best score; what is
    read by id is of the index that is named first. Facets count the documents of each index.

    Every method raises `IndexNotFound` for an index that is not there. Methods that write raise
    `ConfigError`.
    """

    def __init__(self, stores: Sequence[Store], names: Sequence[str] = ()) -> None:
        """`stores` are closed with this one; `names` are what hits call their indexes, by default as they
        are named.
        """
        super().__init__(stores[0].address, INDEX_SEPARATOR.join(store.index for store in stores))
        self.stores = tuple(stores)
        self.names = tuple(names or [store.index for store in stores])
        self.searches_remotely = stores[0].searches_remotely

    def schema(self) -> IndexSchema:
        """What they have together: the fields of any, the parts that all have.

        Raises:
            IndexMismatch: Their vectors can't be compared, or a field has two types.
        """
        return self._merge(self._each(require_schema))

    def info(self) -> IndexInfo:
        """Documents and bytes of all."""
        infos = self._each(_require_info)
        segments = [info.largest_segment for info in infos if info.largest_segment is not None]
        return replace(
            infos[0],
            schema=self._merge([info.schema for info in infos]),
            documents=sum(info.documents for info in infos),
            bytes=sum_known(info.bytes for info in infos),
            shards=sum_known(info.shards for info in infos),
            largest_segment=max(segments, default=None),
            primary_bytes=sum_known(info.primary_bytes for info in infos),
        )

    def list_indexes(self) -> Mapping[str, IndexInfo]:
        """Of the address that all have."""
        return self.stores[0].list_indexes()

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        """Of the index named first that holds each."""
        return _first_wins(self._each(lambda store: store.fingerprints(ids)))

    def documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        """Of the index named first that holds each."""
        return _first_wins(self._each(lambda store: store.documents(ids)))

    def search(self, *searches: Search) -> list[list[Hit]]:
        """In all indexes at the same time; hits name their index."""
        answers = self._each(lambda store: store.search(*searches))
        named = [
            [[replace(hit, index=name) for hit in hits] for hits in answer]
            for name, answer in zip(self.names, answers, strict=True)
        ]
        return [_best_of(search, *hits) for search, *hits in zip(searches, *named, strict=True)]

    def facets(
        self,
        fields: Sequence[Field],
        where: Sequence[Condition] = (),
        limit: int = 20,
        spans: Spans = NO_SPANS,
    ) -> Facets:
        """Of the documents of each index."""
        return merge_facets([store.facets for store in self.stores], fields, where, limit, spans)

    def scan_vectors(self, where: Sequence[Condition] = ()) -> Iterator[tuple[list[str], Vectors]]:
        """Index by index."""
        for number, store in enumerate(self.stores):
            before = self.stores[:number]
            for ids, vectors in store.scan_vectors(where):
                seen = {id for other in before for id in other.fingerprints(ids)}
                rows = [row for row, id in enumerate(ids) if id not in seen]
                if rows:
                    yield [ids[row] for row in rows], vectors[rows]

    def open_other(self, index: str) -> Store:
        """What lies beside each index: its parts, or the texts of those that have some."""
        suffix = index.removeprefix(self.index)
        if not index.startswith(self.index):
            return self.stores[0].open_other(index)
        members = [*zip(self.stores, self.names, strict=True)]
        if index == texts_index(self.index):
            members = [member for member in members if require_schema(member[0]).texts]
        others = [store.open_other(store.index + suffix) for store, _ in members]
        return SeveralIndexes(others, [name for _, name in members])

    def alias_target(self) -> str | None:
        """The names with each alias replaced by its index; None where none is an alias."""
        targets = self._each(lambda store: store.alias_target())
        if not any(targets):
            return None
        named = zip(targets, self.stores, strict=True)
        return INDEX_SEPARATOR.join(target or store.index for target, store in named)

    def resolve_alias(self) -> Store:
        """The same with each alias replaced by its index; hits name the alias."""
        resolved = self._each(lambda store: store.resolve_alias())
        return self if resolved == [*self.stores] else SeveralIndexes(resolved, self.names)

    def point_alias(self, index: str) -> NoReturn:
        """Raise `ConfigError`."""
        raise several_are_read_only(self.index)

    def rename(self, index: str, beside: Mapping[str, str]) -> NoReturn:
        """Raise `ConfigError`."""
        raise several_are_read_only(self.index)

    def ensure_index(self, schema: IndexSchema) -> NoReturn:
        """Raise `ConfigError`."""
        raise several_are_read_only(self.index)

    def upsert(self, documents: Sequence[StoredDocument]) -> NoReturn:
        """Raise `ConfigError`."""
        raise several_are_read_only(self.index)

    def delete(self, ids: Sequence[str]) -> NoReturn:
        """Raise `ConfigError`."""
        raise several_are_read_only(self.index)

    def drop(self) -> NoReturn:
        """Raise `ConfigError`."""
        raise several_are_read_only(self.index)

    def close(self) -> None:
        """Close all."""
        for store in self.stores:
            store.close()

    def _each(self, call: Callable[[Store], T]) -> list[T]:
        """What a call returns of each index; they are asked at the same time, within the same scope."""
        contexts = [copy_context() for _ in self.stores]
        with ThreadPoolExecutor(len(self.stores), thread_name_prefix="esclip-index") as pool:
            return [*pool.map(lambda context, store: context.run(call, store), contexts, self.stores)]

    def _merge(self, schemas: Sequence[IndexSchema]) -> IndexSchema:
        merged = schemas[0]
        for name, schema in zip(self.names, schemas, strict=True):
            if conflict := _conflict(merged, schema):
                raise IndexMismatch(
                    f"indexes {self.names[0]!r} and {name!r} in {self.address} can't be searched together: "
                    f"{conflict}; search them one by one"
                )
            merged = validation.merge_schemas(merged, schema)
        parts = [part for part in merged.parts if all(part in schema.parts for schema in schemas)]
        calibration = merge_calibrations([schema.calibration for schema in schemas])
        return replace(merged, parts=tuple(parts), calibration=calibration)


def several_are_read_only(names: str) -> ConfigError:
    """The error that one of several indexes has to be named."""
    return ConfigError(f"{names!r} are several indexes, which can be searched only; name one of them")


def _conflict(one: IndexSchema, other: IndexSchema) -> str | None:
    """Why two indexes can't be searched together; None when they can."""
    if conflict := validation.schema_conflict(one, other):
        return conflict
    if one.space.same_as(other.space):
        return None
    return f"their vectors are of {one.space.describe()} and of {other.space.describe()}"


def _require_info(store: Store) -> IndexInfo:
    info = store.info()
    if info is None:
        raise missing_index(store)
    return info


def _first_wins(found: Sequence[Mapping[str, T]]) -> dict[str, T]:
    return {id: value for values in reversed(found) for id, value in values.items()}


def _best_of(search: Search, *hits: Sequence[Hit]) -> list[Hit]:
    """The first k of all, each id once: by score, or in the order of a scan."""
    found = rank_hits(chain.from_iterable(hits))
    once = {hit.id: hit for hit in reversed(found)}.values()
    return rank(once, search.order if isinstance(search, Scan) else None)[: search.k]
