"""Problems: what a response other than a success says, in the form of RFC 9457. The list is closed.

error of a search ─► problem_of ─► Problem ─► {"type": "/problems/...", "title", "status", "detail", "errors"}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from esclip._errors import (
    ConfigError,
    DocumentNotFound,
    FieldNotFound,
    IndexMismatch,
    IndexNotFound,
    RecordError,
    StoreError,
    StoreUnavailable,
    one_line,
)
from esclip._search.query_vectors import NoDirection
from esclip._server.http import RETRY_AFTER_S, HttpError, Response
from esclip._server.store_log import StoreLog

PROBLEM_JSON = "application/problem+json"

EMBEDDINGS_PATH = "/v1/embeddings"
"""Its problems are errors of OpenAI's API as well: clients of that read the member `error`."""


class _Kind(NamedTuple):
    """A row of the list."""

    status: HTTPStatus
    title: str
    advice: str
    """What its page says."""


class ProblemType(Enum):
    """The kinds of problems."""

    BAD_BODY = _Kind(HTTPStatus.BAD_REQUEST, "The body is no JSON", "Send one JSON object in UTF-8.")
    UNAUTHORIZED = _Kind(
        HTTPStatus.UNAUTHORIZED,
        "The request has no valid token",
        "Send the token of the server as `Authorization: Bearer TOKEN`, or open a session at POST /session.",
    )
    READ_ONLY = _Kind(
        HTTPStatus.FORBIDDEN,
        "The server writes nothing",
        "Start it with --writable, so that who may search may also write.",
    )
    FORBIDDEN_ORIGIN = _Kind(
        HTTPStatus.FORBIDDEN,
        "The request comes from a page of another origin",
        "Pages of other origins may not write, nor open sessions.",
    )
    NOT_FOUND = _Kind(HTTPStatus.NOT_FOUND, "There is no such route", "GET /openapi.json lists the routes.")
    UNKNOWN_DOCUMENT = _Kind(
        HTTPStatus.NOT_FOUND, "The index has no such document", "It may have been removed since it was found."
    )
    UNKNOWN_JOB = _Kind(
        HTTPStatus.NOT_FOUND, "There is no such job", "Jobs are kept for an hour after their end."
    )
    INDEX_NOT_FOUND = _Kind(
        HTTPStatus.NOT_FOUND, "The index does not exist, or is empty", "Fill it: esclip ingest PATH."
    )
    METHOD_NOT_ALLOWED = _Kind(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "The route does not take this method",
        "The header Allow names those that it takes.",
    )
    REQUEST_TIMEOUT = _Kind(HTTPStatus.REQUEST_TIMEOUT, "The body came too slowly", "Send it again.")
    INDEX_MISMATCH = _Kind(
        HTTPStatus.CONFLICT,
        "The index was made with another model",
        "Start the server with the encoder that the index was made with.",
    )
    JOB_NOT_DONE = _Kind(HTTPStatus.CONFLICT, "The job has no result", "Ask for its state before its result.")
    TOO_LARGE = _Kind(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large", "GET /v1/index names the limits."
    )
    UNSUPPORTED_TYPE = _Kind(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The body has another content type",
        "Send application/json, or a picture as image/...",
    )
    WRONG_HOST = _Kind(
        HTTPStatus.MISDIRECTED_REQUEST,
        "The server does not have this name",
        "Start it with --allow-host NAME for each name that it is reached by.",
    )
    BAD_QUERY = _Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The query can't be used", "`errors` points to what is wrong."
    )
    UNKNOWN_FIELD = _Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The index has no such field",
        "GET /v1/index lists the fields. `errors` points to the name.",
    )
    BAD_PICTURE = _Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The picture can't be decoded", "Send a JPEG, PNG, WebP or GIF."
    )
    PICTURE_NOT_FETCHED = _Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The picture was not fetched",
        "Send its bytes. The server fetches at most 20 MB, from few hosts or from the public web.",
    )
    HEAD_TOO_LARGE = _Kind(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's head is too large", "Send fewer headers."
    )
    INTERNAL = _Kind(
        HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed", "Its log has the error, by the request's id."
    )
    STORE_FAILED = _Kind(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The store, or a file beside it, can't be used",
        "The server's log says why.",
    )
    OVERLOADED = _Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Too many requests wait",
        "Try again in a few seconds: Retry-After says in how many.",
    )
    STORE_UNAVAILABLE = _Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The store does not answer",
        "Try again in a few seconds: Retry-After says in how many.",
    )
    TIMEOUT = _Kind(
        HTTPStatus.GATEWAY_TIMEOUT,
        "The search took too long",
        "Ask for fewer hits, or for no exact search; --timeout of the server is the limit.",
    )

    @property
    def slug(self) -> str:
        """Its name in URLs."""
        return self.name.lower().replace("_", "-")


