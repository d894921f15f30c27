"""Bodies of requests, where a route takes more than one type of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import orjson
from fastapi import Request
from pydantic import BaseModel

from esclip._server.http import JSON
from esclip._server.page.login import FORM
from esclip._server.problems import Problem, ProblemType

MAX_FORM_FIELDS = 20


def content_type(request: Request) -> str:
    """The body's type without parameters, in lower case; empty where it isn't told."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def parse_json(request: Request, body: bytes) -> Any:
    """The value of a body of JSON. Raises `Problem` for another type, or what is none."""
    if content_type(request) != JSON:
        raise Problem(ProblemType.UNSUPPORTED_TYPE)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Problem(ProblemType.BAD_BODY) from None


def parse_form(
    request: Request, body: bytes, *, max_fields: int = MAX_FORM_FIELDS, max_bytes: int | None = None
) -> dict[str, str]:
    """The fields of a form; of one that is given twice, the last. Raises `Problem` for another body."""
    if content_type(request) != FORM:
        raise Problem(ProblemType.UNSUPPORTED_TYPE, f"a form is sent as {FORM}")
    try:
        if max_bytes is not None and len(body) > max_bytes:
            raise ValueError("too long")
        given = parse_qsl(body.decode("ascii"), True, errors="strict", max_num_fields=max_fields)
    except ValueError:
        raise Problem(ProblemType.BAD_BODY, "the form can't be read") from None
    return dict(given)


def form_body(form: type[BaseModel]) -> dict[str, Any]:
    """A form as a body in OpenAPI."""
    return {"required": True, "content": {FORM: {"schema": form.model_json_schema()}}}
