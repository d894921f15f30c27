"""Bodies of what is encoded without a search: embeddings in OpenAI's form, and probabilities of labels.

Texts and pictures become one list of inputs: {"text"} | {"image": base64} | {"id"}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from esclip._core.labels import MAX_LABEL_LENGTH, MAX_LABELS, TEMPLATES, LabelSet
from esclip._server.search_messages import Base64Picture, Id, ShortText, Strict

MAX_INPUTS = 2048
"""Texts and pictures of a request for embeddings: as many as OpenAI takes."""
MAX_PICTURES = 64
"""Pictures of a request: each may take what the largest takes to be decoded."""
MAX_PROMPTS = 2048
"""Labels times templates: each is a text to be encoded."""

_DATA_URI = re.compile(r"data:image/[\w.+-]{1,64};base64,", re.ASCII)


class EmbeddingInput(Strict):
    """A text or a picture."""

    text: Annotated[ShortText, Field(min_length=1)] | None = None
    image: Base64Picture | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.text is None) == (self.image is None):
            raise ValueError("an input is a text, or has exactly one of text and image")
        return self


def _inputs_of(given: Any) -> Any:
    """The inputs as a list of mappings. Raises `ValueError` for what OpenAI takes and no CLIP does."""
    several = given if isinstance(given, list) else [given]
    if not several:
        raise ValueError("there is nothing to embed; give a text or a list of texts")
    return [_input_of(one) for one in several[: MAX_INPUTS + 1]]  # one more than are taken is refused


def _input_of(given: Any) -> Any:
    if isinstance(given, str):
        uri = _DATA_URI.match(given)
        return {"image": given[uri.end() :]} if uri else {"text": given}
    if isinstance(given, list | int):
        raise ValueError("tokens are not taken, which are those of other models; send texts")
    if not isinstance(given, Mapping):
        raise ValueError('an input is a text, a data URI of a picture, or {"image": base64}')
    return given


_OneInput = str | EmbeddingInput


class EmbeddingsRequest(Strict):
    """What to embed, in OpenAI's form; and pictures, as data URIs or in base64."""

    input: Annotated[
        list[EmbeddingInput],
        BeforeValidator(_inputs_of, json_schema_input_type=_OneInput | list[_OneInput]),
        Field(max_length=MAX_INPUTS, description="Texts and pictures, or one."),
    ]
    model: str = Field(max_length=200, description="The index's encoder, as /v1/index names it.")
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="base64: of float32, little-endian."
    )
    dimensions: int | None = Field(None, description="Those of the model; vectors are not shortened.")
    user: str | None = Field(None, max_length=512, description="Is not used.")

    @model_validator(mode="after")
    def _has_few_pictures(self) -> Self:
        if sum(one.image is not None for one in self.input) > MAX_PICTURES:
            raise ValueError(f"at most {MAX_PICTURES} pictures are embedded by a request")
        return self


class EmbeddingResponse(BaseModel):
    """The vector of an input, of unit length."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class UsageResponse(BaseModel):
    """Words of the texts; pictures have none."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(BaseModel):
    """The vectors of all inputs, in order."""

    object: Literal["list"]
    data: list[EmbeddingResponse]
    model: str
    usage: UsageResponse


class ClassifiedPicture(Strict):
    """A picture: of the index by its id, or in base64."""

    id: Id | None = None
    image: Base64Picture | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.id is None) == (self.image is None):
            raise ValueError("a picture has exactly one of id and image")
        return self


class ClassifyRequest(Strict):
    """Pictures, and the labels to tell them apart by."""

    pictures: list[ClassifiedPicture] = Field(min_length=1, max_length=MAX_PICTURES)
    labels: list[Annotated[str, Field(max_length=MAX_LABEL_LENGTH)]] = Field(
        min_length=1, max_length=MAX_LABELS
    )
    templates: list[ShortText] = Field(
        list(TEMPLATES), min_length=1, max_length=100, description="Texts with {} where the label goes."
    )

    def label_set(self) -> LabelSet:
        """The labels. Raises `ConfigError`, or `ValueError` for too many."""
        if len(self.labels) * len(self.templates) > MAX_PROMPTS:
            raise ValueError(f"labels times templates are at most {MAX_PROMPTS:,}")
        return LabelSet(self.labels, self.templates)


class LabelResponse(BaseModel):
    """A label, and its probability."""

    label: str
    probability: float


class ItemProblem(BaseModel):
    """Why an item of a request could not be used: `type` is one of the problems of the service."""

    type: str
    title: str
    detail: str


class ClassifiedResponse(BaseModel):
    """All labels for a picture, the most probable first; or why there are none."""

    labels: list[LabelResponse] | None
    problem: ItemProblem | None


class ClassifyResponse(BaseModel):
    """The labels of each picture, in order."""

    results: list[ClassifiedResponse]
