"""What the index holds, and what problems mean."""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse, Response

from esclip._core.schema import FieldType, public_name, public_runtime
from esclip._server import document_messages, encoding_messages
from esclip._server import search_messages as messages
from esclip._server.problems import Problem, ProblemType
from esclip._server.routes.responses import PROBLEMS, json_response
from esclip._server.search_service import SearchService


class FieldOfIndexResponse(BaseModel):
    """A field of the metadata."""

    name: str
    type: FieldType


class LimitsResponse(BaseModel):
    """How much a request may have."""

    k: int
    offset_and_k: int
    queries: int = Field(description="Of a batch.")
    parts: int = Field(description="Of a query.")
    inputs: int = Field(description="That are encoded.")
    pictures: int = Field(description="That are encoded or classified.")
    prompts: int = Field(description="Labels by templates.")
    urls: int = Field(description="Pictures that are fetched; 0: none are.")
    text_characters: int
    picture_bytes: int
    line_bytes: int = Field(description="Of a stream of documents.")


class IndexResponse(BaseModel):
    """What an index holds, and the limits of requests."""

    index: str
    engine: str
    documents: int
    texts: int = Field(description="Text documents among them.")
    bytes: int | None = Field(description="On disk; null: not known.")
    encoder: str
    text_encoder: str
    dimension: int
    vectors: str = Field(description="How they are compared first: float, int8 or bit.")
    runtimes: list[str] = Field(description="What has computed the pictures' vectors.")
    shards: int | None = Field(description="In a cluster, primaries and replicas; null: not known.")
    largest_segment: int | None = Field(
        description="Documents in the largest segment of a shard; null: not known."
    )
    primary_bytes: int | None = Field(
        description="What of the bytes a cluster's primaries have; null: not known."
    )
    fields: list[FieldOfIndexResponse]
    labels: list[str]
    targets: list[str] = Field(description="Where a search may look.")
    writable: bool
    limits: LimitsResponse


def add_about(api: FastAPI, service: SearchService) -> None:
    @api.get("/v1/index", responses={200: {"model": IndexResponse}, **PROBLEMS})
    async def index() -> Response:
        """What the index holds, and the limits of requests."""
        stats = await service.checks.run(service.index.stats)
        about = {
            "index": stats.index,
            "engine": stats.engine,
            "documents": stats.documents,
            "texts": stats.texts,
            "bytes": stats.bytes,
            "encoder": public_name(stats.encoder),
            "text_encoder": public_name(stats.text_encoder),
            "dimension": stats.dimension,
            "vectors": stats.vectors,
            "runtimes": list(dict.fromkeys(map(public_runtime, stats.runtimes))),
            "shards": stats.shards,
            "largest_segment": stats.largest_segment,
            "primary_bytes": stats.primary_bytes,
            "fields": [{"name": field.name, "type": field.type.value} for field in stats.fields],
            "labels": list(stats.labels),
            "targets": ["pictures", *stats.parts, *(["texts"] if stats.texts else [])],
            "writable": service.options.writable,
            "limits": {
                "k": messages.MAX_K,
                "offset_and_k": messages.MAX_DEPTH,
                "queries": messages.MAX_QUERIES,
                "parts": messages.MAX_PARTS,
                "inputs": encoding_messages.MAX_INPUTS,
                "pictures": encoding_messages.MAX_PICTURES,
                "prompts": encoding_messages.MAX_PROMPTS,
                "urls": messages.MAX_URLS if service.options.urls else 0,
                "text_characters": messages.MAX_TEXT,
                "picture_bytes": messages.MAX_PICTURE_BYTES,
                "line_bytes": document_messages.MAX_LINE,
            },
        }
        return json_response(about)

    @api.get("/problems/{slug}", response_class=PlainTextResponse, responses=PROBLEMS)
    async def problem(slug: str) -> Response:
        """What a kind of problem means, and what to do about it."""
        kind = next((kind for kind in ProblemType if kind.slug == slug), None)
        if kind is None:
            raise Problem(ProblemType.NOT_FOUND)
        status, title, advice = kind.value
        return Response(f"{status.value} {title}\n\n{advice}\n", media_type="text/plain")
