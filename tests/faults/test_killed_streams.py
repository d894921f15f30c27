"""A server that is killed, or told to end, in the middle of a stream of documents; the same stream again."""

from __future__ import annotations

import base64
import json
import random
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from esclip import open_index
from tests.e2e.test_interrupt import start
from tests.faults.material import Dataset
from tests.faults.target import Target
from tests.faults.whole import RawDocument

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]

DOCUMENTS = 1200
"""More than are looked up in the store at once, so that there is a middle."""
END_S = 30.0


def test_a_stream_that_is_sent_again_completes_the_index(dataset: Dataset, tmp_path: Path, seed: int) -> None:
    """After `kill -9` and SIGTERM the index becomes that of an undisturbed ingest, with all that was replied.

    A server that is ended by SIGTERM says how far the stream came.
    """
    documents = _documents(dataset)
    target, undisturbed = (Target(str(tmp_path / name), "photos") for name in ("killed", "undisturbed"))
    with open_index(undisturbed.store, undisturbed.index, encoder="palette") as index:
        index.add(
            {"id": one["id"], "image": base64.b64decode(one["image"]), **one["metadata"]} for one in documents
        )
    chance, replied = random.Random(seed), set[str]()
    for number in (signal.SIGKILL, signal.SIGTERM):
        with _serving(tmp_path, target) as (server, running), _Stream(server, documents) as stream:
            replied.update(reply["id"] for reply in stream.read(chance.randint(1, DOCUMENTS - 500)))
            began = time.monotonic()
            running.send_signal(number)
            report = [reply["report"] for reply in stream.read(DOCUMENTS + 1) if "report" in reply]
            running.wait(END_S)
            assert time.monotonic() - began < END_S
        assert replied <= {one["id"] for one in target.held()}
    assert running.returncode == 0
    assert (report[0]["stopped"], report[0]["rejected"]) == (True, 0)
    assert report[0]["read"] == report[0]["written"] + report[0]["unchanged"] <= target.count()
    with _serving(tmp_path, target) as (server, running), _Stream(server, documents) as stream:
        *_, last = stream.read(DOCUMENTS + 1)
        running.terminate()
        running.wait(END_S)
    assert (last["report"]["read"], last["report"]["rejected"]) == (DOCUMENTS, 0)
    assert last["report"]["unchanged"] >= len(replied) > 0
    assert _by_id(target) == _by_id(undisturbed)


def _documents(dataset: Dataset) -> list[dict[str, Any]]:
    files = sorted(dataset.images.iterdir())[:DOCUMENTS]
    return [
        {
            "id": file.stem,
            "image": base64.b64encode(file.read_bytes()).decode(),
            "metadata": {"number": number, "shop": f"shop {number % 7}"},
        }
        for number, file in enumerate(files)
    ]


def _by_id(target: Target) -> dict[str, RawDocument]:
    return {document["id"]: document for document in target.held()}


@contextmanager
def _serving(home: Path, target: Target) -> Iterator[tuple[tuple[str, int], Any]]:
    """A server of the target that may be written to, and its address."""
    with start(
        home, "serve", "--writable", "--port", "0", "--encoder", "palette", *target.options
    ) as running:
        try:
            told = next(
                found for line in running.stderr or () if (found := re.search(r"//(\S+):(\d+);", line))
            )
            yield (told[1], int(told[2])), running
        finally:
            running.kill()


class _Stream:
    """Documents that a thread sends, and what is replied meanwhile."""

    def __init__(self, server: tuple[str, int], documents: list[dict[str, Any]]) -> None:
        self._socket = socket.create_connection(server, timeout=60)
        body = b"".join(json.dumps(one).encode() + b"\n" for one in documents)
        head = (
            f"POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._sending = threading.Thread(target=self._send, args=(head.encode() + body,))
        self._response = HTTPResponse(self._socket, method="POST")

    def __enter__(self) -> _Stream:
        self._sending.start()
        self._response.begin()
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
        self._sending.join()

    def read(self, most: int) -> Iterator[dict[str, Any]]:
        """So many further replies, or fewer where the connection ends."""
        with suppress(ConnectionError):
            for _ in range(most):
                line = self._response.readline()
                if not line.endswith(b"\n"):
                    return
                yield json.loads(line)

    def _send(self, data: bytes) -> None:
        with suppress(OSError):  # the server is killed meanwhile
            self._socket.sendall(data)
