"""What an ingest sends to OpenSearch and Elasticsearch, as text: settings, mappings and documents."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.old_index import EXAMPLES, INDEX, MAKE, extract_old_index, run_steps

__all__ = ["render_engine_requests"]

ROOTS = {
    "OpenSearch": {"version": {"distribution": "opensearch", "number": "3.6.0"}},
    "Elasticsearch": {"version": {"number": "9.3.2"}, "tagline": "You Know, for Search"},
}


def render_engine_requests() -> str:
    """The indexes of both engines, as an ingest makes them."""
    return "\n".join(_describe(name, _ingest_into(root)) for name, root in ROOTS.items())


def _ingest_into(root: Any) -> _Recorder:
    recorder = _Recorder(root)
    with tempfile.TemporaryDirectory() as scratch, _running(recorder) as address:
        folder = Path(scratch) / "pictures"
        extract_old_index(folder)
        answers = run_steps(MAKE, folder, address)
    assert answers["make"]["status"] == 0, recorder.unknown
    return recorder


def _describe(name: str, recorder: _Recorder) -> str:
    indexes = [
        f"{name}: {index}\n{json.dumps(body, indent=1, sort_keys=True)}\n"
        for index, body in sorted(recorder.indexes.items())
    ]
    documents = [
        f"{name}: {index}/{id}\n{json.dumps(source, indent=1, sort_keys=True)}\n"
        for (index, id), source in sorted(recorder.documents.items())
        if id in EXAMPLES
    ]
    return "\n".join([*indexes, *documents])


class _Recorder:
    """Answers what an ingest asks an engine without documents, and keeps what it is told to keep."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.indexes: dict[str, Any] = {}
        self.documents: dict[tuple[str, str], Any] = {}
        self.unknown: list[str] = []

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Status and body."""
        index, _, action = path.partition("?")[0].strip("/").partition("/")
        if (
            index in (INDEX, f"{INDEX}_parts")
            and (index, action) != (index, "")
            and index not in self.indexes
        ):
            error = {"type": "index_not_found_exception", "reason": f"no such index [{index}]"}
            return 404, {"error": error, "status": 404}
        match method, action:
            case "PUT", "":
                self.indexes[index] = json.loads(body)
            case "PUT", "_mapping":
                told = json.loads(body)
                mappings = self.indexes[index]["mappings"]
                told["properties"] = {**mappings["properties"], **told["properties"]}
                mappings |= told
            case "POST", "_bulk":
                return 200, self._keep(index, body.splitlines())
            case "PUT", "_settings":
                pass  # refreshes, which are off while documents are written
            case _:
                return self._read(index, action, body) or self._wonder(f"{method} {path}")
        return 200, {"acknowledged": True}

    def _keep(self, index: str, lines: list[bytes]) -> Any:
        items = []
        for head, source in zip(lines[::2], lines[1::2], strict=True):
            ((action, about),) = json.loads(head).items()
            self.documents[index, about["_id"]] = {action: about, "source": json.loads(source)}
            items.append({action: {"status": 201}})
        return {"errors": False, "items": items}

    def _read(self, index: str, action: str, body: bytes) -> tuple[int, Any] | None:
        shards = {"total": 3, "successful": 3, "failed": 0}
        answers = {
            "": self.root,
            "health": {"number_of_data_nodes": 1},
            "_mapping": {index: {"mappings": self.indexes.get(index, {}).get("mappings")}},
            "_settings": {index: {"settings": self.indexes.get(index, {}).get("settings")}},
            "_stats/store": {"_all": {"total": {"store": {"size_in_bytes": 1}}}},
            "_segments": {},
            "_count": {"count": 0, "_shards": shards},
            "_refresh": {"_shards": shards},
            "_mget": {
                "docs": [{"_id": id, "found": False} for id in json.loads(body or "{}").get("ids", [])]
            },
            "_search": {"timed_out": False, "_shards": shards, "hits": {"hits": []}},
        }
        return (200, answers[action]) if action in answers else None

    def _wonder(self, request: str) -> tuple[int, Any]:
        self.unknown.append(request)
        return 404, {}


@contextmanager
def _running(recorder: _Recorder) -> Iterator[str]:
    """The address where it listens."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            status, answer = recorder.answer(self.command, self.path, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PUT = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
