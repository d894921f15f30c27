"""No field of any request reaches a file: a canary is named in each, and the interpreter tells who opens it.

OpenAPI ─► routes ─► parameters, headers, leaves of bodies ─► the canary's path in one of them ─► no `open`
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
from PIL import Image

import esclip
from esclip._server.http_server import HttpServer
from esclip._server.search_app import SearchApp
from esclip._server.url_fetcher import UrlFetcher
from esclip.sources.memory.given_record import RECORD_KEYS
from esclip.stores.memory import MemoryStore
from tests.audit import watching
from tests.search_servers import ask, searching

CANARY = "canary-5c1d.png"
DEPTH = 6
"""Levels of a body that are looked into."""


class Sent(NamedTuple):
    """A request, without its path's prefix."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = {}


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture that is in no index."""
    path = tmp_path_factory.mktemp("outside") / CANARY
    Image.new("RGB", (40, 30), "red").save(path)
    return path


@pytest.fixture(scope="module")
def opened() -> Iterator[list[str]]:
    """Where the canary is opened, looked at or listed."""
    found: list[str] = []

    def watch(event: str, values: tuple[Any, ...]) -> None:
        if event in ("open", "os.listdir", "os.scandir", "subprocess.Popen") and CANARY in str(values):
            found.append(f"{event} {values} in {threading.current_thread().name}")

    with watching(watch):
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer[SearchApp]]:
    """A service with all that it can be told to do."""
    folder = tmp_path_factory.mktemp("canary")
    Image.new("RGB", (40, 30), "blue").save(folder / "blue.png")
    with esclip.open_index(folder / "store", encoder="palette") as index:
        index.ingest(folder / "blue.png")
    index = esclip.open_index(folder / "store")
    every: dict[str, Any] = {
        "originals": True,
        "show_paths": True,
        "urls": UrlFetcher(seconds=1),
        "writable": True,
        "picture_hosts": ("pictures.invalid",),
        "agents": True,
    }
    with searching(index, folder / "cache", **every) as server:
        yield server


class Instances:
    """Instances of JSON schemas, which refer to those of a name."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas

    def with_value(self, schema: Any, value: str, depth: int) -> Iterator[Any]:
        """Instances of a schema, each with the value at one of its leaves."""
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        several = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if depth == 0:
            return
        if several:
            for one in several:
                yield from self.with_value(one, value, depth)
        elif schema.get("type") == "array":
            yield from ([one] for one in self.with_value(schema.get("items", {}), value, depth - 1))
        elif "properties" in schema:
            required = {name: self._least(schema["properties"][name]) for name in schema.get("required", ())}
            for name, about in schema["properties"].items():
                for one in self.with_value(about, value, depth - 1):
                    yield {**required, name: one}
        elif schema.get("type") != "null":
            yield value
            if schema.get("type") == "object":
                yield {value: value, "path": value, "image": value, "url": value}

    def _least(self, schema: Any) -> Any:
        """The smallest instance of a schema."""
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        several = schema.get("anyOf") or schema.get("oneOf")
        if several:
            return self._least(several[0])
        if "enum" in schema or "const" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        if "properties" in schema:
            return {name: self._least(schema["properties"][name]) for name in schema.get("required", ())}
        least = {"array": [self._least(schema["items"])] if "items" in schema else []}
        return {**least, "string": "x", "integer": 1, "number": 1, "boolean": True}.get(
            schema.get("type", "")
        )


class Api:
    """The routes that OpenAPI describes, and requests of them with a value in each place."""

    def __init__(self, description: Any) -> None:
        self._instances = Instances(description["components"]["schemas"])
        self.routes = [
            (method.upper(), path, about)
            for path, methods in description["paths"].items()
            for method, about in methods.items()
        ]

    def requests(self, method: str, path: str, about: Any, file: Path) -> Iterator[Sent]:
        """Requests of one route, with the path of a file in one place each, in bodies its URL, too."""
        content = about.get("requestBody", {}).get("content", {})
        bodies = [
            body
            for kind, schema in content.items()
            for value in (str(file), file.as_uri())
            for body in self._bodies(kind, schema, value)
        ]
        for sent, headers in bodies:
            yield Sent(method, _filled(path, "x"), sent, headers)
        first: tuple[bytes | None, dict[str, str]] = bodies[0] if bodies else (None, {})
        names = [one["name"] for one in about.get("parameters", ()) if one["in"] == "query"]
        for name in names:
            yield Sent(method, f"{_filled(path, 'x')}?{urlencode({name: file})}", *first)
        for name in ("Content-Type", "Referer", "If-None-Match", "X-Forwarded-Host", "Range"):
            yield Sent(method, _filled(path, "x"), first[0], {**first[1], name: str(file)})
        for id in (str(file), f"../{file}"):
            yield Sent(method, _filled(path, quote(id, safe="")), *first)
            yield Sent(method, _filled(path, quote(id)), *first)

    def _bodies(self, kind: str, about: Any, value: str) -> Iterator[tuple[bytes, dict[str, str]]]:
        headers = {"Content-Type": kind.replace("*", "png")}
        if kind != "application/json":
            lines = [
                line
                for name in RECORD_KEYS
                for line in ({"id": name, name: value}, {"id": name, "image": "", "metadata": {name: value}})
            ]
            yield value.encode(), headers
            yield "\n".join(map(json.dumps, lines)).encode(), headers
            return
        for body in self._instances.with_value(about["schema"], value, DEPTH):
            yield json.dumps(body).encode(), headers


def _filled(path: str, value: str) -> str:
    """A path with a value for its parameters."""
    before, opening, rest = path.partition("{")
    return before + value + _filled(rest.partition("}")[2], value) if opening else path


def test_no_field_of_a_request_reaches_a_file(
    server: HttpServer[SearchApp], canary: Path, opened: list[str]
) -> None:
    """Whatever names it, as a path or as a URL, in whichever place, it stays closed; nothing fails."""
    connection = HTTPConnection(server.address.removeprefix("http://"), timeout=60)
    connection.request("GET", "/openapi.json")
    api = Api(json.load(connection.getresponse()))
    assert len(api.routes) > 15
    failed, sent = [], 0
    for method, path, about in api.routes:
        for request in api.requests(method, path, about, canary):
            connection.request(request.method, request.path, request.body, dict(request.headers))
            answer = connection.getresponse()
            answer.read()
            sent += 1
            if answer.status == 500:
                failed.append(request)
    connection.close()
    assert opened == []
    assert failed == []
    assert sent > 10 * len(api.routes)


def test_no_argument_of_a_tool_reaches_a_file(
    server: HttpServer[SearchApp], canary: Path, opened: list[str]
) -> None:
    """What agents may call is described by itself, and names no file either."""

    def call(method: str, **parameters: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        headers = {"Accept": "application/json, text/event-stream"}
        return ask(server, "POST", "/mcp", body, headers).json["result"]

    called = 0
    for tool in call("tools/list")["tools"]:
        schema = tool["inputSchema"]
        instances = Instances(schema.get("$defs", {}))
        for value in (str(canary), canary.as_uri()):
            for arguments in instances.with_value(schema, value, DEPTH):
                call("tools/call", name=tool["name"], arguments=arguments)
                called += 1
    assert opened == []
    assert called > 20


def test_the_canary_would_be_seen(canary: Path, opened: list[str]) -> None:
    """The library, which trusts its caller, opens a path that it is given: the test above sees that."""
    seen = len(opened)
    index = esclip.open_index(MemoryStore("seen"), encoder="palette")
    index.add([canary])
    index.search_image(str(canary))
    index.close()
    assert len(opened) >= seen + 2
    del opened[seen:]
