"""What OpenAPI says of all routes alike: how to get in, and the form of problems."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field

from esclip._server.guard import COOKIE, OPEN_PATHS, SESSION_PATH


class ProblemError(BaseModel):
    """What is wrong at one place of a request."""

    pointer: str = Field(description="A JSON pointer into the body; of a parameter, its name after a slash.")
    detail: str


class ProblemResponse(BaseModel):
    """A problem, as in RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="The path of a page that says what it means.")
    title: str
    status: int
    request: str = Field(description="The request's id, by which the server's log has an internal error.")
    detail: str | None = Field(None, description="What is wrong with this request, in one line.")
    errors: list[ProblemError] | None = Field(None, description="The places of what is wrong.")


def describe(api: FastAPI) -> None:
    """Have `api.openapi()` tell of problems and tokens as well."""

    def openapi() -> dict[str, Any]:
        if not api.openapi_schema:
            api.openapi_schema = _add_common_parts(
                get_openapi(title=api.title, version=api.version, summary=api.summary, routes=api.routes)
            )
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it


def _add_common_parts(described: dict[str, Any]) -> dict[str, Any]:
    template = "#/components/schemas/{model}"
    schema = ProblemResponse.model_json_schema(ref_template=template)
    components = described["components"]
    components["schemas"] |= {**schema.pop("$defs"), ProblemResponse.__name__: schema}
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "The server's token, where it has one."},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    }
    described["security"] = [{"token": []}, {"session": []}, {}]
    for path in (*OPEN_PATHS, SESSION_PATH):
        for operation in described["paths"][path].values():
            operation["security"] = []
    return described
