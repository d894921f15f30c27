"""The three seams: where pictures come from, what encodes them, and what holds their vectors.

A new source, encoder or store is one file that fulfils one of these, and one test class that inherits the
contract in `tests/contracts/`. Nothing else in esclip knows which implementation it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from PIL import Image

from esclip._core.rejections import Rejection
from esclip._core.schema import Field, IndexInfo, IndexSchema, Space
from esclip._core.searches import Search
from esclip._core.types import Document, Fingerprint, Hit, ImageRecord, Pixels, Vector, Vectors

__all__ = ["Encoder", "Source", "Store"]


class Source(Protocol):
    """Where records come from."""

    @property
    def fields(self) -> Sequence[Field]:
        """The metadata fields that its records may have, with their types."""
        ...

    def total(self) -> int | None:
        """How many records `records` will give, where that is cheap to know."""
        ...

    def records(self) -> Iterator[ImageRecord | Rejection]:
        """All records, in the source's order, the same each time; a row that can't be read is a `Rejection`.

        Memory stays bounded whatever the number of records. An id that comes twice is given twice, the
        second time as a record again: the pipeline keeps the first. Closing the iterator frees all it holds.

        Raises `SourceError` when the source as a whole can't be read, and may raise `CancelledError` once
        `_concurrency.cancellation.current` is set: it is no longer wanted.
        """
        ...

    def passed_over(self) -> Mapping[str, int]:
        """How much the last walk over `records` has left out so far, by kind: files that are no pictures."""
        ...

    def covers(self, location: str) -> bool:
        """Whether a document at this location is one of this source's, be its record still there or not."""
        ...


class Encoder(Protocol):
    """Pictures and texts into one vector space."""

    @property
    def space(self) -> Space:
        """The space of its vectors, with what made them."""
        ...

    @property
    def runtime(self) -> str:
        """What computes its pictures' vectors, in a few words, kept as provenance: `OpenVINO bf16 on cpu`.

        May load the model. Vectors of one space can be compared whichever runtime computed them.
        """
        ...

    @property
    def useful_side(self) -> int | None:
        """The short side in pixels beyond which a picture's vector hardly gains; None: use all there are.

        A picture may be scaled down so far while it is decoded.
        """
        ...

    @property
    def encode_concurrency(self) -> int:
        """How many calls of `encode_images` at a time keep it busy."""
        ...

    @property
    def logit_scale(self) -> float:
        """What the model multiplies cosines by before its softmax: for the probabilities of labels."""
        ...

    def preprocess(self, image: Image.Image) -> Pixels:
        """One RGB picture as `encode_images` wants it. Needs no model; safe from several threads."""
        ...

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """Preprocessed pictures as unit rows, shape (n, dim), float32; NaN in a row that has no direction.

        Safe from several threads.
        """
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Texts as unit rows, shape (n, dim), float32. Safe from several threads."""
        ...


class Store(Protocol):
    """One kNN index of documents, compared by cosine. Safe from several threads.

    Raises `StoreUnavailable` when it can't be reached, `IndexNotFound` when its index is not there (except
    `schema`, `info` and `ensure_index`), `IndexExists` when the name is taken by what esclip did not make.
    """

    @property
    def address(self) -> str:
        """The store as a user names it, without credentials."""
        ...

    @property
    def index(self) -> str:
        """The index's name."""
        ...

    @property
    def write_concurrency(self) -> int:
        """How many calls of `upsert` at a time keep it busy."""
        ...

    def schema(self) -> IndexSchema | None:
        """What the index remembers, in one request at most; None when there is no such index."""
        ...

    def info(self) -> IndexInfo | None:
        """What the index holds, every acknowledged write counted; None when there is no such index."""
        ...

    def ensure_index(self, schema: IndexSchema) -> None:
        """Make the index, or add the fields and runtimes that it lacks. Never changes what is there.

        Raises `IndexMismatch` when the index holds a field with another type, another dimension, or compares
        by anything but the cosine. That the space is the same is the caller's to check (`info`).
        """
        ...

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        """What is held of these ids, every acknowledged write included; ids not held are left out."""
        ...

    def upsert(self, documents: Sequence[Document]) -> list[Rejection]:
        """Write documents, each replacing the one with its id. Returns those that were refused, and why."""
        ...

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """Replace all of these documents but their vectors. Returns those refused, and why."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Remove the documents with these ids; one that isn't held is no error."""
        ...

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        """The vectors of pictures whose bytes are held already, by `Document.content`.

        What was written since the last `bulk_load` was left may be missing.
        """
        ...

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        """Id and location of every document, as they were when the last `bulk_load` was left."""
        ...

    def bulk_load(self) -> AbstractContextManager[None]:
        """A time of many writes. On leaving, also by an error, all that was written can be found, fast.

        By a `KeyboardInterrupt`: found, and left within seconds, at the cost of speed until the next time.
        """
        ...

    def search(self, *searches: Search) -> list[list[Hit]]:
        """The hits of each search, in their order; many at once take less time than one after the other.

        Best first, ties by id, ranks from 1; fewer than k only when fewer match. `KnnSearch` compares the
        nearest of a vector index, or all vectors where that gives too few or the search is to be exact.
        Raises `IndexMismatch` for a vector of another dimension, `ConfigError` for conditions that are wider
        or deeper than all stores can answer: see `_core.filter_limits.simplify`, which makes them flat.
        """
        ...

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """Those of these documents that are held, with their vectors, every acknowledged write included."""
        ...

    def open_other(self, index: str) -> Store:
        """The store of another index at the same place, there or not; to be closed by itself."""
        ...

    def drop(self) -> None:
        """Remove the index and all that it holds. Raises `IndexNotFound` when it isn't there."""
        ...

    def close(self) -> None:
        """Free connections and files. Twice is harmless."""
        ...
