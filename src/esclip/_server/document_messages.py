"""What is written over HTTP: documents as lines and bodies, what becomes of them, what is deleted.

a line of NDJSON ─► DocumentLine ─► item of `ImageIndex.add`         RecordOutcome ─► OutcomeResponse

No item names a file: a picture is bytes, or the URL of a host that the operator allowed.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, Field, model_validator

from esclip._core.field_names import check_field_name
from esclip._core.outcomes import RecordOutcome, Result
from esclip._core.schema import FieldType
from esclip._core.targets import PART_KINDS
from esclip._core.types import TextRecord
from esclip._core.urls import MAX_URL, is_web_address
from esclip._errors import one_line
from esclip._server.search_messages import MAX_PICTURE_BYTES, Id, Lenient, Strict
from esclip.sources.memory.given_record import RECORD_KEYS

MAX_LINE = MAX_PICTURE_BYTES * 4 // 3 + (1 << 20)
"""Bytes of a line: the largest picture in base64, and 1 MiB of what is known about it."""
MAX_DESCRIPTION = 100_000
"""Characters."""
MAX_METADATA = 200
"""Fields of a document."""
MAX_FIELD_NAME = 200
"""Characters."""
MAX_DELETED = 1_000_000
"""Documents that one request may delete by a filter."""
MAX_DELETED_IDS = 1000

Item: TypeAlias = dict[str, Any] | TextRecord
"""What `ImageIndex.add` takes of a document."""


def _web_address(value: str) -> str:
    if not is_web_address(value):
        raise ValueError("is no http or https URL of a host")
    return value


def _field_names(metadata: dict[str, Any]) -> dict[str, Any]:
    for name in metadata:
        if name in RECORD_KEYS:  # beside the picture such a key would name another one
            raise ValueError(f"a metadata field can't be named {name}: the document itself has it")
        if len(name) > MAX_FIELD_NAME:
            raise ValueError(f"a metadata field's name has more than {MAX_FIELD_NAME} characters")
        check_field_name(name)
    return metadata


WebAddress = Annotated[str, Field(max_length=MAX_URL), AfterValidator(_web_address)]
MetadataObject = Annotated[dict[str, Any], Field(max_length=MAX_METADATA), AfterValidator(_field_names)]
Description = Annotated[str, Field(max_length=MAX_DESCRIPTION)]


class PictureFacts(Strict):
    """What is known about a document."""

    url: WebAddress | None = Field(
        None,
        description="Where the picture is: fetched where no `image` is given, from hosts that the server "
        "allows; else kept as its location, or that of a text.",
    )
    page: WebAddress | None = Field(None, description="A page about it.")
    description: Description = Field("", description="A text about the picture.")
    metadata: MetadataObject = Field(
        {},
        description="Fields by name: texts, numbers, booleans, dates as texts, lists of texts, "
        '{"lat", "lon"}.',
    )

    def picture(self, id: str | None, image: bytes | None) -> Item:
        """The item of a picture with these bytes; of that at the URL where they are None."""
        own = {"id": id, "image": image, "url": self.url, "page": self.page, "description": self.description}
        return {**self.metadata, **own}


class DocumentBody(PictureFacts):
    """A document: a picture as base64 or by URL, or a text, and what is known about it."""

    image: Annotated[str, Field(max_length=MAX_LINE)] | None = Field(
        None, description=f"An image file's bytes in base64, up to {MAX_PICTURE_BYTES >> 20} MiB."
    )
    text: Annotated[str, Field(min_length=1, max_length=MAX_DESCRIPTION)] | None = Field(
        None, description="A text that is a document by itself, without a picture."
    )

    @model_validator(mode="after")
    def _is_picture_or_text(self) -> Self:
        if self.text is not None and (self.image is not None or self.description):
            raise ValueError("a text has no image and no description; a picture has its text as description")
        if self.text is None and self.image is None and self.url is None:
            raise ValueError("a document has an image, a url or a text")
        return self

    def item(self, id: str | None) -> Item:
        """The item of `ImageIndex.add`. Raises `ValueError` for an image that is no base64."""
        if self.text is not None:
            return TextRecord(self.text, id, self.url, self.page, self.metadata)
        try:
            image = None if self.image is None else base64.b64decode(self.image, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("image is no base64") from None
        return self.picture(id, image)


class DocumentLine(DocumentBody):
    """A line of a stream of documents."""

    id: str | None = Field(None, description="Default: made of the picture's bytes or its URL.")


class PictureParameters(Lenient):
    """What is known about a picture that is sent as the body itself. With JSON there are none."""

    url: WebAddress | None = Field(None, description="Where the picture is on the web; kept, not fetched.")
    page: WebAddress | None = Field(None, description="A page about the picture.")
    description: Description = Field("", description="A text about the picture.")
    metadata: str = Field("{}", max_length=MAX_LINE, description="Fields by name, as a JSON object.")


class StreamParameters(Lenient):
    """Options of a stream of documents: those of `ImageIndex.add`."""

    fields: str = Field(
        "{}",
        max_length=100_000,
        description="Types of fields by name, as a JSON object: "
        f"{', '.join(kind.value for kind in FieldType)}. For fields that none of the first 1,000 lines has, "
        "for `text`, and for dates. Default: those of the index, else by the values.",
    )
    parts: list[str] = Field(
        [], max_length=2, description=f"Parts that get vectors of their own: {', '.join(PART_KINDS)}."
    )
    labels: list[Annotated[str, Field(max_length=200)]] | None = Field(
        None, max_length=1000, description="Labels to classify by. Default: those of the last ingest."
    )


class DeleteParameters(Lenient):
    """What is deleted: documents by ids, by a filter, or those of the ids that a filter leaves."""

    id: list[Id] = Field([], max_length=MAX_DELETED_IDS, description="Ids of documents.")
    where: list[str] = Field([], description="Filters, all of which must hold.")
    max_documents: int = Field(
        ge=1,
        le=MAX_DELETED,
        description="Nothing is deleted where more documents would be.",
    )


class OutcomeResponse(BaseModel):
    """What became of a document."""

    id: str
    result: Result
    reason: str | None = Field(None, description="Why it was rejected: a word of a closed list.")
    detail: str | None = Field(None, description="The same for a person.")


class LineResponse(OutcomeResponse):
    """What became of a line of a stream."""

    line: int = Field(description="Its number, from 1; blank lines count.")


class ReportResponse(BaseModel):
    """The counts of a stream: `read == written + updated + unchanged + rejected`."""

    read: int
    written: int
    updated: int
    unchanged: int
    rejected: int
    rejections: dict[str, int] = Field(description="The rejected ones by reason.")
    seconds: float
    stopped: bool = Field(description="Whether it ended before the stream: send the stream again.")


class StreamEnd(BaseModel):
    """The last line of a response to a stream, or the one before it."""

    report: ReportResponse | None = None
    problem: dict[str, Any] | None = Field(None, description="Why the stream was ended, as in RFC 9457.")


class DeletedResponse(BaseModel):
    """How many documents were deleted."""

    deleted: int


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """A model's JSON schema without references, for media types whose models FastAPI does not list."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, dict):
            name = node.get("$ref", "").rpartition("/")[2]
            return resolve(definitions[name]) if name else {key: resolve(one) for key, one in node.items()}
        return [resolve(one) for one in node] if isinstance(node, list) else node

    resolved: dict[str, Any] = resolve(schema)
    return resolved


def render_outcome(outcome: RecordOutcome) -> dict[str, Any]:
    """What became of a document, as the service sends it: an `OutcomeResponse`."""
    rendered: dict[str, Any] = {"id": outcome.id, "result": outcome.result.value}
    if outcome.rejection is not None:
        detail = outcome.rejection.detail.removeprefix(f"record {outcome.number}: ")
        rendered |= {"reason": outcome.rejection.reason.value, "detail": one_line(detail)}
    if outcome.repeated:
        rendered["detail"] = "an earlier line has this id; the first counts"
    return rendered
