"""How long a text query takes: a process of its own, a warm library, and 16 callers at once.

    made-up Unsplash records, random vectors ─► one embedded index ─┬─► esclip
                                                                    └─► plain: sentence-transformers, NumPy

Both answer the same queries from the same index with the same models, in turns within one run, so that what
else the machine does slows both. `make_models.py` makes the models; what is found means nothing.

    python -m scripts.bench_query                    # full-size models with random weights, made on the spot
    python -m scripts.bench_query --models models    # a folder that holds them
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import numpy as np

from esclip import (
    Encoder,
    ImageRecord,
    IndexSchema,
    KnnSearch,
    Space,
    StoredDocument,
    load_encoder,
    open_index,
)
from esclip._core.types import unit_rows
from esclip.sources import open_source
from esclip.stores import open_store
from scripts.bench_encode import models_in
from scripts.measure import machine

__all__ = ["main", "plant", "texts_of", "towers"]

MAKE = Path(__file__).with_name("make_unsplash.py")
K = 10
WARM_UP = 20
CALLERS = 16

Search = Callable[[str], Any]
Figures = Mapping[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of medians."""
    parser = argparse.ArgumentParser(description="Measure how long a text query takes.")
    parser.add_argument("--documents", type=int, default=25_000)
    parser.add_argument("--models", type=Path, help="a folder for the models; those it lacks are made")
    parser.add_argument("--size", choices=["full", "tiny"], default="full", help="of models that are made")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=1, help="processes before those that count")
    parser.add_argument("--queries", type=int, default=200, help="of a warm process, in each round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rounds and medians here as well")
    parser.add_argument("--measure", choices=sorted(MEASURES), help=argparse.SUPPRESS)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.measure:
        print(json.dumps(MEASURES[given.measure](given.models, given.store, given.queries)))
        return
    with TemporaryDirectory(prefix="bench-query-") as folder:
        models = models_in(given.models or Path(folder) / "models", given.size)[0].parent
        encoders = {"pictures": load_encoder(*map(str, towers(models))), "palette": load_encoder("palette")}
        plant(Path(folder), encoders, given.documents)
        rounds = list(_rounds(models, Path(folder) / "store", given.warm_up, given.rounds, given.queries))
    medians = {name: median(one[name] for one in rounds) for name in rounds[0]}
    for name, fact in machine().items():
        print(f"{name}: {fact}")
    print(f"{given.documents:,} documents, {given.rounds} rounds of {given.queries} queries, medians\n")
    _print_table(medians)
    if given.json:
        found = {"facts": machine(), "medians": medians, "rounds": rounds}
        given.json.write_text(json.dumps(found, indent=2) + "\n")


def plant(folder: Path, encoders: Mapping[str, Encoder], photos: int) -> None:
    """Write an index for each encoder, by the index's name, with all metadata of Unsplash."""
    dataset = folder / "unsplash"
    subprocess.run([sys.executable, MAKE, dataset, "--photos", str(photos)], check=True)
    for name, encoder in encoders.items():
        source = open_source([dataset])
        records = (record for record in source.records(Event()) if isinstance(record, ImageRecord))
        store = open_store(str(folder / "store"), name)
        store.ensure_index(IndexSchema(encoder.space, tuple(source.fields)))
        with store.bulk_load():
            documents = _documents(records, encoder.space)
            while page := list(islice(documents, 512)):
                assert store.upsert(page) == []
        store.close()


def _documents(records: Iterator[ImageRecord], space: Space) -> Iterator[StoredDocument]:
    rng = np.random.default_rng(0)
    for record in records:
        yield StoredDocument(record, unit_rows(rng.standard_normal((1, space.dim)))[0])


def _rounds(models: Path, store: Path, warm_up: int, rounds: int, queries: int) -> Iterator[Figures]:
    """Figures by name, in ms but for rates; the first `warm_up` processes fill caches and are not counted."""
    picture, text = map(str, towers(models))
    search = [sys.executable, "-m", "esclip", "search-text", "a red dog in the snow", "--store", str(store)]
    own = [
        sys.executable,
        "-m",
        "scripts.bench_query",
        "--models",
        str(models),
        "--store",
        str(store),
        "--queries",
        str(queries),
    ]
    commands = {
        "esclip cold": [*search, "--index", "pictures", "--encoder", picture, "--text-encoder", text],
        "plain cold": [*own, "--measure", "once"],
        "esclip cold, palette": [*search, "--index", "palette"],
        "esclip": [*own, "--measure", "esclip"],
        "plain": [*own, "--measure", "plain"],
    }
    for command in list(commands.values())[:3] * warm_up:
        _run(command)
    for turn in range(rounds):
        figures: dict[str, float] = {}
        for name, command in sorted(commands.items(), reverse=bool(turn % 2)):
            start = time.perf_counter()
            output = _run(command)
            if "cold" in name:
                figures[name] = (time.perf_counter() - start) * 1000
            else:
                figures |= {f"{name} {what}": value for what, value in json.loads(output).items()}
        print(f"round {turn + 1} of {rounds}", file=sys.stderr, flush=True)
        yield figures


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _print_table(medians: Figures) -> None:
    """The ratio says how many times better esclip is."""
    print("| | esclip | plain | ratio |\n|---|---|---|---|")
    for name, ours in medians.items():
        if name.startswith("esclip "):
            what = name.removeprefix("esclip ")
            rate = what.endswith("/s")
            line = f"| {what if rate else what + ', ms'} | {ours:.1f} |"
            plain = medians.get(f"plain {what}")
            if plain is None:
                print(f"{line} | |")
            else:
                print(f"{line} {plain:.1f} | {ours / plain if rate else plain / ours:.2f} |")


