"""How fast a vector cache is written from an embedded index and imported into one, in documents a second.

An export's memory is what the process has added at its peak, without pages of files.

    python -m scripts.bench_transfer [DOCUMENTS] [FOLDER]

Documents have a sentence, four fields and 512 dimensions. The import's figure leaves out the index for
searches, which any ingest of so many pictures builds as well; it is shown beside it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np

import esclip
from esclip import Field, FieldType, ImageRecord, IndexSchema, Phase, Progress, Space, StoredDocument
from esclip._core.types import unit_rows
from esclip.stores.lance.store import LanceStore
from scripts.measure import anonymous_mebibytes, sampled

DOCUMENTS, DIM, PAGE = 100_000, 512, 4096
FIELDS = (
    Field("country", FieldType.KEYWORD),
    Field("keywords", FieldType.KEYWORDS),
    Field("width", FieldType.INTEGER),
    Field("taken", FieldType.DATE),
)
WORDS = (
    "red",
    "dogs",
    "run",
    "over",
    "green",
    "fields",
    "children",
    "play",
    "near",
    "old",
    "bridges",
    "lakes",
)
SCHEMA = IndexSchema(Space("bench", "bench", "bench", "bench", DIM), FIELDS, ("bench",))


def main(count: int, folder: Path) -> None:
    """Fill an index, export it, import it, import it again."""
    source, target = (LanceStore(folder, name) for name in ("source", "target"))
    source.ensure_index(SCHEMA)
    for start in range(0, count, PAGE):
        source.upsert(make_documents(start, min(PAGE, count - start)))
    _export(source, folder / "cache", count)
    indexing: list[tuple[float, float]] = []

    def note(progress: Progress) -> None:
        if progress.phase is Phase.INDEXING and not indexing:
            indexing.append((time.monotonic(), time.process_time()))

    with esclip.open_index(target) as index:
        began, used = time.monotonic(), time.process_time()
        report = index.import_vectors(folder / "cache", on_progress=note)
        seconds, cpu = indexing[0][0] - began, indexing[0][1] - used
        print(
            f"import  {count / seconds:,.0f} documents/s, {seconds:.1f} s; CPU {cpu:.1f} s; "
            f"index for searches {report.seconds - seconds:.1f} s"
        )
        assert report.written == count
        with timed("import of what is there", count):
            assert index.import_vectors(folder / "cache").skipped == count


def _export(store: LanceStore, cache: Path, count: int) -> None:
    before = anonymous_mebibytes()
    with (
        esclip.open_index(store) as index,
        sampled(anonymous_mebibytes, partial(_size, cache)) as peaks,
        timed("export", count),
    ):
        report = index.export(cache)
    print(
        f"        {peaks[0] - before:,} MiB of memory added, {peaks[1] / 1e6:,.0f} MB on disk at most, of "
        f"which {report.bytes / 1e6:,.0f} MB stay"
    )


def _size(folder: Path) -> int:
    """Bytes of the files in a folder, some of which may just have gone."""
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            size += path.stat().st_size
    return size


def make_documents(start: int, count: int) -> list[StoredDocument]:
    """Documents with the numbers from `start` on."""
    rng = np.random.default_rng(start)
    vectors = unit_rows(rng.standard_normal((count, DIM)))
    return [
        StoredDocument(make_record(start + n, rng), vectors[n], f"content{start + n}") for n in range(count)
    ]


def make_record(number: int, rng: np.random.Generator) -> ImageRecord:
    """A record with all that it may have."""
    url = f"https://images.example.org/{number}"
    return ImageRecord(
        id=f"{number:09}",
        location=url,
        picture=url,
        image_version=url,
        page=f"https://example.org/photos/{number}",
        description=" ".join(WORDS[n] for n in rng.integers(0, len(WORDS), 8)),
        metadata={
            "country": "Norway",
            "keywords": ("dog", "grass", "lake"),
            "width": number,
            "taken": datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
        },
    )


@contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    """Print how many documents a second were handled within it."""
    began, used = time.monotonic(), time.process_time()
    yield
    seconds = time.monotonic() - began
    print(
        f"{what}  {count / seconds:,.0f} documents/s, {seconds:.1f} s; CPU {time.process_time() - used:.1f} s"
    )


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENTS
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as scratch:
        main(chosen, Path(scratch))
