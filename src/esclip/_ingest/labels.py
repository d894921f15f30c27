"""Labels at ingest: metadata computed from each picture's vector, beside what its source says.

    Source ─► LabelingSource ─► pipeline ─► LabelingStore ─► Store
              + fields,           as ever     + label, label_probability,
                recipe                          p_dog, p_cat, ...

The recipe is in a record's fingerprint, the labels are not: an index that was labelled in another way is
written anew, from the vectors that it holds, and one that was labelled so is skipped.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from threading import Lock

import numpy as np

from esclip._core.labels import LabelSet
from esclip._core.rejections import Rejection
from esclip._core.schema import Field, FieldType
from esclip._core.types import Document, ImageRecord, Metadata, MetadataValue, Vector, Vectors
from esclip._errors import ConfigError
from esclip._protocols import Encoder, Source, Store
from esclip.encoders.zero_shot import embed_labels, probabilities
from esclip.sources.wrapper import SourceWrapper
from esclip.stores.wrapper import StoreWrapper

__all__ = ["LabelingSource", "LabelingStore", "Labeller"]

LABEL = Field("label", FieldType.KEYWORD)
PROBABILITY = Field("label_probability", FieldType.FLOAT)

MAX_STORED = 100
"""Each is a field, of which an engine allows an index a thousand."""

DECIMALS = 6
"""Of a kept probability: what is behind them is rounding, and differs between batches."""


class Labeller:
    """Computes the labels of vectors. Safe from several threads."""

    def __init__(self, encoder: Encoder, labelling: LabelSet) -> None:
        """Raises `ConfigError` for too many labels, and for those whose fields would have the same name."""
        self._encoder = encoder
        self._labelling = labelling
        self._names = _field_names(labelling.labels)
        self._known: Vectors | None = None
        self._lock = Lock()

    @property
    def fields(self) -> tuple[Field, ...]:
        """What it adds to a record's metadata."""
        return (LABEL, PROBABILITY, *(Field(name, FieldType.FLOAT) for name in self._names))

    @property
    def recipe(self) -> str:
        """The same as long as the labels of a vector are: for labels, templates and text tower."""
        text_model = PurePath(self._encoder.space.text_model).name  # wherever it lies
        return hashlib.sha256(f"{self._labelling.digest} {text_model}".encode()).hexdigest()[:24]

    def metadata(self, vectors: Sequence[Vector]) -> list[Metadata]:
        """The labels of each vector, of which there is one at least."""
        rows = probabilities(np.stack(vectors), self._vectors(), self._encoder.logit_scale)
        return [self._fields_of(row) for row in rows.round(DECIMALS).tolist()]

    def _fields_of(self, row: list[float]) -> Metadata:
        best = max(range(len(row)), key=row.__getitem__)
        own: dict[str, MetadataValue] = {
            LABEL.name: self._labelling.labels[best],
            PROBABILITY.name: row[best],
        }
        return own | dict(zip(self._names, row, strict=True))

    def _vectors(self) -> Vectors:
        """Those of the labels, encoded when first needed: an ingest that finds nothing new loads no tower."""
        with self._lock:
            if self._known is None:
                self._known = embed_labels(self._encoder, self._labelling)
            return self._known


class LabelingSource(SourceWrapper):
    """A source whose records are to be labelled."""

    def __init__(self, source: Source, labeller: Labeller) -> None:
        super().__init__(source)
        self._labeller = labeller
        self._recipe = labeller.recipe

    @property
    def fields(self) -> Sequence[Field]:
        """The source's fields, and those of the labels."""
        return tuple(dict.fromkeys((*self.source.fields, *self._labeller.fields)))

    def changed(self, record: ImageRecord) -> ImageRecord:
        """With the recipe behind another that it may have."""
        return replace(record, derivation=f"{record.derivation} {self._recipe}")


class LabelingStore(StoreWrapper):
    """A store that is written to with labels."""

    def __init__(self, store: Store, labeller: Labeller) -> None:
        super().__init__(store)
        self._labeller = labeller

    def upsert(self, documents: Sequence[Document]) -> list[Rejection]:
        """With the labels of the documents' vectors."""
        return self.store.upsert(self._labelled(documents))

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """With the labels of the vectors that are held."""
        held = self.store.documents([record.id for record in records])
        known = [replace(held[record.id], record=record) for record in records if record.id in held]
        labelled = {document.record.id: document.record for document in self._labelled(known)}
        return self.store.update([labelled.get(record.id, record) for record in records])

    def _labelled(self, documents: Sequence[Document]) -> list[Document]:
        if not documents:
            return []
        labels = self._labeller.metadata([document.vector for document in documents])
        return [
            replace(document, record=replace(document.record, derived=derived))
            for document, derived in zip(documents, labels, strict=True)
        ]


def _field_names(labels: Sequence[str]) -> tuple[str, ...]:
    if len(labels) > MAX_STORED:
        raise ConfigError(
            f"{len(labels)} labels are too many to be kept: each is a field of the index; "
            f"give {MAX_STORED} at most"
        )
    names: dict[str, str] = {}
    for label in labels:
        word = re.sub(r"\W+", "_", unicodedata.normalize("NFC", label.lower())).strip("_")
        if not word:
            raise ConfigError(f"label {label!r} can't name a field: it has no letter and no digit; reword it")
        if word in names:
            raise ConfigError(
                f"labels {names[word]!r} and {label!r} would both be kept as p_{word}; reword one"
            )
        names[word] = label
    return tuple(f"p_{word}" for word in names)
