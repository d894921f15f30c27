"""How fast a source gives its records, and how much memory that takes: nothing is fetched.

    python -m scripts.bench_sources FILE ...             files that are there
    python -m scripts.bench_sources --make urls FOLDER   a Parquet file of a million URLs
    python -m scripts.bench_sources --make tar --rows 20000 FOLDER  a tar of so many pictures of 100 kB

Prints a line of JSON for each file: records a second by the processor's time and by the clock, and the most
memory that a process of its own had resident, beside that of one which reads the first thousand records.
"""

from __future__ import annotations

import argparse
import json
import tarfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from threading import Event

from scripts.measure import peak_mebibytes, run_python

__all__ = ["main"]

PART = 50_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--make", choices=sorted(MAKERS), help="write such a file into the folder first")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--run", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.run is not None:
        print(json.dumps(_read(options.paths[0], options.run or None)))
        return
    paths = [MAKERS[options.make](options.paths[0], options.rows)] if options.make else options.paths
    for path in paths:
        first, whole = (
            json.loads(run_python("-m", "scripts.bench_sources", str(path), "--run", str(limit)))
            for limit in (1000, 0)
        )
        print(json.dumps({"source": path.name} | whole | {"mebibytes_of_1000": first["mebibytes"]}))


def _read(path: Path, limit: int | None) -> dict[str, float]:
    from esclip.sources import open_source

    source = open_source([path])
    began, used = time.perf_counter(), time.process_time()
    number = sum(1 for _ in islice(source.records(Event()), limit))
    return {
        "records": number,
        "records_per_cpu_second": round(number / (time.process_time() - used)),
        "records_per_second": round(number / (time.perf_counter() - began)),
        "mebibytes": round(peak_mebibytes()),
    }


def _make_urls(folder: Path, rows: int) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = folder / f"urls-{rows}.parquet"
    columns = ("id", "url", "caption", "width", "similarity", "license")
    types = (pa.string(), pa.string(), pa.string(), pa.int64(), pa.float64(), pa.string())
    with pq.ParquetWriter(file, schema := pa.schema(zip(columns, types, strict=True))) as writer:
        for first in range(0, rows, PART):
            numbers = range(first, min(first + PART, rows))
            writer.write_table(
                pa.table(
                    [
                        [f"p{n}" for n in numbers],
                        [f"https://images.example.org/photos/{n}.jpg?w=640" for n in numbers],
                        [f"a caption of picture number {n}" for n in numbers],
                        list(numbers),
                        [n / rows for n in numbers],
                        ["cc-by"] * len(numbers),
                    ],
                    schema=schema,
                )
            )
    return file


def _make_tar(folder: Path, rows: int) -> Path:
    """With holes in place of the pictures' bytes, which are not read."""
    file = folder / f"shard-{rows}.tar"
    with file.open("wb") as stream:
        for number in range(rows):
            texts = (("txt", b"a caption"), ("json", b'{"likes": 12, "license": "cc-by"}'))
            for suffix, data in (("jpg", None), *texts):
                info = tarfile.TarInfo(f"{number:09}.{suffix}")
                info.size = 100_000 if data is None else len(data)
                stream.write(info.tobuf())
                stream.write(data or b"")
                end = stream.tell() + (info.size if data is None else 0)
                stream.seek(-end % tarfile.BLOCKSIZE + end)
        stream.write(bytes(2 * tarfile.BLOCKSIZE))
    return file


MAKERS = {"urls": _make_urls, "tar": _make_tar}

if __name__ == "__main__":
    main()
