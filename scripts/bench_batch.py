"""What bounds a batch of text queries: tokens, forward passes, the store's searches, and what is around them.

    made-up vectors ─► one index of each store ─┬─► search_texts of 256 texts, new each time
                                                ├─► its parts by themselves
                                                └─► search_text for each text

Texts of a round are new, so that none was asked before. What is found means nothing.

    python -m scripts.bench_batch --models models                                  # the embedded store
    python -m scripts.bench_batch --models models --store http://127.0.0.1:9200    # and an engine
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np

from esclip import (
    Encoder,
    ImageIndex,
    ImageRecord,
    IndexSchema,
    KnnSearch,
    Store,
    StoredDocument,
    load_encoder,
    open_index,
)
from esclip._core.types import unit_rows
from esclip.stores import open_store
from scripts.bench_encode import models_in
from scripts.bench_query import texts_of, towers
from scripts.measure import machine

__all__ = ["main"]

K = 10
BATCH = 256
NAME = "bench_batch"

Tokenize: TypeAlias = Callable[[list[str]], Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of medians for each store."""
    parser = argparse.ArgumentParser(description="Measure what bounds a batch of text queries.")
    parser.add_argument("--documents", type=int, default=25_000)
    parser.add_argument("--models", type=Path, help="a folder for the models; those it lacks are made")
    parser.add_argument("--size", choices=["full", "tiny"], default="full", help="of models that are made")
    parser.add_argument("--store", action="append", default=[], help="an engine's address; repeatable")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="bench-batch-") as folder:
        models = models_in(given.models or Path(folder) / "models", given.size)[0].parent
        encoder = load_encoder(*map(str, towers(models)))
        tokenize = _tokenizer(towers(models)[1])
        for name, fact in machine().items():
            print(f"{name}: {fact}")
        print(f"{given.documents:,} documents, {BATCH} texts, {given.rounds} rounds, medians in ms")
        for store in [str(Path(folder) / "store"), *given.store]:
            _measure_store(store, encoder, tokenize, given.documents, given.rounds)


def _tokenizer(model: Path) -> Tokenize:
    """What makes tokens of texts, as the exported tower does."""
    from transformers import AutoTokenizer

    tokenize: Tokenize = AutoTokenizer.from_pretrained(model).backend_tokenizer.encode_batch
    return tokenize


def _measure_store(address: str, encoder: Encoder, tokenize: Tokenize, documents: int, rounds: int) -> None:
    """Fill an index, measure, and drop it."""
    store = open_store(address, NAME)
    store.ensure_index(IndexSchema(encoder.space))
    random = np.random.default_rng(0)
    with store.bulk_load():
        for start in range(0, documents, 500):
            rows = unit_rows(random.standard_normal((min(500, documents - start), encoder.space.dim)))
            page = [
                StoredDocument(ImageRecord(str(start + n), "nowhere", "", "1"), row)
                for n, row in enumerate(rows)
            ]
            assert store.upsert(page) == []
    with open_index(store, NAME, encoder) as index:
        index.search_text("a first text")
        found = [_round(index, encoder, store, tokenize, number) for number in range(rounds + 1)][
            1:
        ]  # one warms up
        print(f"\n{index.stats().engine}\n")
        for part in found[0]:
            print(f"| {part} | {median(one[part] for one in found):.1f} |")
        index.drop()


def _round(
    index: ImageIndex, encoder: Encoder, store: Store, tokenize: Tokenize, number: int
) -> dict[str, float]:
    def texts(kind: str) -> list[str]:
        return [f"{text}, {kind} {number}.{n}" for n, text in enumerate((texts_of(180) * 2)[:BATCH])]

    tokens = _ms(lambda: tokenize(texts("tokens")))
    encode = _ms(lambda: encoder.encode_texts(texts("parts")))
    vectors = encoder.encode_texts(texts("store"))
    searches = [KnnSearch(vector, K) for vector in vectors]
    search = _ms(lambda: store.search(*searches))
    whole = _ms(lambda: index.search_texts(texts("whole"), K))
    again = texts("whole")
    known = _ms(lambda: index.search_texts(again, K))
    single = _ms(lambda: [index.search_text(text, K) for text in texts("single")])
    return {
        "tokens": tokens,
        "forward passes": encode - tokens,
        "the store": search,
        "the rest": whole - encode - search,
        "the batch": whole,
        "the batch, asked before": known,
        "single calls": single,
        "ratio": single / whole,
    }


def _ms(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    main()
