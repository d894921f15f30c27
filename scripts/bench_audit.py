"""How long an audit takes, and what it finds: of an embedded index, and of one whose searches are spoiled.

    made-up pictures ─► an index ─┬─► esclip.audit ─► seconds, processor seconds, recall@10 of texts
                                  ├─► searches by the same texts, compared with all vectors ─► recall@10
                                  └─► the same folder, of whose partitions searches compare few ─► the same

    python -m scripts.bench_audit --documents 100000
    python -m scripts.bench_audit --vectors bit
    python -m scripts.bench_audit --store http://127.0.0.1:9210 --index big     # made by scripts.bench_scale

Vectors and texts are those of `scripts/cross_modal.py`, so that texts are as far from pictures as a model's.
The comparison with all is this script's own, of float32 vectors that no store has had.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from itertools import chain
from tempfile import TemporaryDirectory

import numpy as np

import esclip
from esclip import (
    Field,
    FieldType,
    ImageRecord,
    IndexSchema,
    IndexSettings,
    KnnSearch,
    Space,
    Store,
    StoredDocument,
)
from esclip._concurrency.streams import batches
from esclip._core.index_settings import FLOAT, VECTOR_LEVELS
from esclip._core.types import Vectors
from esclip.encoders.palette import PaletteEncoder
from esclip.stores import open_store
from esclip.stores.lance.maintenance import IndexThresholds
from esclip.stores.lance.store import LanceStore
from scripts.cross_modal import CrossModal, nearest_ids
from scripts.measure import machine

__all__ = ["main"]

K = 10
PAGE = 1000
SIZE = Field("size", FieldType.INTEGER)
"""What the audit's filters are about."""


class MadeUpTexts(PaletteEncoder):
    """Encodes any texts as vectors like those of texts."""

    def __init__(self, data: CrossModal) -> None:
        super().__init__()
        self.data = data
        self.encoded: Vectors = np.empty((0, data.dim), np.float32)
        """The texts of the last call."""

    @property
    def space(self) -> Space:
        """That of the made-up vectors."""
        return Space("made up", "made up", weights="none", preprocessing="none", dim=self.data.dim)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """A vector for each, whatever it says."""
        self.encoded = self.data.text_queries(len(texts))
        return self.encoded


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for an index that is there, else for one that is made and for the same one spoiled."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100, help="of each kind")
    parser.add_argument("--vectors", choices=VECTOR_LEVELS, default=FLOAT, help="of the index that is made")
    parser.add_argument("--store", help="the address of an engine, with --index")
    parser.add_argument(
        "--index", help="an index there with the first of these vectors: it is audited as it is"
    )
    given = parser.parse_args(arguments)
    for name, fact in machine().items():
        print(f"{name}: {fact}")
    print(f"\n| index | s | processor, s | recall@{K} of texts | compared with all |\n{'|---' * 5}|")
    encoder = MadeUpTexts(CrossModal())
    if given.index:
        with open_store(given.store, given.index) as store:
            _audit("as it is", store, encoder, given.queries)
        return
    with TemporaryDirectory(prefix="bench-audit-") as folder:
        with LanceStore(folder, "audited") as store:
            _fill(store, encoder.space, given.documents, given.vectors)
            _audit("as it is", store, encoder, given.queries)
        with LanceStore(folder, "audited", IndexThresholds(probed=1)) as store:
            _audit("spoiled", store, encoder, given.queries)


def _fill(store: Store, space: Space, documents: int, level: str) -> None:
    store.ensure_index(IndexSchema(space, (SIZE,), settings=IndexSettings(level)))
    vectors = chain.from_iterable(CrossModal().pictures(documents))
    with store.bulk_load():
        for page in batches(enumerate(vectors), PAGE):
            refused = store.upsert(
                [
                    StoredDocument(ImageRecord(f"{n:010}", "nowhere", "", "1", metadata={"size": n}), vector)
                    for n, vector in page
                ]
            )
            assert refused == []


def _audit(name: str, store: Store, encoder: MadeUpTexts, queries: int) -> None:
    with esclip.open_index(store, encoder=encoder) as index:
        began, processor = time.perf_counter(), time.process_time()
        audit = esclip.audit(index, queries=queries)
        seconds, processor = time.perf_counter() - began, time.process_time() - processor
    wanted = ("text", "", "", K)
    (row,) = [row for row in audit.rows if (row.kind, row.script, row.filter, row.k) == wanted]
    recall = row.recall.mean
    true = _compare(store, encoder, audit.documents)
    print(f"| {name} | {seconds:.1f} | {processor:.1f} | {recall:.4f} | {true:.4f} |", flush=True)


def _compare(store: Store, encoder: MadeUpTexts, documents: int) -> float:
    """The recall of the audit's texts by all vectors, as they were made."""
    nearest = nearest_ids(encoder.data.pictures(documents), encoder.encoded, K)
    found = [store.search(KnnSearch(query, K))[0] for query in encoder.encoded]
    right = [
        len({int(hit.id) for hit in hits} & {*best})
        for hits, best in zip(found, nearest.tolist(), strict=True)
    ]
    return sum(right) / nearest.size


if __name__ == "__main__":
    main()
