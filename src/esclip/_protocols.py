"""The three seams: sources of records, encoders, stores of vectors.

A new source, encoder or store is one file that fulfils one of these, and one test class that inherits its
contract from `esclip.testing`; docs/how-to/extending.md has an example of each. Nothing else in esclip knows
which implementation it has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import chain
from threading import Event
from typing import Any, Protocol, Self

import numpy as np
from PIL import Image

from esclip._core.facet_counting import NO_SPANS, Column, Spans, columns_of, count_facets
from esclip._core.facets import Facets
from esclip._core.filters import Condition
from esclip._core.rejections import Rejection, Stage, reject
from esclip._core.schema import Field, IndexInfo, IndexSchema, Space
from esclip._core.searches import Scan, Search
from esclip._core.types import Fingerprint, Hit, ImageRecord, Pixels, StoredDocument, Vector, Vectors
from esclip._errors import ConfigError
from esclip._errors.escaping import escape
from esclip._errors.reasons import Reason
from esclip._errors.secrets import mask

NOT_STORED = "no document has this id"
"""Why a record is rejected that `Store.update` has no document for."""

SCAN_PAGE = 1000
"""Hits per request of the default scans."""


class Source(ABC):
    """Reads records. Used by one thread at a time.

    A class that inherits from it writes `fields` and `records`; the other methods have defaults.
    """

    @property
    @abstractmethod
    def fields(self) -> Sequence[Field]:
        """The metadata fields that its records may have, with their types."""

    @abstractmethod
    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """Read all records in a fixed order, in bounded memory. Closing the iterator frees what it holds.

        Args:
            cancelled: Set when the records are no longer wanted; for a source that takes long over one.

        Returns:
            A `Rejection` for a row that can't be read. A repeated id is given again: the pipeline keeps the
            first.

        Raises:
            SourceError: The source as a whole can't be read.
            CancelledError: `cancelled` is set. Raising it is optional.
        """

    def covers(self, location: str) -> bool:
        """Tell whether a document belongs to this source, whether its record still exists or not.

        By default none does, so that pruning removes nothing.

        Args:
            location: The document's `ImageRecord.location`: a URL or an absolute path.
        """
        return False

    def total(self) -> int | None:
        """Count the records that `records` will give; None, the default, where that takes long."""
        return None

    def passed_over(self) -> Mapping[str, int]:
        """Count by kind what the last iteration has left out so far: files that are no pictures."""
        return {}


class Encoder(Protocol):
    """Encodes pictures and texts as vectors of one space. Thread-safe."""

    @property
    def space(self) -> Space:
        """The space of the vectors: model, weights, preprocessing, dimension."""

    @property
    def runtime(self) -> str:
        """What computes pictures' vectors, kept as provenance: `OpenVINO bf16 on cpu`. May load the model.

        Vectors of one space are comparable whichever runtime computed them.
        """

    @property
    def useful_side(self) -> int | None:
        """The short side in pixels above which a picture's vector hardly gains; None: no such limit.

        A decoder may scale a picture down to it.
        """

    @property
    def encode_concurrency(self) -> int:
        """The number of concurrent calls of `encode_images` that keep the encoder busy."""

    @property
    def logit_scale(self) -> float:
        """The factor of cosines before the model's softmax, for probabilities of labels."""

    def preprocess(self, image: Image.Image) -> Pixels:
        """Prepare a picture for `encode_images`. Needs no model.

        Args:
            image: In RGB mode, of any size.

        Returns:
            An array whose shape and type are the encoder's own.
        """

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """Encode preprocessed pictures.

        Args:
            batch: Results of `preprocess`.

        Returns:
            Rows of unit length, shape (n, dim), float32; a row of NaN for a vector without direction.

        Raises:
            EncoderError: The model can't be loaded or used.
        """

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts in any language that the text model knows.

        Returns:
            Rows of unit length, shape (n, dim), float32.

        Raises:
            EncoderError: The model can't be loaded or used.
        """


class Store(ABC):
    """Keeps one kNN index of documents, compared by cosine. Thread-safe.

    A new store writes the abstract methods. The other methods work by these; a store overrides them where it
    can be faster.

    Every method raises `StoreUnavailable` when the store can't be reached and `IndexExists` when something
    that esclip did not make has the index's name, or an alias has it: then `resolve_alias` gives the store of
    the index that is meant. All but `schema`, `info`, `list_indexes`, `ensure_index` and those of aliases
    raise `IndexNotFound` when the index does not exist.

    Args:
        address: The store's address as a user names it, without credentials; kept as an attribute.
        index: The index's name; kept as an attribute.

    Attributes:
        write_concurrency: The number of concurrent calls of `upsert` that keep the store busy.
        table_rows: The number of documents that a call of `upsert_table` is best given.
        searches_remotely: Whether searches take the processors of other machines: then the next texts are
            encoded while it searches for those before.
    """

    write_concurrency = 1
    table_rows = 4096
    searches_remotely = False

    def __init__(self, address: str, index: str) -> None:
        self.address = address
        self.index = index

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {escape(self.index)!r} in {escape(mask(self.address))}>"

    @abstractmethod
    def info(self) -> IndexInfo | None:
        """Count documents, every acknowledged write included; None when the index does not exist."""

    @abstractmethod
    def ensure_index(self, schema: IndexSchema) -> None:
        """Create the index, or add missing fields and runtimes to it. Changes nothing else that exists, but
        for settings that can be changed in place.

        The caller checks that the spaces are equal.

        Raises:
            ConfigError: The store can't make an index of these settings. Nothing was made.
            IndexMismatch: The index has a field with another type, another dimension, a metric that isn't
                cosine, or a setting with another value that can't be changed.
        """

    @abstractmethod
    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        """Read fingerprints by id, every acknowledged write included. Missing ids are left out."""

    @abstractmethod
    def documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        """Read documents by id, with vectors, every acknowledged write included. Missing ids are left out."""

    @abstractmethod
    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        """Write documents, each replacing the one with its id.

        Returns:
            A rejection for each document that the store refused.
        """

    @abstractmethod
    def delete(self, ids: Sequence[str]) -> None:
        """Remove documents by id. Missing ids are no error."""

    @abstractmethod
    def search(self, *searches: Search) -> list[list[Hit]]:
        """Run searches, which is faster together than one by one.

        Returns:
            For each search its hits: best first or in the search's order, ties by id, ranks from 1. Fewer
            than k only when fewer match: `KnnSearch` falls back to comparing all vectors where its vector
            index gives too few.

        Raises:
            IndexMismatch: A vector has another dimension.
            ConfigError: Conditions are wider or deeper than every store can evaluate.
        """

    def facets(
        self,
        fields: Sequence[Field],
        where: Sequence[Condition] = (),
        limit: int = 20,
        spans: Spans = NO_SPANS,
    ) -> Facets:
        """Count what documents have in some fields. By default two scans of the documents, in bounded memory.

        Args:
            fields: Keywords, booleans, numbers and dates, each field once; the index may lack them.
            where: Conditions that the counted documents fulfil.
            limit: Number of values of each field, at most.
            spans: By names of fields, numbers between which ranges lie at least: so that those of several
                stores are the same.

        Returns:
            Facets with exact counts, of the documents that searches see, in the order of the fields.

        Raises:
            ConfigError: Conditions are wider or deeper than every store can evaluate.
        """

        def read(fields: Sequence[Field]) -> Iterator[tuple[int, list[Column]]]:
            for hits in self._scan_pages(tuple(where)):
                yield len(hits), columns_of([hit.metadata for hit in hits], fields)

        return count_facets(read, fields, limit, spans)

    @abstractmethod
    def open_other(self, index: str) -> Store:
        """Open the store of another index at the same address, existing or not. The caller closes it."""

    @abstractmethod
    def drop(self) -> None:
        """Remove the index with all its documents, and the aliases that point to it.

        Raises:
            IndexNotFound: The index does not exist.
        """

    def schema(self) -> IndexSchema | None:
        """Read the index's schema, in one request at most; None when the index does not exist."""
        info = self.info()
        return None if info is None else info.schema

    def list_indexes(self) -> Mapping[str, IndexInfo]:
        """Read the indexes that esclip made at the store's address, by name, and how large they are.

        Documents are counted as searches see them. What others made, and what can't be read, is left out.
        By default the store's own index, if it exists.

        Raises:
            StoreError: The store does not allow its indexes to be listed.
        """
        info = self.info()
        return {} if info is None else {self.index: info}

    def alias_target(self) -> str | None:
        """Read which index the store's name points to; None, the default, where the name is no alias.

        The index need not exist any more.

        Raises:
            StoreError: The alias is of several indexes, or of some of an index's documents.
        """
        return None

    def resolve_alias(self) -> Store:
        """Give this store, or where its name is an alias that of the index that it points to.

        The caller closes that one, too. It stays that of the same index wherever the alias points later.
        """
        target = self.alias_target()
        return self if target is None else self.open_other(target)

    def aliases(self) -> Sequence[str]:
        """Read the names of the aliases that point to the index, sorted. By default there are none."""
        return ()

    def point_alias(self, index: str) -> None:
        """Make the store's name an alias of an index at the same address, in place of what it points to.

        It points to one of the two at any moment.

        Args:
            index: The name of an index, not of an alias.

        Raises:
            IndexNotFound: There is no such index.
            IndexExists: The store's name is that of an index.
            ConfigError: The store has no aliases.
        """
        raise self._without_aliases()

    def rename(self, index: str, beside: Mapping[str, str]) -> None:
        """Give the index another name; the one it had becomes an alias of it.

        The documents are found by the store's name at any moment. A call that was killed is completed by
        another one, of this or of `point_alias`, or has changed nothing that searches see.

        Args:
            index: The new name, which is free; or that of a call that was killed.
            beside: New names by names of indexes that belong to it, and need not exist.

        Raises:
            IndexExists: The new name is taken.
            ConfigError: The store has no aliases.
        """
        raise self._without_aliases()

    def _without_aliases(self) -> ConfigError:
        return ConfigError(
            f"a store such as {escape(mask(self.address))} has no aliases; name the index itself"
        )

    def bulk_load(self, cancelled: Event | None = None) -> AbstractContextManager[None]:
        """Context manager: within it, many documents are written.

        What makes writes visible and searches fast may be postponed to the exit. After the exit, also after
        an exit by an exception, everything written is searchable.

        Args:
            cancelled: Any thread may set it. Then calls under way stop waiting for a busy store, and the exit
                takes seconds: what only makes searches faster is left to the next bulk load.
        """
        return nullcontext()

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """Replace documents but for their vectors and contents.

        Args:
            records: Records whose ids the index holds.

        Returns:
            A rejection for each record that the store refused.
        """
        documents = self.documents([record.id for record in records])
        missing = [
            reject(record, Stage.WRITE, Reason.WRITE_REJECTED, NOT_STORED)
            for record in records
            if record.id not in documents
        ]
        updated = [
            replace(documents[record.id], record=record) for record in records if record.id in documents
        ]
        return missing + self.upsert(updated)

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        """Read vectors by the fingerprint of pictures' bytes. By default a scan of the whole index.

        Args:
            contents: Values of `StoredDocument.content`.

        Returns:
            Vectors of shape (dim,), float32, unit length, by content. Writes since the last `bulk_load` may
            be missing.
        """
        wanted = set(contents)
        ids = {hit.content: hit.id for hit in self._scan() if hit.content in wanted} if wanted else {}
        return {document.content: document.vector for document in self.documents([*ids.values()]).values()}

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        """Iterate over id and location of all documents, as of the end of the last `bulk_load`."""
        return ((hit.id, hit.location) for hit in self._scan())

    def scan_vectors(self, where: Sequence[Condition] = ()) -> Iterator[tuple[list[str], Vectors]]:
        """Iterate over ids and vectors of all documents that fulfil all conditions, by pages of thousands.

        By default scans, and reads by id, of documents that searches see.

        Args:
            where: Conditions that the documents fulfil.

        Returns:
            Pages of ids, each once, and their vectors in rows. An index that does not change gives the same
            order again.

        Raises:
            ConfigError: Conditions are wider or deeper than every store can evaluate.
        """
        for hits in self._scan_pages(tuple(where)):
            documents = self.documents([hit.id for hit in hits])
            if documents:
                yield [*documents], np.stack([document.vector for document in documents.values()])

    def scan_tables(self) -> Iterator[Any]:
        """Iterate over all documents with all that the store holds of them, by pages of thousands.

        By default scans, and reads by id, of documents that searches see.

        Returns:
            Pages as a `pyarrow.Table` each, with the columns of `_core.document_tables.table_schema`. Each id
            comes once.
        """
        from esclip._core.document_tables import document_table

        schema = self.schema()
        for hits in self._scan_pages(()):
            ids = [hit.id for hit in hits]
            documents, fingerprints = self.documents(ids), self.fingerprints(ids)
            if schema is not None and documents:
                known = [
                    replace(document, record=replace(document.record, stored_as=fingerprints.get(id)))
                    for id, document in documents.items()
                ]
                yield document_table(known, schema)

    def upsert_table(self, table: Any) -> list[Rejection]:
        """Write the documents of a page of `scan_tables`, as `upsert` does, with their fingerprints.

        Args:
            table: A `pyarrow.Table`, in which each id comes once. Fields that the index lacks are left out,
                those that the table lacks are missing.

        Returns:
            A rejection for each document that the store refused.
        """
        from esclip._core.document_tables import table_documents

        schema = self.schema()
        return self.upsert(table_documents(table, schema)) if schema is not None else []

    def close(self) -> None:  # noqa: B027 - a store may have nothing to close
        """Free connections and files. Closing twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _scan(self) -> Iterator[Hit]:
        """Iterate over all documents as hits, ordered by id."""
        return chain.from_iterable(self._scan_pages(()))

    def _scan_pages(self, where: tuple[Condition, ...]) -> Iterator[list[Hit]]:
        """The same of documents that fulfil all conditions, by pages."""
        last_id = ""
        while hits := self.search(Scan(SCAN_PAGE, where, after=last_id))[0]:
            yield hits
            last_id = hits[-1].id
