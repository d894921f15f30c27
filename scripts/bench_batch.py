"""What bounds a batch of text queries: tokens, forward passes, the store's searches, and what is around them.

    made-up vectors ─► one index of each store ─┬─► search_texts of 256 texts, new each time
                                                ├─► its parts by themselves
                                                └─► search_text for each text

Texts of a round are new, so that none was asked before. What is found means nothing. A batch is measured as
it is, and with all texts encoded before the store is asked, by turns. A store on other machines is one that
waits for so many milliseconds for 256 searches, and takes no processor.

    python -m scripts.bench_batch --models models                                  # the embedded store
    python -m scripts.bench_batch --models models --store http://127.0.0.1:9200    # and an engine
    python -m scripts.bench_batch --models models --elsewhere 500                  # and one on other machines
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
    Hit,
    ImageIndex,
    ImageRecord,
    IndexSchema,
    KnnSearch,
    Store,
    StoredDocument,
    load_encoder,
    open_index,
)
from esclip._core.searches import Search
from esclip._core.types import unit_rows
from esclip.stores import open_store
from esclip.stores.memory import MemoryStore
from esclip.stores.wrapper import StoreWrapper
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
    parser.add_argument("--elsewhere", type=int, metavar="MS", help="wait so long for 256 searches instead")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="bench-batch-") as folder:
        models = models_in(given.models or Path(folder) / "models", given.size)[0].parent
        encoder = load_encoder(*map(str, towers(models)))
        tokenize = _tokenizer(towers(models)[1])
        for name, fact in machine().items():
            print(f"{name}: {fact}")
        print(f"{given.documents:,} documents, {BATCH} texts, {given.rounds} rounds, medians in ms")
        stores = [open_store(address, NAME) for address in (str(Path(folder) / "store"), *given.store)]
        if given.elsewhere:
            stores.append(Elsewhere(given.elsewhere / 1000))
        for store in stores:
            _measure_store(store, encoder, tokenize, given.documents, given.rounds)


class Elsewhere(StoreWrapper):
    """A store on other machines: its answers come late, and take nothing of this one's processors."""

    def __init__(self, seconds: float) -> None:
        """`seconds` for a batch."""
        super().__init__(MemoryStore(NAME))
        self.searches_remotely = True
        self._seconds = seconds
        self._hits: list[Hit] = []

    def resolve_alias(self) -> Store:
        """This one."""
        return self

    def search(self, *searches: Search) -> list[list[Hit]]:
        """The same hits for each search."""
        if not self._hits:
            self._hits = self.store.search(searches[0])[0]
        time.sleep(self._seconds * len(searches) / BATCH)
        return [self._hits for _ in searches]


def _tokenizer(model: Path) -> Tokenize:
    """What makes tokens of texts, as the exported tower does."""
    from transformers import AutoTokenizer

    tokenize: Tokenize = AutoTokenizer.from_pretrained(model).backend_tokenizer.encode_batch
    return tokenize


def _measure_store(store: Store, encoder: Encoder, tokenize: Tokenize, documents: int, rounds: int) -> None:
    """Fill an index, measure, and drop it."""
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
        name = "elsewhere" if isinstance(store, Elsewhere) else index.stats().engine
        print(f"\n{name}\n\n| | ms |\n|---|---|")
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
    ahead = store.searches_remotely
    store.searches_remotely = False
    before = _ms(lambda: index.search_texts(texts("before"), K))
    store.searches_remotely = ahead
    whole = _ms(lambda: index.search_texts(texts("whole"), K))
    again = texts("whole")
    known = _ms(lambda: index.search_texts(again, K))
    single = _ms(lambda: [index.search_text(text, K) for text in texts("single")])
    return {
        "tokens": tokens,
        "forward passes": encode - tokens,
        "the store": search,
        "the rest": before - encode - search,
        "the batch, all encoded first": before,
        "the batch": whole,
        "the batch, asked before": known,
        "single calls": single,
        "ratio, single calls": single / whole,
        "ratio, all encoded first": before / whole,
    }


def _ms(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    main()
