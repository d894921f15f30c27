"""Bodies of requests, where a route takes more than one type of them."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Request

from esclip._server.http import JSON
from esclip._server.problems import Problem, ProblemType


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
