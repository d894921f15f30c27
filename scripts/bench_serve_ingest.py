"""How fast documents are written over HTTP, against the library in one process; and in how much memory.

    python -m scripts.bench_serve_ingest                               # rates
    python -m scripts.bench_serve_ingest --memory --documents 100000   # memory on the way

Small JPEGs, each with bytes of its own, the encoder `palette`, an embedded folder. The client prepares its
lines before the clock starts, and shares the cores with the server.
"""

from __future__ import annotations

import argparse
import base64
import io
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from esclip import open_index
from scripts.measure import machine, measure, print_table, write_json

__all__ = ["main"]

LIBRARY, SERVICE = "index.add", "POST /v1/documents"
DRAWN = 500
"""Different pictures; others have the same pixels, and other bytes."""
SAMPLES = 10


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of rates, or of memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--pixels", default="320x240", help="size of the pictures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the results here, too")
    parser.add_argument("--memory", action="store_true", help="measure memory instead")
    options = parser.parse_args(arguments)
    pictures = _draw(*map(int, options.pixels.split("x")))
    facts = machine() | {"pictures": f"{options.documents:,} JPEGs of {options.pixels}"}
    for name, value in facts.items():
        print(f"{name}: {value}")
    if options.memory:
        _print_memory(pictures, options.documents)
        return
    busy: dict[str, list[float]] = {LIBRARY: [], SERVICE: []}
    rows = measure(
        {
            LIBRARY: partial(_rate_of_library, pictures, options.documents, busy[LIBRARY]),
            SERVICE: partial(_rate_of_service, pictures, options.documents, busy[SERVICE]),
        },
        unit="documents/s",
        rounds=options.rounds,
        baseline=LIBRARY,
    )
    print_table("documents", rows)
    for name, seconds in busy.items():
        each = 1000 * median(seconds[1:]) / options.documents
        print(f"{name}: {each:.3f} ms of processor time a document")
    if options.json:
        write_json(options.json, facts, rows)


def _draw(width: int, height: int) -> list[bytes]:
    """JPEGs with some detail."""
    random = np.random.default_rng(0)
    pictures = []
    for _ in range(DRAWN):
        soft = Image.fromarray(random.integers(0, 256, (6, 8, 3), np.uint8)).resize((width, height))
        file = io.BytesIO()
        soft.save(file, "JPEG", quality=85)
        pictures.append(file.getvalue())
    return pictures


def _documents(pictures: Sequence[bytes], count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        data = pictures[number % len(pictures)] + b"%09d" % number  # behind the picture's end
        yield {"id": f"{number:09}", "image": data, "shop": f"shop {number % 7}", "price": number % 100}


def _lines(pictures: Sequence[bytes], count: int) -> Iterator[bytes]:
    for one in _documents(pictures, count):
        image = base64.b64encode(one["image"]).decode()
        metadata = {"shop": one["shop"], "price": one["price"]}
        yield json.dumps({"id": one["id"], "image": image, "metadata": metadata}).encode() + b"\n"


def _rate_of_library(pictures: Sequence[bytes], count: int, busy: list[float]) -> float:
    documents = list(_documents(pictures, count))
    with (
        tempfile.TemporaryDirectory() as folder,
        open_index(folder, encoder="palette") as index,
    ):
        index.add({"id": "first", "image": pictures[0]}, show_progress=False)
        began, busy_before = time.perf_counter(), time.process_time()
        report = index.add(iter(documents), show_progress=False)
        busy.append(time.process_time() - busy_before)
        assert report.written == count
        return count / (time.perf_counter() - began)


def _rate_of_service(pictures: Sequence[bytes], count: int, busy: list[float]) -> float:
    body = [b"".join(_lines(pictures, count))]
    with tempfile.TemporaryDirectory() as folder, _serving(folder) as (port, process):
        _put(port, pictures[0])
        began, busy_before = time.perf_counter(), time.process_time() + _busy_seconds(process)
        *_, last = _stream(port, body)
        busy.append(time.process_time() + _busy_seconds(process) - busy_before)
        assert last["report"]["written"] == count
        return count / (time.perf_counter() - began)


def _print_memory(pictures: Sequence[bytes], count: int) -> None:
    print("\n| | documents | seconds | resident |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, _serving(folder) as (port, process):
        _put(port, pictures[0])
        sample = _sampler(SERVICE, process, count)
        for _ in _stream(port, _lines(pictures, count)):
            sample()
    with tempfile.TemporaryDirectory() as folder, open_index(folder, encoder="palette") as index:
        index.add({"id": "first", "image": pictures[0]}, show_progress=False)
        sample = _sampler(LIBRARY, os.getpid(), count)
        index.add(_documents(pictures, count), on_outcome=lambda _: sample(), show_progress=False)
        sample()


def _sampler(name: str, process: int, count: int) -> Callable[[], None]:
    """What prints a process's memory when it is called so many times, ten times, and once more at the end."""
    numbers, began = itertools.count(1), time.perf_counter()

    def sample() -> None:
        number = next(numbers)
        if number % (count // SAMPLES) == 0 or number > count:
            seconds = time.perf_counter() - began
            end = ", and the end" if number > count else ""
            memory = _mebibytes(process, "VmRSS")
            print(f"| {name} | {min(number, count):,}{end} | {seconds:.1f} | {memory} MiB |", flush=True)

    return sample


def _busy_seconds(process: int) -> float:
    """Processor time of a process, of this system and of its programs."""
    times = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def _mebibytes(process: int, name: str) -> int:
    status = Path(f"/proc/{process}/status").read_text("ascii")
    return int(next(line for line in status.splitlines() if line.startswith(f"{name}:")).split()[1]) >> 10


@contextmanager
def _serving(store: str) -> Iterator[tuple[int, int]]:
    """A server of an index that doesn't exist yet: its port, its process."""
    command = ("-m", "esclip", "serve", "--writable", "--port", "0", "--encoder", "palette", "--store", store)
    with subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, text=True) as running:
        try:
            told = next(found for line in running.stderr or () if (found := re.search(r":(\d+);", line)))
            threading.Thread(target=lambda: [*(running.stderr or ())], daemon=True).start()
            yield int(told[1]), running.pid
        finally:
            running.terminate()


def _put(port: int, picture: bytes) -> None:
    """One document, so that all that is loaded once is loaded."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("PUT", "/v1/documents/first", picture, {"Content-Type": "image/jpeg"})
    assert connection.getresponse().status == 200
    connection.close()


def _stream(port: int, lines: Iterator[bytes] | Sequence[bytes]) -> Iterator[dict[str, Any]]:
    """The replies, read while another thread sends the lines."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.putrequest("POST", "/v1/documents")
    connection.putheader("Content-Type", "application/x-ndjson")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()

    def send() -> None:
        for data in lines:
            connection.send(b"%x\r\n%s\r\n" % (len(data), data))
        connection.send(b"0\r\n\r\n")

    sending = threading.Thread(target=send)
    sending.start()
    with HTTPResponse(connection.sock, method="POST") as response:
        response.begin()
        yield from map(json.loads, response)
    sending.join()
    connection.close()


if __name__ == "__main__":
    main()