class Problem(Exception):
    """A response other than a success."""

    def __init__(
        self,
        kind: ProblemType,
        detail: str = "",
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        about: Mapping[str, str] | None = None,
    ) -> None:
        """Keep `detail`, one line for a person, and `errors`: JSON pointers and what is wrong there.

        `about` are further members, for `esclip.Client`: the error that it `raises`, its `message`, the
        `reason` why a picture can't be used.
        """
        super().__init__(detail)
        self.kind = kind
        self.detail = one_line(detail)
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.about = dict(about or {})
        if kind.value.status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.headers.setdefault("Retry-After", str(RETRY_AFTER_S))

    def summary(self) -> dict[str, Any]:
        """What it is, for one item of several."""
        known = {"type": self._type, "title": self.kind.value.title, "detail": self.detail}
        return known | self.about

    def for_people(self) -> dict[str, str]:
        """What it is, and what to do about it, as a page says it."""
        return {"title": self.kind.value.title, "detail": self.detail or self.kind.value.advice}

    def response(self, request: str, path: str) -> Response:
        """The response to the request with this id."""
        said: dict[str, Any] = {
            "type": self._type,
            "title": self.kind.value.title,
            "status": self.kind.value.status.value,
            "request": request,
            **self.about,
        }
        if self.detail:
            said["detail"] = self.detail
        if self.errors:
            said["errors"] = self.errors
        if path == EMBEDDINGS_PATH:
            said["error"] = self._openai_error()
        return Response(orjson.dumps(said), PROBLEM_JSON, self.kind.value.status)

    @property
    def _type(self) -> str:
        return f"/problems/{self.kind.slug}"

    def _openai_error(self) -> dict[str, Any]:
        """The error as OpenAI's API has it: a message, its kind, the parameter, and a code."""
        pointer = self.errors[0]["pointer"] if self.errors else ""
        param = pointer.split("/")[1] if pointer else None
        code = {"model": "model_not_found"}.get(param or "", self.kind.slug.replace("-", "_"))
        is_ours = self.kind.value.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return {
            "message": self.detail or self.kind.value.title,
            "type": "server_error" if is_ours else "invalid_request_error",
            "param": param,
            "code": "invalid_api_key" if self.kind is ProblemType.UNAUTHORIZED else code,
        }


_OF_STATUS = {
    kind.value.status: kind
    for kind in reversed(ProblemType)  # the first of those with a status stands for it
}


_store_log = StoreLog()


def problem_of(error: Exception) -> Problem:
    """The problem that an error of a search, of a body or of a route is; `INTERNAL` for any other."""
    match error:
        case Problem():
            return error
        case HttpError():
            kind = _OF_STATUS.get(error.status, ProblemType.INTERNAL)
            kind = ProblemType.OVERLOADED if error.status == HTTPStatus.SERVICE_UNAVAILABLE else kind
            return Problem(kind, str(error), headers=error.headers)
        case DocumentNotFound():
            detail = f"it has no document with the id {error.id!r}" if error.id else ""
            return Problem(ProblemType.UNKNOWN_DOCUMENT, detail)
        case IndexNotFound():
            return Problem(ProblemType.INDEX_NOT_FOUND)
        case IndexMismatch():
            return Problem(ProblemType.INDEX_MISMATCH)
        case StoreError():
            _store_log.tell(error)
            is_away = isinstance(error, StoreUnavailable)
            return Problem(ProblemType.STORE_UNAVAILABLE if is_away else ProblemType.STORE_FAILED)
        case RecordError():
            about = {"reason": error.reason.value}
            return Problem(ProblemType.BAD_PICTURE, error.detail, about=about)
        case FieldNotFound():
            return _unknown_field(error)
        case ConfigError():
            return Problem(ProblemType.BAD_QUERY, error.message)
        case NoDirection():
            return Problem(ProblemType.BAD_QUERY, error.message, about={"raises": "EncoderError"})
        case ValueError() | TypeError():
            return Problem(ProblemType.BAD_QUERY, str(error), about={"raises": "ValueError"})
    return Problem(ProblemType.INTERNAL)


def _unknown_field(error: FieldNotFound) -> Problem:
    meant = f"{error.field}: did you mean {error.similar}?" if error.similar else error.message
    place = f"at character {error.character}" if error.character else meant
    errors = [{"pointer": f"/{error.argument}", "detail": place}]
    return Problem(ProblemType.UNKNOWN_FIELD, meant, errors=errors, about={"message": error.message})
