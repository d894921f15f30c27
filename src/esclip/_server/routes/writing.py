"""Writing: streams of documents, single documents, deletions. Only where the operator allows it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import Depends, FastAPI, Query, Request
from starlette.responses import Response

from esclip._core.outcomes import RecordOutcome
from esclip._core.rejections import Stage
from esclip._errors import ConfigError
from esclip._ingest.deletion import Deletion
from esclip._server import document_messages as documents
from esclip._server.body_lines import BodyLines
from esclip._server.document_messages import Item
from esclip._server.document_stream import STREAM_PATH, DocumentStream
from esclip._server.http import Message, Receive, Send
from esclip._server.problems import Problem, ProblemType
from esclip._server.replies import Replies
from esclip._server.routes.bodies import content_type
from esclip._server.routes.paths import DOCUMENT_PATH
from esclip._server.routes.responses import PROBLEMS, json_response
from esclip._server.search_messages import MAX_PICTURE_BYTES, PathId
from esclip._server.search_service import SearchService

NDJSON = "application/x-ndjson"
NDJSON_TYPES = frozenset({NDJSON, "application/ndjson", "application/jsonl", "application/x-jsonlines"})


def add_writing(api: FastAPI, service: SearchService) -> None:
    def require_writable() -> None:
        if not service.options.writable:
            raise Problem(ProblemType.READ_ONLY)

    first = [Depends(require_writable)]  # before anything of the request is looked at

    @api.post(
        STREAM_PATH,
        dependencies=first,
        response_class=_StreamResponse,
        status_code=200,
        responses={200: _STREAM_RESPONSE, **PROBLEMS},
        openapi_extra={"requestBody": _STREAM_BODY},
    )
    async def write_documents(
        request: Request, parameters: Annotated[documents.StreamParameters, Query()]
    ) -> Response:
        """Write documents: a JSON object a line; what became of each is sent while it goes, a report last."""
        if content_type(request) not in NDJSON_TYPES:
            raise Problem(ProblemType.UNSUPPORTED_TYPE, f"documents are sent as {NDJSON}")
        options = {
            "fields": _json_object(parameters.fields.encode(), "/fields"),
            "parts": parameters.parts,
            "labels": parameters.labels,
            "public_hosts": service.options.picture_hosts,
        }
        return _StreamResponse(service, options, request.state.request)

    @api.put(
        DOCUMENT_PATH,
        dependencies=first,
        responses={200: {"model": documents.OutcomeResponse}, **PROBLEMS},
        openapi_extra={"requestBody": _DOCUMENT_BODY},
    )
    async def write_document(
        request: Request, id: PathId, parameters: Annotated[documents.PictureParameters, Query()]
    ) -> Response:
        """Write one document: a picture as the body, with parameters; or JSON with a picture or its URL."""
        item = await _item_of(request, id, parameters)
        outcome = await service.writes.run(_write, service, item)
        service.metrics.count_documents({outcome.result.value: 1})
        rendered = documents.render_outcome(outcome)
        if outcome.rejection is not None:
            raise Problem(
                _PROBLEMS_OF[outcome.rejection.stage], f"{rendered['reason']}: {rendered['detail']}"
            )
        return json_response(rendered)

    deleted = {200: {"model": documents.DeletedResponse}, **PROBLEMS}

    @api.delete(DOCUMENT_PATH, dependencies=first, responses=deleted)
    async def delete_document(id: PathId) -> Response:
        """Delete one document, with its parts and rejections. A picture's file stays."""
        return json_response({"deleted": await service.writes.run(service.index.delete, id)})

    @api.delete("/v1/documents", dependencies=first, responses=deleted)
    async def delete_documents(parameters: Annotated[documents.DeleteParameters, Query()]) -> Response:
        """Delete documents by ids or a filter: all of them, or none where they are too many."""
        return json_response({"deleted": await service.writes.run(_delete, service, parameters)})


_PROBLEMS_OF = {
    Stage.READ: ProblemType.BAD_QUERY,
    Stage.FETCH: ProblemType.PICTURE_NOT_FETCHED,
    Stage.DECODE: ProblemType.BAD_PICTURE,
    Stage.ENCODE: ProblemType.BAD_PICTURE,
    Stage.WRITE: ProblemType.BAD_QUERY,
}
"""What a rejection of a single document is."""


