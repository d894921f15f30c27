"""The search service: one index behind HTTP, for programs and for a page.

request's head ─► Guard ─► body ─► route (routes/) ─► worker thread ─► facade ─► JSON
                    └────────┴────────────────┴──────────────────────────────────────────► Problem
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from threading import Thread

import anyio.to_thread

from esclip._concurrency.retry import patience_scope
from esclip._index import ImageIndex
from esclip._server.admission import BodyReader, read_head, send_response
from esclip._server.document_stream import STREAM_PATH
from esclip._server.http import HttpError, Limits, Message, Receive, RequestHead, Response, Send
from esclip._server.index_follower import IndexFollower
from esclip._server.page.login import is_for_browser, login_response
from esclip._server.problems import Problem, ProblemType, problem_of
from esclip._server.routes import make_routes
from esclip._server.search_service import STORE_PATIENCE_S, SearchService, ServiceOptions

MAX_BODY = 32 << 20
"""Bytes: a picture of 20 MB in base64, and a query around it."""

SEARCHES = "/v1/search"
"""What the paths of searches begin with."""

READS = frozenset({"/", "/v1/facets", "/v1/classify", "/v1/embeddings"})
"""Further paths at which a POST changes nothing."""

FORMER_S = 1.0
"""Seconds from one look to the next whether an index is still in use that is served no more."""

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_log = logging.getLogger("esclip")


class SearchApp:
    """The ASGI application. It closes the index when it is closed."""

    def __init__(self, index: ImageIndex, options: ServiceOptions, limits: Limits | None = None) -> None:
        """Respond by this index. Connects to nothing yet."""
        limits = limits or Limits()
        self._bodies = BodyReader(limits, MAX_BODY)
        self._current = _Served(SearchService(index, options, limits))
        self._former: list[_Served] = []
        self.follower = IndexFollower(lambda: self._current.service.index, self._swap)
        """Not started: the index stays the one that it is."""

    @property
    def service(self) -> SearchService:
        """That of the index that is served now."""
        return self._current.service

    @property
    def stopping(self) -> bool:
        """Set by the server when no new work shall begin."""
        return self.service.stopping

    @stopping.setter
    def stopping(self, stopping: bool) -> None:
        if stopping:
            for served in (self._current, *self._former):
                served.service.stop()

    def close(self) -> None:
        """End jobs and the threads that encode, and close the index."""
        self.follower.close()
        self.service.close()
        for served in [*self._former]:
            served.service.close_index()

    def _look(self, since: float) -> None:
        with patience_scope(STORE_PATIENCE_S):
            self.follower.look(since)

    def _swap(self, index: ImageIndex) -> None:
        """Respond by another index from now on. Requests and jobs under way end in the former one."""
        former = self._current
        served = _Served(former.service.with_index(index))
        self._former.append(former)
        self._current = served
        Thread(target=self._close_former, args=(former,), name="esclip-former", daemon=True).start()
        _log.warning("searches are answered by index %r now", index.store.index)

    def _close_former(self, former: _Served) -> None:
        """Close an index when what is under way in it has ended."""
        while not self.stopping:
            time.sleep(FORMER_S)
            if not former.requests and not former.service.jobs.running:
                self._former.remove(former)
                former.service.close_index()
                return

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Respond to one request: admit it by its head, read its body, call its route."""
        began = time.monotonic()
        request = secrets.token_hex(8)
        status = 0
        scope.setdefault("state", {})["request"] = request
        self.service.metrics.begin()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_encode(SECURITY_HEADERS, message["headers"])]
            await send(message)

        routed = _normalize_scope(scope)
        try:
            await self._respond(routed, receive, send_with_headers, request)
        except Exception:  # any; a route's has been answered
            _log.exception("request %s failed", request)
            if not status:
                response = Problem(ProblemType.INTERNAL).response(request, scope["path"])
                await send_response(send_with_headers, response, {"Connection": "close"})
        finally:
            route = getattr(routed.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self.service.metrics.end(method, route, status, time.monotonic() - began)

    async def _respond(self, scope: Message, receive: Receive, send: Send, request: str) -> None:
        unread = {"Connection": "close"}
        try:
            head = read_head(scope)
            unread = unread if head.has_body else {}
            is_stream = (head.method, head.path) == ("POST", STREAM_PATH)
            self._admit(head, is_stream=is_stream)
            if is_stream:
                return await self._current.respond(scope, receive, send)
            async with self._bodies.read(receive) as body:
                if body is not None:
                    await self._respond_again(scope, body, receive, send)
        except (Problem, HttpError) as error:
            problem = problem_of(error)
            response = problem.response(request, scope["path"])
            if problem.kind is ProblemType.UNAUTHORIZED and is_for_browser(head):
                response, problem.headers = _login(scope, head)
            await send_response(send, response, {**problem.headers, **unread})

    async def _respond_again(self, scope: Message, body: bytes, receive: Receive, send: Send) -> None:
        """Respond; once more by the index that the name points to, where the former one was taken away."""
        if not _only_reads(scope):
            await self._current.respond(scope, _replay(body, receive), send)
            return
        failure, again, served = _Failure(send), dict(scope), self._current
        try:
            await served.respond(scope, _replay(body, receive), failure.hold)
        except BaseException:
            await failure.release()
            raise
        if failure.is_of_index and not self.stopping:
            await anyio.to_thread.run_sync(self._look, time.monotonic())  # any look before came too early
        if failure.is_of_index and self._current is not served:  # here, or by another request meanwhile
            await self._current.respond(again, _replay(body, receive), send)
        else:
            await failure.release()

    def _admit(self, head: RequestHead, *, is_stream: bool) -> None:
        self.service.guard.admit(head)
        head.require_plain_body()
        if not is_stream:
            head.require_body("", MAX_BODY)  # its type is the routes' to check
        if self.stopping and head.method != "GET":
            raise Problem(ProblemType.OVERLOADED, "the server is stopping")
        if head.path.startswith(SEARCHES) and self.service.searches.are_full:
            raise Problem(ProblemType.OVERLOADED)  # before the body and the route, which take as long again


class _Served:
    """A service with its routes, and how many requests it responds to."""

    def __init__(self, service: SearchService) -> None:
        self.service = service
        self.routes = make_routes(service)
        self.requests = 0

    async def respond(self, scope: Message, receive: Receive, send: Send) -> None:
        """Respond to a request, by this index whatever comes meanwhile."""
        self.requests += 1  # in the event loop alone
        try:
            await self.routes(scope, receive, send)
        finally:
            self.requests -= 1


class _Failure:
    """A response that an index which is taken away may be the reason of: held back until that is known."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.messages: list[Message] = []

    @property
    def is_of_index(self) -> bool:
        """Whether there is one that an index can be the reason of, and not what was asked for."""
        text = b"".join(message.get("body", b"") for message in self.messages)
        return bool(self.messages) and not any(kind in text for kind in _OF_REQUESTS)

    async def hold(self, message: Message) -> None:
        """Send a message of another response; keep one of such a response."""
        if self.messages or message.get("status") in _OF_FAILURES:
            self.messages.append(message)
        else:
            await self._send(message)

    async def release(self) -> None:
        """Send what was held back."""
        for message in self.messages:
            await self._send(message)


_OF_FAILURES = frozenset({404, 409, 500})
"""Statuses of an index that is not there, has another model, or can't be used."""

_OF_REQUESTS = (b'"/problems/unknown-', b'"/problems/not-found"', b'"/problems/job-not-done"')
"""In responses of these statuses that have other reasons."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "QUERY"})


def _only_reads(scope: Message) -> bool:
    """Whether a request can be responded to twice."""
    return scope["method"] == "GET" or scope["path"] in READS or scope["path"].startswith(SEARCHES)


def _normalize_scope(scope: Message) -> Message:
    """The request as routes match it: HEAD as GET, whose body the server leaves out; `%2F` is no slash.

    Ids of documents are decoded by `search_messages.PathId`.
    """
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return {**scope, "method": method, "path": scope["raw_path"].decode("latin-1")}


def _login(scope: Message, head: RequestHead) -> tuple[Response, dict[str, str]]:
    """The form for the token, in the place of the page."""
    from_elsewhere = head.header("Sec-Fetch-Site") == "cross-site"
    return login_response(scope["query_string"].decode("latin-1"), from_elsewhere=from_elsewhere)


def _encode(headers: Mapping[str, str], present: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers that a response doesn't have yet."""
    names = {name.lower() for name, _ in present}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return [(name, value) for name, value in pairs if name.lower() not in names]


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that has been read, then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
