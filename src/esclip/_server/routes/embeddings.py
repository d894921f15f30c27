"""Vectors of texts and pictures in OpenAI's form, for programs that were written for it."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from fastapi import FastAPI
from starlette.responses import Response

from esclip._core.schema import public_name
from esclip._core.types import Pixels, Vectors
from esclip._errors import RecordError
from esclip._protocols import Encoder
from esclip._search.query_image import open_image
from esclip._server import encoding_messages as messages
from esclip._server.problems import EMBEDDINGS_PATH, Problem, ProblemType
from esclip._server.routes.responses import PROBLEMS, json_response
from esclip._server.search_messages import decode_base64
from esclip._server.search_service import SearchService
from esclip.encoders.catalogue import canonical_name


def add_embeddings(api: FastAPI, service: SearchService) -> None:
    @api.post(EMBEDDINGS_PATH, responses={200: {"model": messages.EmbeddingsResponse}, **PROBLEMS})
    async def embeddings(wanted: messages.EmbeddingsRequest) -> Response:
        """Embed texts and pictures, in the form of OpenAI's API; errors have its `error`, too."""
        return json_response(await service.searches.run(_respond, service, wanted))


def _respond(service: SearchService, wanted: messages.EmbeddingsRequest) -> dict[str, Any]:
    encoder = service.load_encoder()
    _check_model(encoder, wanted)
    vectors = _embed(encoder, wanted.input)
    if not np.isfinite(vectors).all():
        number = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise _refusal(f"/input/{number}", "the model gives it a vector without a direction")
    words = sum(len(one.text.split()) for one in wanted.input if one.text is not None)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": number, "embedding": embedding}
            for number, embedding in enumerate(_formatted(vectors, wanted.encoding_format))
        ],
        "model": public_name(encoder.space.model),
        "usage": {"prompt_tokens": words, "total_tokens": words},
    }


def _formatted(vectors: Vectors, form: str) -> list[Any]:
    if form == "float":
        rows: list[Any] = vectors.tolist()
        return rows
    return [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors]


def _check_model(encoder: Encoder, wanted: messages.EmbeddingsRequest) -> None:
    name, dim = public_name(encoder.space.model), encoder.space.dim
    canonical = canonical_name(wanted.model)
    if wanted.model != name and (canonical is None or canonical != canonical_name(encoder.space.model)):
        raise _refusal("/model", f"the server has no model of this name; it has {name}")
    if wanted.dimensions not in (None, dim):
        raise _refusal("/dimensions", f"vectors of {name} have {dim} dimensions, and are not shortened")


def _embed(encoder: Encoder, inputs: list[messages.EmbeddingInput]) -> Vectors:
    """The vectors of the inputs, in order; texts and pictures are encoded apart."""
    vectors = np.empty((len(inputs), encoder.space.dim), dtype=np.float32)
    pictures = {n: _pixels(encoder, one.image, n) for n, one in enumerate(inputs) if one.image is not None}
    texts = {n: one.text for n, one in enumerate(inputs) if one.text is not None}
    if pictures:
        vectors[list(pictures)] = encoder.encode_images(list(pictures.values()))
    if texts:
        vectors[list(texts)] = encoder.encode_texts(list(texts.values()))
    return vectors


def _pixels(encoder: Encoder, image: str, number: int) -> Pixels:
    pointer = f"/input/{number}"
    try:
        return encoder.preprocess(open_image(decode_base64(image, pointer)))
    except RecordError as error:
        errors = [{"pointer": pointer, "detail": error.detail}]
        raise Problem(ProblemType.BAD_PICTURE, error.detail, errors=errors) from error


def _refusal(pointer: str, detail: str) -> Problem:
    return Problem(
        ProblemType.BAD_QUERY, f"{pointer}: {detail}", errors=[{"pointer": pointer, "detail": detail}]
    )
