"""A small HTTP server that answers bulk requests as told: for failures that no engine makes on command.

It never stands for an engine: what esclip says to one, and what comes back, is tested on real ones.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

from esclip.stores.engine.index_bodies import mapping_body
from esclip.testing.documents import SCHEMA

__all__ = ["OPENSEARCH", "Answer", "Asked", "EngineDouble", "as_json", "running"]

Answer: TypeAlias = tuple[int, str, bytes] | None
"""Status, content type and body; None breaks the connection."""

OPENSEARCH = {"version": {"distribution": "opensearch", "number": "3.6.0"}}


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def as_json(status: int, body: Any) -> Answer:
    """An answer in JSON."""
    return status, "application/json", json.dumps(body).encode()


class EngineDouble:
    """Answers with `root` at /, knows one index, and keeps what bulk requests write unless told otherwise."""

    def __init__(self) -> None:
        self.address = ""
        self.root: Answer = as_json(200, OPENSEARCH)
        self.nodes: Answer = as_json(404, {})
        self.count: Answer = as_json(200, {"count": 0, "_shards": {"total": 3, "failed": 0}})
        self.fault: Callable[[int, bytes], Answer] = lambda number, body: None
        """Called with each bulk request's number from 0 and its body; an answer replaces the usual one."""
        self.lock: Callable[[Asked], Answer] = lambda asked: None
        """Called with each request; an answer replaces the usual one."""
        self.item_status: Callable[[int, str], int] = lambda number, id: 201
        """Called with each bulk request's number and each document's id."""
        self.errors: dict[int, dict[str, str]] = {}
        """What documents with a status are told, instead of `made_up_STATUS: because`."""
        self.retry_after: str | None = None
        """The header of that name, of all answers."""
        self.in_flight = 0
        self.at_once: list[int] = []
        """How many bulk requests there were when each came, itself included."""
        self.broken: set[int] = set()
        """Numbers of bulk requests whose connection breaks."""
        self.bulks: list[bytes] = []
        self.documents: dict[str, Any] = {}
        self.asked: list[Asked] = []
        self.credentials: set[str | None] = set()
        self.paths: list[str] = []
        self._lock = threading.Lock()

    def answer(self, path: str, body: bytes) -> Answer:
        """What is sent back for one request."""
        self.paths.append(path)
        match path.partition("?")[0].rstrip("/").rpartition("/")[2]:
            case "_bulk":
                return self._bulk(body)
            case "_mapping":
                return as_json(200, {"x": {"mappings": {"dynamic": "false", **mapping_body(SCHEMA, {})}}})
            case "_count":
                return self.count
            case "_local":
                return self.nodes
            case _:
                return self.root

    def sent(self) -> list[list[str]]:
        """The ids in each bulk request."""
        return [_ids(body) for body in self.bulks]

    def _bulk(self, body: bytes) -> Answer:
        with self._lock:
            number = len(self.bulks)
            self.bulks.append(body)
            self.in_flight += 1
            self.at_once.append(self.in_flight)
        try:
            return self._written(number, body)
        finally:
            with self._lock:
                self.in_flight -= 1

    def _written(self, number: int, body: bytes) -> Answer:
        if number in self.broken:
            return None
        if (told := self.fault(number, body)) is not None:
            return told
        lines = body.splitlines()
        items: list[dict[str, Any]] = []
        for head, source in zip(lines[::2], lines[1::2], strict=True):
            ((action, named),) = json.loads(head).items()
            id = named["_id"]
            status = self.item_status(number, id)
            if status < 300:
                self.documents[id] = json.loads(source)
                items.append({action: {"status": status}})
            else:
                error = self.errors.get(status, {"type": f"made_up_{status}", "reason": "because"})
                items.append({action: {"status": status, "error": error}})
        return as_json(200, {"errors": True, "items": items})


def _ids(body: bytes) -> list[str]:
    return [named["_id"] for head in body.splitlines()[::2] for named in json.loads(head).values()]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up, for it trusts no certificate, is no error of the server."""


@contextmanager
def running(path: str = "", tls: ssl.SSLContext | None = None) -> Iterator[EngineDouble]:
    """A double that listens, `path` being where it believes to be mounted; with `tls`, over HTTPS."""
    double = EngineDouble()

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = (
            True  # a body written after its head would wait 40 ms for an acknowledgement
        )
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            double.credentials.add(self.headers["Authorization"])
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            asked = Asked(self.command, self.path, dict(self.headers), body)
            double.asked.append(asked)
            answer = double.lock(asked) or double.answer(self.path, body)
            if answer is None:
                self.close_connection = True
                return
            status, kind, text = answer
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            if double.retry_after is not None:
                self.send_header("Retry-After", double.retry_after)
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    double.address = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}{path}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
