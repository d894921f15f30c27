"""What is ingested while things break: a made-up dataset with a picture of its own for each photo.

The dataset has fields of every type. It is ingested by the facade, as a user would.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Event

import numpy as np
from PIL import Image

from esclip import IngestReport, open_index
from esclip._core.schema import Space
from esclip._core.types import ImageRecord, Pixels, Vectors, unit_rows
from esclip._protocols import Encoder
from esclip.sources import open_source
from scripts.make_unsplash import make_dataset
from tests.faults.target import Target

__all__ = ["Dataset", "SketchEncoder", "ingest", "made", "records_of"]


@dataclass(frozen=True)
class Dataset:
    """A dataset's folder, and the folder of its pictures."""

    folder: Path
    images: Path

    @classmethod
    def in_folder(cls, folder: Path) -> Dataset:
        return cls(folder / "unsplash", folder / "images")

    @cached_property
    def records(self) -> Mapping[str, ImageRecord]:
        """What a source makes of it, by id."""
        return records_of(self.folder, images=self.images)


def made(folder: Path, photos: int) -> Dataset:
    """A dataset of so many photos."""
    dataset = Dataset.in_folder(folder)
    make_dataset(dataset.folder, photos, keywords_per_photo=5, images=dataset.images)
    return dataset


def records_of(*paths: Path, images: Path | None = None) -> dict[str, ImageRecord]:
    """All that a source gives, by id."""
    records = list(open_source(paths, images=images).records(Event()))
    good = {record.id: record for record in records if isinstance(record, ImageRecord)}
    assert len(good) == len(records)
    return good


class SketchEncoder:
    """An encoder of 64 dimensions in which each picture has a vector of its own.

    It does `at[n]` once it has encoded n of them: what shall happen in the middle of an ingest happens there,
    however fast the machine is.
    """

    runtime = "sketch"
    useful_side = None
    encode_concurrency = 1
    logit_scale = 100.0
    space = Space(model="sketch", text_model="sketch", weights="sketch-1", preprocessing="12x8", dim=64)

    def __init__(self, at: Mapping[int, Callable[[], object]] | None = None) -> None:
        self._at = dict(at or {})
        self._encoded = 0
        self._lock = threading.Lock()
        self._mixing = np.random.default_rng(64).standard_normal((12 * 8 * 3, 64))

    def preprocess(self, image: Image.Image) -> Pixels:
        return np.asarray(image.resize((12, 8), Image.Resampling.BOX), dtype=np.float64)

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        with self._lock:
            self._encoded += len(batch)
            due = [self._at.pop(count) for count in sorted(self._at) if count <= self._encoded]
        for action in due:
            action()
        return self._mixed(np.stack([pixels.ravel() for pixels in batch]) - 128)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """A text is a direction of its own, too; which one does not matter here."""
        rows = [np.random.default_rng(list(text.encode())).standard_normal(12 * 8 * 3) for text in texts]
        return self._mixed(np.stack(rows))

    def _mixed(self, rows: Vectors) -> Vectors:
        return unit_rows(rows @ self._mixing)


def ingest(
    dataset: Dataset,
    target: Target,
    encoder: Encoder,
    *,
    through: str | None = None,
    limit: int | None = None,
) -> IngestReport:
    """An ingest of the dataset, its report checked to add up; `through` a proxy's address, if wanted."""
    with open_index(through or target.store, target.index, encoder) as opened:
        report = opened.ingest(dataset.folder, images=dataset.images, limit=limit)
    assert report.read == report.skipped + report.written + report.rejected
    return report
