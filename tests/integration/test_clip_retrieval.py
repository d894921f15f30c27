"""Ten thousand vectors as clip-retrieval writes them, imported into an embedded index without encoding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import esclip
from esclip.encoders.palette import PaletteEncoder

PARTS = {0: 4_096, 1: 4_096, 3: 1_808}
"""Rows of each part, by its number: a job of clip-retrieval that failed leaves a gap."""
ROWS = sum(PARTS.values())
PROBES = (0, 4_095, 4_096, 8_192, ROWS - 1)
"""Rows at the edges of parts."""


def write_parts(folder: Path, vectors: np.ndarray[Any, Any]) -> None:
    """Write arrays and metadata, of which some values are missing; texts have vectors of their own."""
    for name in ("img_emb", "text_emb", "metadata"):
        (folder / name).mkdir(parents=True)
    start = 0
    for number, count in PARTS.items():
        rows = range(start, start + count)
        start += count
        np.save(folder / f"img_emb/img_emb_{number}.npy", vectors[rows.start : rows.stop])
        np.save(folder / f"text_emb/text_emb_{number}.npy", vectors[rows.start : rows.stop][::-1])
        table = {
            "image_path": [f"/data/{row:09}.jpg" for row in rows],
            "caption": [None if row % 7 == 0 else f"picture {row}" for row in rows],
            "key": [f"{row:09}" for row in rows],
            "status": ["success"] * count,
            "width": [None if row % 5 == 0 else row for row in rows],
            "url": [f"https://pictures.example/{row}.jpg" for row in rows],
        }
        pq.write_table(pa.table(table), folder / f"metadata/metadata_{number}.parquet", row_group_size=1_000)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_ten_thousand_rows(kind: Any, tmp_path: Path) -> None:
    """Each row is a document with its own vector, of unit length again, and metadata; once only."""
    dim = PaletteEncoder().space.dim
    vectors = np.random.default_rng(5).standard_normal((ROWS, dim)).astype(kind)
    write_parts(tmp_path / "emb", vectors)
    exact = vectors.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    with esclip.open_index(tmp_path / "store", "photos", "palette") as index:
        report = index.import_vectors(tmp_path / "emb", trust=True)
        assert (report.read, report.written, report.rejected, len(index)) == (ROWS, ROWS, 0, ROWS)
        for row in PROBES:
            hit = index.search(esclip.VectorQuery(exact[row].astype(np.float32)))[0]
            assert hit.location == f"https://pictures.example/{row}.jpg"
            assert hit.score == pytest.approx(1, abs=1e-6)
            assert hit.description == ("" if row % 7 == 0 else f"picture {row}")
            assert hit.metadata.get("width") == (None if row % 5 == 0 else row)
        assert index.import_vectors(tmp_path / "emb", trust=True).skipped == ROWS
