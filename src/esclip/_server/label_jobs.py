"""The job that labels all pictures by their vectors: nothing is encoded but the labels, nothing is written.

ids of the index ─► vectors, page by page ─► probabilities ─► LabelRow of each, the most doubtful first
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from esclip._classify import Classifier
from esclip._concurrency.streams import batches
from esclip._core.labels import LabelScores, LabelSet
from esclip._core.types import PICTURE
from esclip._index import ImageIndex
from esclip._protocols import Encoder
from esclip._server.jobs import JobResult, Report

PAGE = 512
"""Documents that are read at once."""
MAX_ROWS = 200_000
"""Pictures that are labelled: the first of a larger index."""


class LabelRow(NamedTuple):
    """The labels of a picture."""

    id: str
    label: str
    probability: float
    other: str
    """The second label."""
    other_probability: float

    @property
    def doubt(self) -> float:
        """How near the second label comes to the first: 0 to 1."""
        return 1 - (self.probability - self.other_probability)


def label_pictures(
    index: ImageIndex, load_encoder: Callable[[], Encoder], labels: Sequence[str], report: Report
) -> JobResult:
    """The work of the job: the labels of all pictures."""
    stats = index.stats()
    total = stats.documents - stats.texts
    classifier = Classifier(load_encoder(), LabelSet(labels))
    rows: list[LabelRow] = []
    for ids in batches(iter(index), PAGE):
        documents = [document for document in index.get(ids) if document.record.kind == PICTURE]
        documents = documents[: MAX_ROWS - len(rows)]
        vectors = [document.vector for document in documents]
        scores = classifier.classify_vectors(np.stack(vectors)) if vectors else []
        rows += [_row(document.record.id, ranked) for document, ranked in zip(documents, scores, strict=True)]
        report(len(rows), total)
        if len(rows) >= MAX_ROWS:
            break
    rows.sort(key=lambda row: (-row.doubt, row.id))
    return JobResult(rows, total)


def _row(id: str, scores: LabelScores) -> LabelRow:
    first, second = scores[:2]
    return LabelRow(id, first.label, first.probability, second.label, second.probability)
