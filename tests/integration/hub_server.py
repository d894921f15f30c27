"""A hub on this machine: serves model folders the way `huggingface_hub` asks for them."""

from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any

__all__ = ["HubServer"]

_COMMIT = "0" * 39 + "1"
_EXPORTS = ["onnx/model.onnx", "onnx/config.json", "openvino/openvino_model.bin"]


class HubServer:
    """Serves each folder as the repository of its name; a context manager."""

    def __init__(self, folders: list[Path], owner: str = "sentence-transformers") -> None:
        """Serve `folders`; their lists name other formats too, which fail a client that asks for them."""
        repositories = {f"{owner}/{folder.name}": folder for folder in folders}

        class Requests(_Requests):
            served = repositories

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> HubServer:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Requests(BaseHTTPRequestHandler):
    served: dict[str, Path]
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].lstrip("/")
        for name, folder in self.served.items():
            if path in (f"api/models/{name}", f"api/models/{name}/revision/main"):
                return self._send_json(_info(name, folder))
            if path.startswith(f"api/models/{name}/tree/"):
                return self._send_json([_entry(folder, file) for file in _files(folder)])
            if path.startswith(f"{name}/resolve/"):
                return self._send_file(folder / path.split("/", 4)[4])
        return self._send(404, b"", {"X-Error-Code": "RepoNotFound"})

    def _send_file(self, file: Path) -> None:
        if not file.is_file():
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        data = file.read_bytes()
        headers = {"ETag": f'"{_etag(file, data)}"', "X-Repo-Commit": _COMMIT}
        return self._send(200, data, headers)

    def _send_json(self, data: Any) -> None:
        self._send(200, json.dumps(data).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


def _info(name: str, folder: Path) -> dict[str, Any]:
    siblings = [{"rfilename": file} for file in _files(folder)]
    return {"_id": "1", "id": name, "modelId": name, "sha": _COMMIT, "private": False, "siblings": siblings}


def _entry(folder: Path, file: str) -> dict[str, Any]:
    data = (folder / file).read_bytes() if (folder / file).is_file() else b""
    entry: dict[str, Any] = {"type": "file", "path": file, "size": len(data), "oid": _git_hash(data)}
    if file.endswith(".safetensors"):
        entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 1}
    return entry


def _files(folder: Path) -> list[str]:
    files = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    again = [file.with_name("pytorch_model.bin") for file in files if file.suffix == ".safetensors"]
    return [str(file) for file in files + again] + _EXPORTS


def _etag(file: Path, data: bytes) -> str:
    """Large files are named by their SHA-256, as the hub does it, the others by git's hash."""
    return hashlib.sha256(data).hexdigest() if file.suffix == ".safetensors" else _git_hash(data)


def _git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\x00" % len(data) + data).hexdigest()
