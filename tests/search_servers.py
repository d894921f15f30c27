"""Search services in threads, and requests to them, for tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

from esclip import ImageIndex
from esclip._server.http import Limits
from esclip._server.http_server import HttpServer
from esclip._server.search_app import SearchApp
from esclip._server.search_service import ServiceOptions

JSON = {"Content-Type": "application/json"}


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The kind of problem, whose form is checked."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.json["status"] == self.status
        assert self.json["title"]
        assert self.json["request"]
        return str(self.json["type"]).removeprefix("/problems/")


def ask(
    server: HttpServer[SearchApp],
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """The answer to a request; a body that is no bytes is sent as JSON."""
    sent = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body, sent = json.dumps(body).encode(), JSON | sent
    connection = HTTPConnection(server.address.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


@contextmanager
def searching(
    index: ImageIndex, cache: Path, *, limits: Limits | None = None, **options: Any
) -> Iterator[HttpServer[SearchApp]]:
    """A running service of an index, which it closes; thumbnails are kept in `cache`."""
    app = SearchApp(index, ServiceOptions(thumbnails=cache, **options), limits)
    with HttpServer(app, host="127.0.0.1", port=0, limits=limits) as server:
        running = threading.Thread(target=server.run)
        running.start()
        try:
            yield server
        finally:
            server.stop()
            running.join()