def _esclip(models: Path, store: Path, queries: int) -> Figures:
    """The library, and its two parts by themselves."""
    start = time.perf_counter()
    encoder = load_encoder(*map(str, towers(models)))
    index = open_index(store, "pictures", encoder)

    def search(text: str) -> Any:
        return index.search_text(text, K)

    figures = _warm(search, queries, start)
    texts, parts = texts_of(queries), open_store(str(store), "pictures")
    vectors = [encoder.encode_texts([text])[0] for text in texts]
    figures |= _percentiles("model", [_seconds(encoder.encode_texts, [text]) for text in texts])
    for vector in vectors[:WARM_UP]:
        parts.search(KnnSearch(vector, K))
    return figures | _percentiles(
        "store", [_seconds(parts.search, KnnSearch(vector, K)) for vector in vectors]
    )


def _plain(models: Path, store: Path, queries: int) -> Figures:
    """What one writes without esclip."""
    start = time.perf_counter()
    return _warm(_plain_search(models, store), queries, start)


def _once(models: Path, store: Path, queries: int) -> Figures:
    """The same for one query."""
    found = _plain_search(models, store)("a red dog in the snow")
    return {"found": len(found)}


def _plain_search(models: Path, store: Path) -> Search:
    """The text tower by sentence-transformers, all vectors in NumPy, the hits' rows by Lance."""
    import lance
    from sentence_transformers import SentenceTransformer

    tower = SentenceTransformer(str(towers(models)[1]), local_files_only=True)
    dataset = lance.dataset(store / "pictures.lance")
    vectors = dataset.to_table(columns=["vector"])["vector"].combine_chunks().flatten().to_numpy()
    names = [name for name in dataset.schema.names if name not in ("vector", "_source")]

    def search(text: str) -> Any:
        vector = tower.encode(text, normalize_embeddings=True, show_progress_bar=False)
        scores = vectors.reshape(-1, len(vector)) @ vector
        best = np.argpartition(-scores, K)[:K]
        best = best[np.argsort(-scores[best])]
        return dataset.take(best.tolist(), columns=names).to_pylist()

    return search


def _warm(search: Search, queries: int, start: float) -> dict[str, float]:
    """The first answer since `start`, then many one after another, and many from several callers at once."""
    texts = texts_of(queries)
    search(texts[0])
    figures = {"first": (time.perf_counter() - start) * 1000}
    for text in texts[:WARM_UP]:
        search(text)
    figures |= _percentiles("warm", [_seconds(search, text) for text in texts])
    start = time.perf_counter()
    with ThreadPoolExecutor(CALLERS) as callers:
        seconds = list(callers.map(lambda text: _seconds(search, text), texts))
    figures |= _percentiles(f"{CALLERS} callers", seconds)
    return figures | {f"{CALLERS} callers, queries/s": queries / (time.perf_counter() - start)}


def _seconds(call: Callable[..., Any], *arguments: Any) -> float:
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


def _percentiles(name: str, seconds: Sequence[float]) -> dict[str, float]:
    p50, p95 = np.percentile(seconds, [50, 95]) * 1000
    return {f"{name} p50": float(p50), f"{name} p95": float(p95)}


def texts_of(count: int) -> list[str]:
    """Different queries of a few words."""
    colors = ("red", "blue", "green", "white", "dark", "old", "tiny", "bright", "wooden", "empty")
    things = ("dog", "car", "house", "boat", "tree", "bird", "horse", "bridge", "chair", "street")
    places = ("in the snow", "by the sea", "at night", "in a field of flowers", "", "on a mountain")
    texts = [f"a {color} {thing} {place}".strip() for place, thing, color in product(places, things, colors)]
    return (texts * (count // len(texts) + 1))[:count]


def towers(models: Path) -> tuple[Path, Path]:
    """The folders of the picture tower and of the text tower."""
    return models / "clip-ViT-B-32", models / "clip-ViT-B-32-multilingual-v1"


MEASURES: Mapping[str, Callable[[Path, Path, int], Figures]] = {
    "esclip": _esclip,
    "plain": _plain,
    "once": _once,
}


if __name__ == "__main__":
    main()
