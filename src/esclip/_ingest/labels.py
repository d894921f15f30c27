"""Labels at ingest: metadata computed from each picture's vector.

    Source ─► LabelingSource ─► pipeline ─► LabelingStore ─► Store
              + fields,           unchanged   + label, label_probability,
                derivation                      p_dog, p_cat, ...

The derivation is in a record's fingerprint, the labels are not: documents with other labels are updated from
the vectors in the index, those with the same labels are skipped.
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
from esclip._core.types import ImageRecord, Metadata, MetadataValue, StoredDocument, Vector, Vectors
from esclip._errors import ConfigError
from esclip._errors.counts import pluralize
from esclip._protocols import Encoder, Source, Store
from esclip.encoders.zero_shot import embed_labels, probabilities
from esclip.sources.wrapper import SourceWrapper
from esclip.stores.wrapper import StoreWrapper

LABEL = Field("label", FieldType.KEYWORD)
PROBABILITY = Field("label_probability", FieldType.FLOAT)

MAX_LABELS = 100
"""Each is a field, and engines allow an index a thousand."""

DECIMALS = 6
"""Of a stored probability: further ones are rounding errors, which differ between batches."""


class Labeller:
    """Computes the labels of vectors. Safe from several threads."""

    def __init__(self, encoder: Encoder, label_set: LabelSet) -> None:
        """Raises `ConfigError` for too many labels, and for those whose fields would have the same name."""
        self._encoder = encoder
        self._label_set = label_set
        self._names = _field_names(label_set.labels)
        self._label_vectors: Vectors | None = None
        self._lock = Lock()

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields added to a record's metadata."""
        return (LABEL, PROBABILITY, *(Field(name, FieldType.FLOAT) for name in self._names))

    @property
    def derivation(self) -> str:
        """Identifies labels, templates and text tower: with the same, a vector has the same labels."""
        text_model = PurePath(self._encoder.space.text_model).name  # in any folder
        return hashlib.sha256(f"{self._label_set.digest} {text_model}".encode()).hexdigest()[:24]

    def metadata(self, vectors: Sequence[Vector]) -> list[Metadata]:
        """The labels of each vector, at least one."""
        rows = probabilities(np.stack(vectors), self._vectors(), self._encoder.logit_scale)
        return [self._metadata_of(row) for row in rows.round(DECIMALS).tolist()]

    def _metadata_of(self, row: list[float]) -> Metadata:
        best = max(range(len(row)), key=row.__getitem__)
        metadata: dict[str, MetadataValue] = {
            LABEL.name: self._label_set.labels[best],
            PROBABILITY.name: row[best],
        }
        return metadata | dict(zip(self._names, row, strict=True))

    def _vectors(self) -> Vectors:
        """The labels' vectors, encoded on first use: an ingest without new pictures loads no text tower."""
        with self._lock:
            if self._label_vectors is None:
                self._label_vectors = embed_labels(self._encoder, self._label_set)
            return self._label_vectors


class LabelingSource(SourceWrapper):
    """A source that marks its records as labelled."""

    def __init__(self, source: Source, labeller: Labeller) -> None:
        super().__init__(source)
        self._labeller = labeller
        self._derivation = labeller.derivation

    @property
    def fields(self) -> Sequence[Field]:
        """The source's fields, and the labels'."""
        return tuple(dict.fromkeys((*self.source.fields, *self._labeller.fields)))

    def transform(self, record: ImageRecord) -> ImageRecord:
        """Append the labels' derivation."""
        return replace(record, derivation=f"{record.derivation} {self._derivation}")


class LabelingStore(StoreWrapper):
    """A store that adds labels to what it writes."""

    def __init__(self, store: Store, labeller: Labeller) -> None:
        super().__init__(store)
        self._labeller = labeller

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        """Write documents with the labels of their vectors."""
        return self.store.upsert(self._add_labels(documents))

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """Update documents with the labels of their stored vectors."""
        stored = self.store.documents([record.id for record in records])
        documents = [replace(stored[record.id], record=record) for record in records if record.id in stored]
        labelled = {document.record.id: document.record for document in self._add_labels(documents)}
        return self.store.update([labelled.get(record.id, record) for record in records])

    def _add_labels(self, documents: Sequence[StoredDocument]) -> list[StoredDocument]:
        if not documents:
            return []
        labels = self._labeller.metadata([document.vector for document in documents])
        return [
            replace(document, record=replace(document.record, derived={**document.record.derived, **derived}))
            for document, derived in zip(documents, labels, strict=True)
        ]


def _field_names(labels: Sequence[str]) -> tuple[str, ...]:
    if len(labels) > MAX_LABELS:
        raise ConfigError(
            f"{pluralize(len(labels), 'label')} are too many to be kept, each as a field of the index; "
            f"give {MAX_LABELS} at most"
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
