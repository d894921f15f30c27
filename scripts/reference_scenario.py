"""The reference scenario: a store's answers against an exact search over sentence-transformers' own vectors.

    synthetic dataset ─► a sample, drawn ─► esclip ingest ─► store ─► hits ───────────┐
                              └──────────► SentenceTransformer.encode ─► NumPy exact ─┴─► recall, cosines

    python -m scripts.reference_scenario --store http://127.0.0.1:9203

By default as large as the real thing: 25,000 photos with 2.7 million keyword rows, of which the first 1,000
are ingested, and full-size CLIP ViT-B/32 with the multilingual text tower, in float32, with random weights.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from PIL import Image

import esclip
from esclip._core.types import Vectors, unit_rows
from scripts.make_models import make_clip, make_text_tower
from scripts.make_unsplash import make_dataset

__all__ = ["Agreement", "compare"]

K = 10

TEXTS = (
    "a red car in the snow",
    "two dogs playing",
    "一只红色的汽车",
    "雪山",
    "un gato negro",
    "ein Haus am See",
    "une plage au coucher du soleil",
    "夕日",
    "people",
    "architecture, black and white",
)


@dataclass(frozen=True)
class Agreement:
    """How well a store's answers agree with the exact ones."""

    recall: float
    """Mean share of the exact first ten among the store's first ten."""
    cosine_error: float
    """The largest difference between a hit's score and the exact cosine."""
    queries: int
    documents: int
    ingest_seconds: float


def compare(
    folder: Path, store: str, index: str, *, photos: int, sample: int, size: str, queries: int
) -> Agreement:
    """Make the dataset and models in `folder`, ingest the sample into `store`, and compare the searches."""
    make_dataset(folder / "unsplash", photos)
    make_clip(folder / "clip", size, seed=1)
    make_text_tower(folder / "texts", size, seed=2)
    with esclip.open_index(store, index, folder / "clip", folder / "texts", precision="f32") as held:
        ids = _draw_sample(folder, sample)
        started = time.monotonic()
        report = held.ingest(folder / "unsplash", images=folder / "images", limit=sample)
        seconds = time.monotonic() - started
        if report.written != sample:
            raise SystemExit(f"{report.written} of {sample} written: {report.rejections}")
        paths = [folder / "images" / f"{id}.jpg" for id in ids]
        vectors = _exact(folder / "clip", [Image.open(path) for path in paths])
        texts = _exact(folder / "texts", list(TEXTS))
        pairs = [(held.search_text(t, K), v) for t, v in zip(TEXTS, texts, strict=True)]
        chosen = range(0, sample, max(1, sample // queries))
        pairs += [(held.search_image(paths[at], K), vectors[at]) for at in chosen]
    recalls, errors = [], []
    for hits, query in pairs:
        cosines = dict(zip(ids, (vectors @ query).tolist(), strict=True))
        best = sorted(cosines, key=lambda id: -cosines[id])[:K]
        recalls.append(len({hit.id for hit in hits} & set(best)) / K)
        errors += [abs(hit.score - cosines[hit.id]) for hit in hits]
    return Agreement(float(np.mean(recalls)), max(errors), len(pairs), sample, round(seconds, 1))


def _draw_sample(folder: Path, sample: int) -> list[str]:
    """A picture of random blocks for each of the first photos; returns their ids."""
    from esclip.sources import open_source

    (folder / "images").mkdir(exist_ok=True)
    rng = np.random.default_rng(3)
    ids = []
    for record in open_source([folder / "unsplash"], limit=sample).records(Event()):
        blocks = rng.integers(0, 256, (rng.integers(2, 9), rng.integers(2, 9), 3), dtype=np.uint8)
        picture = Image.fromarray(blocks).resize((336, 224), Image.Resampling.NEAREST)
        picture.save(folder / "images" / f"{record.id}.jpg", quality=90)
        ids.append(record.id)
    return ids


def _exact(model: Path, inputs: list[Any]) -> Vectors:
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(model), device="cpu", processor_kwargs={"backend": "pil"})
    return unit_rows(plain.encode(inputs))


def main() -> None:
    """Run it at full size and print the agreement as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", help="a folder or an address; by default a folder of its own")
    parser.add_argument("--index", default="reference")
    parser.add_argument("--photos", type=int, default=25_000)
    parser.add_argument("--sample", type=int, default=1_000)
    parser.add_argument("--size", choices=["full", "tiny"], default="full")
    parser.add_argument("--queries", type=int, default=50, help="image queries, besides the texts")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="esclip-reference-") as folder:
        store = args.store or f"{folder}/store"
        found = compare(
            Path(folder),
            store,
            args.index,
            photos=args.photos,
            sample=args.sample,
            size=args.size,
            queries=args.queries,
        )
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
