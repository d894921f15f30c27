"""What the search service takes beside the library in one process: one client, many, more than it admits.

    made-up Unsplash records, random vectors ─► one embedded index ─┬─► open_index, callers in threads
                                                                    └─► esclip serve ◄─ wrk, a probe

Both search the same index with the same model for the same texts, in turns within one run. wrk asks
(`apt-get install wrk`): a client in Python would take more of the cores than the service does.

    python -m scripts.bench_serve                     # full-size models with random weights, made on the spot
    python -m scripts.bench_serve --models models     # a folder that holds them
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any
from urllib.parse import quote

import numpy as np

from esclip import load_encoder, open_index
from scripts.bench_encode import models_in
from scripts.bench_query import plant, texts_of, towers
from scripts.measure import machine

__all__ = ["main"]

K = 10
INDEX = "pictures"
CLIENTS = (16, 64)
TOO_MANY = 256
QUEUE = 128
SLOW = 200
"""Connections that send half a head and wait."""

Figures = dict[str, float]

LUA = """
local paths, at = {%s}, 0
request = function() at = at %% #paths + 1; return wrk.format("GET", paths[at]) end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"p50": %%f, "rate": %%f, "refused": %%d, "broken": %%d}',
    latency:percentile(50) / 1000, summary.requests / summary.duration * 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of medians."""
    parser = argparse.ArgumentParser(description="Measure the search service beside the library.")
    parser.add_argument("--documents", type=int, default=25_000)
    parser.add_argument("--models", type=Path, help="a folder for the models; those it lacks are made")
    parser.add_argument("--palette", action="store_true", help="with the encoder that needs no model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of each load")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rounds and medians here as well")
    parser.add_argument("--measure", choices=["library"], help=argparse.SUPPRESS)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.measure:
        print(json.dumps(_library(given.store, given.models)))
        return
    with TemporaryDirectory(prefix="bench-serve-") as folder:
        models = None if given.palette else given.models or Path(folder) / "models"
        if models:
            models_in(models, "full")
        plant(Path(folder), {INDEX: load_encoder(*_encoder(models))}, given.documents)
        rounds = [_round(Path(folder), models, given.seconds) for _ in range(given.rounds)]
    medians = {name: median(one[name] for one in rounds) for name in rounds[0]}
    for name, fact in machine().items():
        print(f"{name}: {fact}")
    print(f"{given.documents:,} documents, {given.rounds} rounds, medians\n\n| | |\n|---|---|")
    for name, value in medians.items():
        print(f"| {name} | {value:.3g} |")
    if given.json:
        found = {"facts": machine(), "medians": medians, "rounds": rounds}
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _encoder(models: Path | None) -> tuple[str, ...]:
    """The names of its towers."""
    return tuple(map(str, towers(models))) if models else ("palette",)


def _round(folder: Path, models: Path | None, seconds: int) -> Figures:
    own = [
        sys.executable,
        "-m",
        "scripts.bench_serve",
        "--measure",
        "library",
        "--store",
        str(folder / "store"),
    ]
    named = ["--models", str(models)] if models else []
    ran = subprocess.run([*own, *named], check=True, capture_output=True, text=True)
    library: Mapping[str, float] = json.loads(ran.stdout)
    figures: Figures = {f"library, {name}": value for name, value in library.items()}
    with _serving(folder, models) as (process, address, ready):
        figures["service, ready, s"] = ready
        figures |= _one_client(address, library)
        for clients in CLIENTS:
            load = _load(address, clients, seconds, folder)
            figures |= {f"{clients} clients, {name}": value for name, value in load.items()}
            figures[f"{clients} clients, share of the library's rate"] = (
                load["rate"] / library["16 callers, queries/s"]
            )
        figures |= _slow_connections(address)
        figures |= _too_many(address, process.pid, seconds, folder)
        figures |= _stopped(address, process)
    return figures


def _library(store: Path, models: Path | None) -> Figures:
    """The library in one process: a caller, one that asks what was asked before, and 16 at once."""
    index = open_index(store, INDEX, load_encoder(*_encoder(models)))
    texts = texts_of(200)

    def search(text: str) -> float:
        began = time.perf_counter()
        index.search_text(text, K)
        return time.perf_counter() - began

    for text in texts[:20]:
        search(text)
    figures = {"p50, ms": 1000 * median(map(search, texts))}
    figures["asked before, p50, ms"] = 1000 * median(search(texts[0]) for _ in texts)
    began = time.perf_counter()
    with ThreadPoolExecutor(16) as callers:
        list(callers.map(search, texts * 2))
    return figures | {"16 callers, queries/s": 2 * len(texts) / (time.perf_counter() - began)}


@contextmanager
def _serving(folder: Path, models: Path | None) -> Iterator[tuple[subprocess.Popen[str], str, float]]:
    """The service, its host with port, and the seconds until it was ready."""
    names = zip(("--encoder", "--text-encoder"), _encoder(models), strict=False)
    options = ["--store", str(folder / "store"), "--index", INDEX, *(word for name in names for word in name)]
    command = [sys.executable, "-m", "esclip", "serve", "--port", "0", "--queue", str(QUEUE), *options]
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, "--thumbnails", str(folder / "thumbnails")], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr
            found = None
            while not found:
                found = re.search(r"http://([\d.]+:\d+)", process.stderr.readline())
            Thread(target=process.stderr.read, daemon=True).start()  # or a full pipe would hold it up
            while _ask(found[1], "/readyz")[0] != 200:
                time.sleep(0.01)
            yield process, found[1], time.perf_counter() - began
        finally:
            process.kill()


def _ask(address: str, path: str) -> tuple[int, float]:
    """Status and seconds of a request on a connection of its own."""
    began = time.perf_counter()
    connection = HTTPConnection(address, timeout=60)
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, time.perf_counter() - began


def _path(text: str) -> str:
    return f"/v1/search?q={quote(text)}&k={K}"


def _one_client(address: str, library: Mapping[str, float]) -> Figures:
    """One after another on one connection."""
    texts = texts_of(200)
    for text in texts[:20]:
        _ask(address, _path(text))
    p50, again = _p50(address, texts), _p50(address, texts[:1] * 200)
    return {
        "one client, p50, ms": p50,
        "one client, added to the library's p50, ms": p50 - library["p50, ms"],
        "one client, asked before, p50, ms": again,
    }


def _p50(address: str, texts: Sequence[str]) -> float:
    """Milliseconds of the median request on one connection."""
    connection = HTTPConnection(address, timeout=60)
    taken = []
    for text in texts:
        began = time.perf_counter()
        connection.request("GET", _path(text))
        response = connection.getresponse()
        response.read()
        assert response.status == 200
        taken.append(time.perf_counter() - began)
    connection.close()
    return 1000 * median(taken)


def _load(address: str, clients: int, seconds: int, folder: Path) -> Figures:
    """What wrk saw: p50 in ms, requests a second, responses other than a success, broken connections."""
    script = folder / "load.lua"
    script.write_text(LUA % ", ".join(f'"{_path(text)}"' for text in texts_of(200)), encoding="utf-8")
    command = ["wrk", "--threads", "1", "--connections", str(clients), "--duration", f"{seconds}s"]
    ran = subprocess.run(
        [*command, "--timeout", "30s", "--script", str(script), f"http://{address}"],
        check=True,
        capture_output=True,
        text=True,
    )
    found: Figures = json.loads(ran.stdout[ran.stdout.rindex("{") :])
    return found


def _slow_connections(address: str) -> Figures:
    """How much longer the others take while many connections send half a head."""
    texts = texts_of(100)
    alone = _p50(address, texts)
    host, _, port = address.partition(":")
    with ExitStack() as stack:
        for _ in range(SLOW):
            slow = stack.enter_context(socket.create_connection((host, int(port))))
            slow.sendall(b"GET /v1/search HTTP/1.1\r\nHost: ")
        return {f"{SLOW} slow connections, p50 of others to before": _p50(address, texts) / alone}


def _too_many(address: str, pid: int, seconds: int, folder: Path) -> Figures:
    """More clients than are admitted, and what a probe sees: how soon it is refused, and that it lives."""
    before, over = _resident(pid), Event()
    refused: list[float] = []
    alive: list[float] = []
    most = before

    def probe() -> None:
        nonlocal most
        while not over.is_set():
            status, taken = _ask(address, _path("a red dog"))
            refused.extend([taken] if status == 503 else [])
            alive.append(_ask(address, "/livez")[1])
            most = max(most, _resident(pid))
            time.sleep(0.02)

    with ThreadPoolExecutor(8) as probes:
        running = [probes.submit(probe) for _ in range(8)]
        load = _load(address, TOO_MANY, seconds, folder)
        over.set()
        for one in running:
            one.result()
    name = f"{TOO_MANY} clients, queue of {QUEUE}"
    return {
        f"{name}, broken": load["broken"],
        f"{name}, refused of the probe": len(refused),
        f"{name}, refused within, p50, ms": 1000 * float(np.percentile(refused or [0], 50)),
        f"{name}, refused within, p95, ms": 1000 * float(np.percentile(refused or [0], 95)),
        f"{name}, /livez p50, ms": 1000 * float(np.percentile(alive, 50)),
        f"{name}, /livez p95, ms": 1000 * float(np.percentile(alive, 95)),
        f"{name}, memory added, MiB": most - before,
    }


def _resident(pid: int) -> float:
    """MiB of a process."""
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text("utf-8"))
    return int(kilobytes) / 1024


def _stopped(address: str, process: subprocess.Popen[Any]) -> Figures:
    """SIGTERM with 64 requests in flight: those that were not answered, and the seconds to the end."""
    connections = [HTTPConnection(address, timeout=60) for _ in range(64)]
    _await_idle(address)
    before = _arrived(address)
    for connection, text in zip(connections, texts_of(len(connections)), strict=True):
        connection.request("GET", _path(text))
    while _arrived(address) < before + len(connections):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    began = time.perf_counter()
    with ThreadPoolExecutor(len(connections)) as clients:
        dropped = sum(not answered for answered in clients.map(_is_answered, connections))
    process.wait(60)
    return {
        "SIGTERM with 64 in flight, dropped": dropped,
        "SIGTERM, s to the end": time.perf_counter() - began,
    }


def _await_idle(address: str) -> None:
    """Wait for the searches whose clients have gone: of those not each is counted at its end."""
    while _counted(address, "active_requests") > 1:  # the one that asks
        time.sleep(0.01)


def _arrived(address: str) -> float:
    """How many searches the service has counted, answered or not."""
    return _counted(address, r'(?:active_requests|request_duration_seconds_count{.*"/v1/search"})')


def _counted(address: str, name: str) -> float:
    """The sum of the service's metrics of this name."""
    connection = HTTPConnection(address, timeout=60)
    connection.request("GET", "/metrics")
    metrics = connection.getresponse().read().decode()
    connection.close()
    return sum(map(float, re.findall(rf"^http_server_{name} ([\d.]+)$", metrics, re.MULTILINE)))


def _is_answered(connection: HTTPConnection) -> bool:
    """Whether the response to its request comes whole."""
    try:
        response = connection.getresponse()
        response.read()
    except OSError:
        return False
    finally:
        connection.close()
    return response.status == 200


if __name__ == "__main__":
    main()
