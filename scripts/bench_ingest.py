"""How fast whole ingests are: from disk and from the web, against their bound and against what people write.

    python -m scripts.bench_ingest                                   # into memory and an embedded folder
    python -m scripts.bench_ingest --store http://127.0.0.1:9210     # and into OpenSearch or Elasticsearch
    python -m scripts.bench_ingest --processor                       # processor time, on a shared machine
    python -m scripts.bench_ingest --memory                          # peak memory by the number of pictures
    python -m scripts.bench_ingest --measurement                     # measuring what scores mean, at its end

The bound is 1 / (1/E + 1/D): E the pictures a second of the forward passes alone, D of decoding and
preprocessing alone, each on all cores. The web is a server on this machine that answers after 20 ms, and one
request in a hundred after 2 s; it takes a share of the cores as well. What people write is one loop with
sentence-transformers, batch 32, and opensearch-py's `helpers.bulk`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from esclip import (
    Encoder,
    ImageIndex,
    ImageRecord,
    IndexSchema,
    StoredDocument,
    load_encoder,
    open_index,
)
from esclip._concurrency.streams import parallel_map
from esclip._core.types import unit_rows
from esclip._images.decode import decode
from esclip._ingest.calibration import calibrate
from esclip.encoders.clip import ClipEncoder
from esclip.stores.memory import MemoryStore
from scripts.bench_encode import BATCH, forward, models_in, write_pictures
from scripts.measure import Row, machine, measure, peak_mebibytes, print_table, run_python, write_json

__all__ = ["main"]

LATENCY_S = 0.02
STRAGGLER_S = 2.0
STRAGGLERS = 100
"""One request in so many is one."""
INDEX = "bench_ingest"
DISK = "esclip, from disk into memory"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of rates, or of memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", type=Path, help="a folder for the models; those it lacks are made")
    parser.add_argument("--size", choices=["full", "tiny"], default="full", help="of models that are made")
    parser.add_argument("--pictures", type=int, default=320)
    parser.add_argument("--pixels", default="1080x720", help="size of the pictures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store", help="the address of an engine to write to as well")
    parser.add_argument("--json", type=Path, help="write the results here, too")
    parser.add_argument("--memory", action="store_true", help="measure memory instead")
    parser.add_argument("--processor", action="store_true", help="measure processor time instead")
    parser.add_argument(
        "--measurement", action="store_true", help="time what scores are measured with instead"
    )
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--peak", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.serve:
        asyncio.run(_serve(given.serve))
        return
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as scratch:
        clip, texts = models_in(given.models or Path(scratch) / "models", given.size)
        if given.peak:
            print(_peak(clip, given.peak))
        elif given.measurement:
            _print_measurement(clip, texts, Path(scratch) / "towers", given.pictures, given.rounds)
        elif given.memory:
            _print_memory(clip, Path(scratch), given.pictures)
        else:
            take = _processor_times if given.processor else _rates
            rows = take(clip, texts, Path(scratch), given)
            facts = {**machine(), "pictures": f"{given.pictures} JPEGs of {given.pixels}, quality 85"}
            for name, fact in facts.items():
                print(f"{name}: {fact}")
            print_table("whole ingests", rows)
            if given.json:
                write_json(given.json, facts, rows)


def _rates(clip: Path, texts: Path, scratch: Path, given: argparse.Namespace) -> list[Row]:
    width, height = map(int, given.pixels.split("x"))
    files = write_pictures(scratch / "pictures", given.pictures, (width, height))
    encoder = load_encoder(str(clip), str(texts))
    pixels = np.stack([_pixels(encoder, file) for file in files])
    forward(encoder, pixels[:BATCH])
    parts: dict[str, float] = {}

    def forward_passes() -> float:
        parts["E"] = forward(encoder, pixels)[1]
        return parts["E"]

    def decoding() -> float:
        parts["D"] = _decoding(encoder, files)
        return parts["D"]

    with _web(files[0].parent) as dataset:
        measures: dict[str, Callable[[], float]] = {
            "forward passes alone (E)": forward_passes,
            "decoding and preprocessing alone (D)": decoding,
            "bound, 1 / (1/E + 1/D)": lambda: 1 / (1 / parts["E"] + 1 / parts["D"]),
            DISK: partial(_into_memory, encoder, files[0].parent),
            "esclip, from the web into memory": partial(_into_memory, encoder, dataset),
            "esclip, from disk into an embedded folder": partial(
                _into, str(scratch / "store"), encoder, files
            ),
        }
        if given.store:
            measures["esclip, from disk into the engine"] = partial(_into, given.store, encoder, files)
            measures["sentence-transformers and helpers.bulk"] = partial(_by_hand, given.store, clip, files)
        return measure(measures, unit="pictures/s", rounds=given.rounds, baseline=DISK)


def _processor_times(clip: Path, texts: Path, scratch: Path, given: argparse.Namespace) -> list[Row]:
    """Milliseconds of processor time a picture, of all threads of this process."""
    from sentence_transformers import SentenceTransformer

    width, height = map(int, given.pixels.split("x"))
    files = write_pictures(scratch / "pictures", given.pictures, (width, height))
    encoder = load_encoder(str(clip), str(texts))
    pixels = np.stack([_pixels(encoder, file) for file in files])
    forward(encoder, pixels[:BATCH])
    plain = SentenceTransformer(str(clip), device="cpu", processor_kwargs={"backend": "pil"})

    def milliseconds(work: Callable[[], Any]) -> float:
        started = time.process_time()
        work()
        return 1000 * (time.process_time() - started) / len(files)

    works: dict[str, Callable[[], Any]] = {
        "forward passes alone": lambda: forward(encoder, pixels),
        "decoding and preprocessing alone": lambda: _decoding(encoder, files),
        DISK: lambda: _into_memory(encoder, files[0].parent),
        "esclip, from disk into an embedded folder": lambda: _into(str(scratch / "store"), encoder, files),
        f"sentence-transformers, batch {BATCH}, vectors alone": lambda: plain.encode(
            [Image.open(file) for file in files], batch_size=BATCH
        ),
    }
    measures = {name: partial(milliseconds, work) for name, work in works.items()}
    return measure(measures, unit="ms", rounds=given.rounds, baseline=DISK)


def _pixels(encoder: Encoder, file: Path) -> Any:
    return encoder.preprocess(decode(file.read_bytes(), side=encoder.useful_side))


def _decoding(encoder: Encoder, files: list[Path]) -> float:
    started = time.perf_counter()
    for _ in parallel_map(partial(_pixels, encoder), files, workers=os.cpu_count() or 1):
        pass
    return len(files) / (time.perf_counter() - started)


def _into_memory(encoder: Encoder, source: Path) -> float:
    with tempfile.TemporaryDirectory() as cache, ImageIndex(MemoryStore(INDEX), encoder, None) as index:
        report = index.ingest(source, allow_hosts=["127.0.0.1"], cache=cache)
        if report.rejected:
            raise SystemExit(f"rejected: {report.rejections}")
        return report.images_per_second


def _into(store: str, encoder: Encoder, files: list[Path]) -> float:
    with open_index(store, INDEX, encoder) as index:
        speed = index.ingest(files[0].parent).images_per_second
        index.drop()
        return speed


def _by_hand(address: str, clip: Path, files: list[Path]) -> float:
    """The loop of the tutorials, with batches."""
    from opensearchpy import OpenSearch, helpers
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(clip), device="cpu")
    client = OpenSearch(address, timeout=60)
    dim = model.get_embedding_dimension()
    is_opensearch = "opensearch" in str(client.nodes.info(filter_path="nodes.*.modules.name")).lower()
    method = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}
    vector: dict[str, Any] = {"type": "knn_vector", "dimension": dim, "method": method}
    settings: dict[str, Any] = {"number_of_shards": 3, "number_of_replicas": 0, "knn": True}
    if not is_opensearch:
        vector = {"type": "dense_vector", "dims": dim, "index_options": {"type": "hnsw"}}
        del settings["knn"]
    mapping = {"properties": {"vector": vector}}
    client.indices.create(index=INDEX, body={"settings": {"index": settings}, "mappings": mapping})

    def actions() -> Iterator[dict[str, Any]]:
        for at in range(0, len(files), BATCH):
            batch = files[at : at + BATCH]
            rows = model.encode([Image.open(f) for f in batch], normalize_embeddings=True, batch_size=BATCH)
            for file, row in zip(batch, rows, strict=True):
                yield {"_index": INDEX, "_id": file.stem, "location": str(file), "vector": row.tolist()}

    started = time.perf_counter()
    helpers.bulk(client, actions())
    client.indices.refresh(index=INDEX)
    seconds = time.perf_counter() - started
    client.indices.delete(index=INDEX)
    return len(files) / seconds


@contextmanager
def _web(folder: Path) -> Iterator[Path]:
    """A dataset whose pictures are those of `folder`, behind a server of their own."""
    command = [sys.executable, "-m", "scripts.bench_ingest", "--serve", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        rows = [f"{p.stem}\thttp://127.0.0.1:{port}/{p.name}" for p in sorted(folder.glob("*.jpg"))]
        dataset = folder.parent / "unsplash"
        dataset.mkdir(exist_ok=True)
        (dataset / "photos.tsv").write_text("\n".join(["photo_id\tphoto_image_url", *rows]) + "\n")
        try:
            yield dataset
        finally:
            server.terminate()


async def _serve(folder: Path) -> None:
    """Answers GET for the files of `folder`, late."""
    count = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        while line := await reader.readline():
            while (await reader.readline()).strip():
                pass
            count += 1
            await asyncio.sleep(STRAGGLER_S if count % STRAGGLERS == 0 else LATENCY_S)
            name = line.split()[1].decode().partition("?")[0].lstrip("/")
            data = (folder / name).read_bytes()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _print_memory(clip: Path, scratch: Path, pictures: int) -> None:
    """Peak memory of processes that ingest so many pictures, then four and sixteen times as many."""
    print("| pictures | peak memory |\n|---|---|")
    for times in (1, 4, 16):
        folder = scratch / f"times{times}"
        write_pictures(folder, pictures * times, (336, 224))
        arguments = ["-m", "scripts.bench_ingest", "--models", str(clip.parent), "--peak", str(folder)]
        print(f"| {pictures * times:,} | {int(run_python(*arguments)):,} MiB |", flush=True)


def _print_measurement(clip: Path, texts: Path, towers: Path, pictures: int, rounds: int) -> None:
    """Processor time of a calibration by a new encoder: null queries encoded, and their vectors kept."""

    def milliseconds(kept: bool) -> float:
        encoder = ClipEncoder(str(clip), str(texts), cache=towers)
        if not kept:
            for file in towers.glob("*/null-queries-*"):
                file.unlink()
        rows = unit_rows(np.random.default_rng(0).standard_normal((pictures, encoder.space.dim)))
        store = MemoryStore(INDEX)
        store.ensure_index(IndexSchema(encoder.space))
        store.upsert([StoredDocument(ImageRecord(str(n), "", "", ""), row) for n, row in enumerate(rows)])
        started = time.process_time()
        calibrate(store, encoder)
        return 1000 * (time.process_time() - started)

    ClipEncoder(str(clip), str(texts), cache=towers).encode_texts(["red"])  # exports the tower
    measures = {"encoded": partial(milliseconds, False), "kept": partial(milliseconds, True)}
    rows = measure(measures, unit="ms", rounds=rounds, baseline="encoded")
    print_table("the vectors of the null queries", rows)


def _peak(clip: Path, folder: Path) -> int:
    with tempfile.TemporaryDirectory() as store, open_index(store, INDEX, clip) as index:
        index.ingest(folder)
    return peak_mebibytes()


if __name__ == "__main__":
    main()
