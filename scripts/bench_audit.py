"""How long an audit takes, and what it finds: of an embedded index, and of one whose searches are spoiled.

    made-up pictures ─► an index ─► esclip.audit ─► seconds, processor seconds, recall@10 of texts
                           └─► the same folder, of whose partitions searches compare few ─► the same

    python -m scripts.bench_audit --documents 100000

Vectors and texts are those of `scripts/cross_modal.py`, so that texts are as far from pictures as a model's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from itertools import chain
from tempfile import TemporaryDirectory

import esclip
from esclip import Field, FieldType, ImageRecord, IndexSchema, Space, Store, StoredDocument
from esclip._concurrency.streams import batches
from esclip._core.types import Vectors
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.lance.maintenance import IndexThresholds
from esclip.stores.lance.store import LanceStore
from scripts.cross_modal import CrossModal
from scripts.measure import machine

__all__ = ["main"]

PAGE = 1000
SIZE = Field("size", FieldType.INTEGER)
"""What the audit's filters are about."""


class MadeUpTexts(PaletteEncoder):
    """Encodes any texts as vectors like those of texts."""

    def __init__(self, data: CrossModal) -> None:
        super().__init__()
        self._data = data

    @property
    def space(self) -> Space:
        """That of the made-up vectors."""
        return Space("made up", "made up", weights="none", preprocessing="none", dim=self._data.dim)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """A vector for each, whatever it says."""
        return self._data.text_queries(len(texts))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each of the two."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100, help="of each kind")
    given = parser.parse_args(arguments)
    for name, fact in machine().items():
        print(f"{name}: {fact}")
    print("\n| index | s | processor, s | recall@10 of texts |\n|---|---|---|---|")
    encoder = MadeUpTexts(CrossModal())
    with TemporaryDirectory(prefix="bench-audit-") as folder:
        with LanceStore(folder, "audited") as store:
            _fill(store, encoder.space, given.documents)
            _audit("as it is", store, encoder, given.queries)
        with LanceStore(folder, "audited", IndexThresholds(probed=1)) as store:
            _audit("spoiled", store, encoder, given.queries)


def _fill(store: Store, space: Space, documents: int) -> None:
    store.ensure_index(IndexSchema(space, (SIZE,)))
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
    wanted = ("text", "", "", 10)
    (row,) = [row for row in audit.rows if (row.kind, row.script, row.filter, row.k) == wanted]
    recall = row.recall.mean
    print(f"| {name} | {seconds:.1f} | {processor:.1f} | {recall:.3f} |", flush=True)


if __name__ == "__main__":
    main()