class _StreamResponse(Response):
    """The response to a stream of documents, which begins before the request has ended."""

    def __init__(self, service: SearchService, options: Mapping[str, Any], request: str) -> None:
        super().__init__(media_type=NDJSON, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["Content-Length"]
        self._service = service
        self._options = options
        self._request = request

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Write what is received; send what becomes of it."""
        scope["state"]["responds_early"] = True  # when the server ends, its client is told how far it came
        replies = Replies()
        seconds = self._service.limits.chunk_seconds
        lines = BodyLines(receive, max_line=documents.MAX_LINE, seconds=seconds, ready=replies.wait_for_room)
        stream = DocumentStream(self._service.index, lines, replies, self._options, self._request)
        sending = asyncio.create_task(self._send(replies, send))
        try:
            with self._service.streaming(stream):
                await self._service.streams.run(stream.run)
            replies.end()
            await _finish(sending, replies, seconds)
        finally:
            sending.cancel()
            lines.stop()
            replies.close()
            self._service.metrics.count_documents({result.value: n for result, n in stream.results.items()})

    async def _send(self, replies: Replies, send: Send) -> None:
        """Begin the response with the first reply: what fails before that is a problem."""
        begun = False
        while data := await replies.read():
            if not begun:
                await send(
                    {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
                )
                begun = True
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _finish(sending: asyncio.Task[None], replies: Replies, seconds: float) -> None:
    """Wait until all is sent; a client that reads nothing for so many seconds is left."""
    read = -1
    while not sending.done() and read != replies.read_bytes:
        read = replies.read_bytes
        await asyncio.wait({sending}, timeout=seconds)
    if sending.done():
        sending.result()


def _write(service: SearchService, item: Item) -> RecordOutcome:
    """What became of one document."""
    outcomes: list[RecordOutcome] = []
    service.index.add(
        [item],
        max_rejection_rate=1.0,
        on_outcome=outcomes.append,
        public_hosts=service.options.picture_hosts,
        show_progress=False,
    )
    return outcomes[0]


def _delete(service: SearchService, wanted: documents.DeleteParameters) -> int:
    """Delete what is wanted. Raises `Problem` where it is more than may be."""
    counted = 0

    def confirm(deletion: Deletion) -> bool:
        nonlocal counted
        counted = deletion.documents
        return counted <= wanted.max_documents

    if not wanted.id and not wanted.where:
        raise ConfigError("there is nothing to delete: give ids or a filter")
    deleted = service.index.delete(wanted.id, where=wanted.where or None, confirm=confirm)
    if counted > wanted.max_documents:
        detail = f"{counted} documents would be deleted, and max_documents is {wanted.max_documents}"
        errors = [{"pointer": "/max_documents", "detail": detail}]
        raise Problem(ProblemType.BAD_QUERY, detail, errors=errors)
    return deleted


async def _item_of(request: Request, id: str, known: documents.PictureParameters) -> Item:
    """The document that a body is. Raises `Problem`, or `ValueError` as pydantic does."""
    kind, body = content_type(request), await request.body()
    if kind.startswith("image/"):
        if len(body) > MAX_PICTURE_BYTES:
            raise Problem(ProblemType.TOO_LARGE, f"a picture has at most {MAX_PICTURE_BYTES} bytes")
        metadata = _json_object(known.metadata.encode(), "/metadata")
        facts = documents.PictureFacts.model_validate(known.model_dump() | {"metadata": metadata})
        return facts.picture(id, body)
    if kind != "application/json":
        raise Problem(ProblemType.UNSUPPORTED_TYPE)
    if known.model_fields_set:
        raise Problem(ProblemType.BAD_QUERY, "parameters go with a picture as the body; in JSON all is in it")
    try:
        return documents.DocumentBody.model_validate(orjson.loads(body)).item(id)
    except orjson.JSONDecodeError:
        raise Problem(ProblemType.BAD_BODY) from None


def _json_object(text: bytes, pointer: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        errors = [{"pointer": pointer, "detail": "is no JSON object"}]
        raise Problem(ProblemType.BAD_QUERY, f"{pointer}: is no JSON object", errors=errors)
    return value


_STREAM_BODY = {
    "required": True,
    "description": "A JSON object a line.",
    "content": {NDJSON: {"schema": documents.schema_of(documents.DocumentLine)}},
}
_STREAM_RESPONSE = {
    "description": 'A JSON object a line: what became of each document; `{"report": ...}` last; '
    '`{"problem": ...}` before it where the stream was ended.',
    "content": {
        NDJSON: {
            "schema": {
                "anyOf": [
                    documents.schema_of(model) for model in (documents.LineResponse, documents.StreamEnd)
                ]
            }
        }
    },
}
_DOCUMENT_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": documents.schema_of(documents.DocumentBody)},
        "image/*": {"schema": {"type": "string", "format": "binary"}},
    },
}
