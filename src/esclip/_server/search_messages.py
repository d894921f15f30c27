"""Bodies and parameters of the search service. Options are those of a `Query`, read from their declaration.

JSON | parameters ─► SearchRequest | SearchParameters ─► Query          Hits ─► SearchResponse
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, unquote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator

from esclip._core.options import WEIGHT, Opt, declared
from esclip._core.picture_color import is_color
from esclip._core.types import (
    MEMORY_SCHEME,
    PICTURE,
    Hit,
    StoredDocument,
    document_hit,
    json_metadata,
)
from esclip._core.urls import MAX_URL, is_web_address
from esclip._files.buckets import is_bucket_address
from esclip._protocols import SCAN_PAGE
from esclip._search.hits import Hits
from esclip._search.options import QueryOptions
from esclip._search.query import Clause, ImageQuery, Keywords, Query, SimilarTo, Text, VectorQuery
from esclip._server.facet_messages import (
    MAX_FIELD_NAME,
    MAX_FIELDS,
    PATH_FIELDS,
    FacetResponse,
    FieldName,
    FieldNames,
)
from esclip._server.problems import Problem, ProblemType

MAX_K = 1000
"""Hits of a response."""
MAX_DEPTH = 10_000
"""`offset` and `k` together: a deeper page costs every page before it."""
MAX_PARTS = 64
MAX_QUERIES = 64
"""Queries of a batch."""
MAX_TEXT = 4096
"""Characters of a text; text towers read at most 512 tokens."""
MAX_PICTURE_BYTES = 20 << 20
MAX_URLS = 4
"""Pictures of a request that are fetched by URL."""
MAX_DIMENSION = 4096
"""Numbers of a vector."""
MAX_IDS = 100
"""Documents of a response by their ids."""

ShortText = Annotated[str, Field(max_length=MAX_TEXT)]
Id = Annotated[str, Field(min_length=1, max_length=512)]
PathId = Annotated[Id, BeforeValidator(unquote)]
"""An id in a path, which routes match while it is encoded: one may end in `/similar`."""

_LIMITS: Mapping[str, int] = {"k": MAX_K, "offset": MAX_DEPTH, "rank_window_size": MAX_DEPTH}
"""Lower than the library's: one request must not take the memory of all."""


Base64Picture = Annotated[str, Field(max_length=MAX_PICTURE_BYTES * 4 // 3 + 4)]


class Strict(BaseModel):
    """JSON whose values have their types, and no names but those declared."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class Lenient(BaseModel):
    """Parameters: numbers are texts in a URL."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Part(Strict):
    """A clause of a query: exactly one of text, words, id, image, url and vector, and its weight."""

    text: ShortText | None = Field(None, description="What pictures show, in any language.")
    words: ShortText | None = Field(None, description="Words in any text of a document.")
    id: Id | None = Field(None, description="A picture of the index; it is left out of the hits.")
    image: Base64Picture | None = Field(None, description="An image file's bytes in base64.")
    url: Annotated[str, Field(min_length=1, max_length=MAX_URL)] | None = Field(
        None, description="The URL of a picture on the public web, where the server fetches any."
    )
    vector: Annotated[list[float], Field(min_length=1, max_length=MAX_DIMENSION)] | None = Field(
        None, description="A vector of the index's space."
    )
    weight: float = Field(WEIGHT.default, ge=WEIGHT.minimum, le=WEIGHT.maximum, description=WEIGHT.help)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        names = ("text", "words", "id", "image", "url", "vector")
        given = sum(getattr(self, name) is not None for name in names)
        if given != 1:
            raise ValueError(f"a part has exactly one of text, words, id, image, url and vector, not {given}")
        return self

    def clause(self, pointer: str, fetched: Mapping[str, bytes]) -> Clause:
        """The clause of a `Query`; pictures of URLs have been `fetched`.

        Raises `Problem` for an image that is no base64.
        """
        if self.text is not None:
            return Text(self.text, self.weight)
        if self.words is not None:
            return Keywords(self.words, self.weight)
        if self.id is not None:
            return SimilarTo(self.id, self.weight)
        if self.vector is not None:
            return VectorQuery(self.vector, self.weight)
        if self.url is not None:
            return ImageQuery(fetched[self.url], self.weight)  # all `urls` of the request are there
        return ImageQuery(decode_base64(self.image or "", f"{pointer}/image"), self.weight)


def decode_base64(text: str, pointer: str) -> bytes:
    """The bytes of a picture in base64. Raises `Problem` that points to it."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        errors = [{"pointer": pointer, "detail": "is no base64"}]
        raise Problem(ProblemType.BAD_QUERY, "an image is no base64", errors=errors) from None


_WhereValue = str | bool | int | float


def _field_of(name: str, kind: Any, opt: Opt) -> tuple[Any, Any]:
    """A field with the declaration's type, default, bounds and help."""
    if opt.choices:
        kind = list[Literal.__getitem__(opt.choices)]  # type: ignore[misc]
        default = None if opt.default is None else list(opt.default)
    elif name == "where":
        kind, default = str | list[str] | dict[str, _WhereValue | list[_WhereValue]], opt.default
    else:
        default = opt.default
    if kind is str:
        return kind, Field(default, description=opt.help, max_length=MAX_FIELD_NAME)
    maximum = _LIMITS.get(name, opt.maximum)
    bounds: dict[str, Any] = {"ge": opt.minimum, "le": maximum} if maximum is not None else {}
    return (kind if default is not None else kind | None, Field(default, description=opt.help, **bounds))


_OPTIONS: dict[str, Any] = {
    name: _field_of(name, kind, opt) for name, (kind, opt) in declared(QueryOptions).items() if opt
}

_StrictOptions: Any = create_model("SearchOptions", __base__=Strict, **_OPTIONS)
_LenientOptions: Any = create_model(
    "SearchOptionParameters",
    __base__=Lenient,
    **_OPTIONS | {"where": (list[str], Field([], description=_OPTIONS["where"][1].description))},
)


def _query(given: BaseModel, clauses: list[Clause]) -> Query:
    """A query of the clauses with the options of a request. Raises `Problem` for a page that is too deep."""
    options = {name: getattr(given, name) for name in _OPTIONS}
    if options["offset"] + options["k"] > MAX_DEPTH:
        errors = [{"pointer": "/offset", "detail": f"offset + k is at most {MAX_DEPTH}"}]
        raise Problem(ProblemType.BAD_QUERY, f"offset + k is at most {MAX_DEPTH}", errors=errors)
    return Query(*clauses, **options)


_FIELDS = "Metadata fields of the hits; default: all."
_FACETS = "Fields whose values are counted: of all documents that the filter leaves."


class _Shown(BaseModel):
    fields: list[FieldName] | None = Field(None, max_length=MAX_FIELDS, description=_FIELDS)
    facets: list[FieldName] | None = Field(None, max_length=MAX_FIELDS, description=_FACETS)


class _ShownParameters(BaseModel):
    fields: FieldNames | None = Field(None, description=_FIELDS)
    facets: FieldNames | None = Field(None, description=_FACETS)


class PartsRequest(Strict):
    """Parts of a query, such as pictures, whose text stands in the URL."""

    parts: list[Part] = Field([], max_length=MAX_PARTS)

    def urls(self, pointer: str = "") -> dict[str, str]:
        """JSON pointers of the URLs in it, by URL."""
        return {
            part.url: f"{pointer}/parts/{number}/url"
            for number, part in enumerate(self.parts)
            if part.url is not None
        }

    def clauses(self, fetched: Mapping[str, bytes], pointer: str = "") -> list[Clause]:
        """The clauses of a `Query`; pictures of `urls` have been `fetched`. Raises `Problem`."""
        return [part.clause(f"{pointer}/parts/{n}", fetched) for n, part in enumerate(self.parts)]


class SearchRequest(_StrictOptions, _Shown, PartsRequest):  # type: ignore[misc]  # its base is made at runtime
    """A query: its parts, and the options of a search. Without parts it lists what a filter leaves."""

    def query(self, fetched: Mapping[str, bytes], pointer: str = "") -> Query:
        """The library's query; pictures of `urls` have been `fetched`.

        Raises `Problem`, `ValueError` or `ConfigError`.
        """
        return _query(self, self.clauses(fetched, pointer))


class BatchRequest(Strict):
    """Several queries, which are encoded and sent together."""

    queries: list[SearchRequest] = Field(min_length=1, max_length=MAX_QUERIES)


class SearchParameters(_LenientOptions, _ShownParameters):  # type: ignore[misc]  # its base is made at runtime
    """A query as parameters of a URL."""

    q: ShortText = Field("", description="What pictures show, in any language.")
    words: ShortText = Field("", description="Words in any text of a document.")
    like: list[Id] = Field([], max_length=MAX_PARTS, description="Pictures of the index to be like.")
    unlike: list[Id] = Field([], max_length=MAX_PARTS, description="Pictures of the index not to be like.")

    def query(self, *more: Clause) -> Query:
        """The library's query, with clauses that were sent beside. Raises `ValueError` or `ConfigError`."""
        clauses: list[Clause] = [Text(self.q)] if self.q else []
        clauses += [Keywords(self.words)] if self.words else []
        clauses += more
        clauses += [SimilarTo(id, 1 / len(self.like)) for id in self.like]
        clauses += [SimilarTo(id, -0.5 / len(self.unlike)) for id in self.unlike]
        return _query(self, clauses)


class DocumentsParameters(Lenient):
    """Which documents are read, and what of them."""

    ids: list[Id] = Field(min_length=1, max_length=MAX_IDS)
    fields: FieldNames | None = Field(None, description=_FIELDS)
    vectors: bool = Field(False, description="Whether their vectors are sent, too.")


class IdsParameters(Lenient):
    """A page of the ids."""

    after: str = Field("", max_length=512, description="Begin behind this id.")
    limit: int = Field(SCAN_PAGE, ge=1, le=SCAN_PAGE)


class SimilarParameters(_LenientOptions, _ShownParameters):  # type: ignore[misc]  # its base is made at runtime
    """The options of a search for pictures like one of the index."""

    def query(self, id: str) -> Query:
        """The library's query."""
        return _query(self, [SimilarTo(id)])


class BoxResponse(BaseModel):
    """A rectangle in a picture, as shares of its width and height."""

    left: float
    top: float
    right: float
    bottom: float


class DocumentResponse(BaseModel):
    """A picture of the index, or a text."""

    id: str
    kind: Literal["picture", "text"]
    description: str = Field(description="Of a text document, the text.")
    page: str | None
    location: str | None = Field(description="Its URL; of a local file only where the server shows paths.")
    picture: str | None = Field(
        description="A thumbnail of it, at this server; null for a text, and for a picture in a bucket."
    )
    width: int | None
    height: int | None
    color: str | None = Field(description="Its mean colour as #rrggbb, to show while the picture loads.")
    metadata: dict[str, Any]


class StoredDocumentResponse(DocumentResponse):
    """A picture of the index, with its vector where it was asked for."""

    vector: str | None = Field(description="float32, little-endian, in base64.")
    content: str = Field(description="A fingerprint of the picture's bytes; empty where it isn't known.")


class DocumentsResponse(BaseModel):
    """Documents in the order asked for."""

    documents: list[StoredDocumentResponse]
    missing: list[str] = Field(description="Ids that the index lacks, each once.")


class IdsResponse(BaseModel):
    """Ids of documents, in their order."""

    ids: list[str]
    next: str | None = Field(
        description="What `after` is for the next page, which may be empty; null: this is the last."
    )


class HitResponse(DocumentResponse):
    """A picture or a text that was found."""

    rank: int
    score: float = Field(description="The cosine of the query with it, -1 to 1; of one kind comparable.")
    percentile: float | None
    relevance: float | None
    box: BoxResponse | None
    duplicates: list[str]
    why: list[dict[str, Any]]
    index: str | None = Field(None, description="Where several indexes are searched: the one that holds it.")


class Took(BaseModel):
    """Milliseconds."""

    encode: float
    store: float
    total: float


class NextPage(BaseModel):
    """Where the next page begins."""

    offset: int


class SearchResponse(BaseModel):
    """The hits of a query, best first."""

    hits: list[HitResponse]
    matched: bool | None = Field(description="Whether the best hit fits better than chance; null: not known.")
    note: str | None = Field(description="Why there are no hits.")
    next: NextPage | None
    took: Took
    documents: int | None = Field(
        None, description="How many documents the filter leaves; where facets are asked for."
    )
    facets: dict[str, FacetResponse] | None = Field(None, description="As GET /v1/facets has them.")


class BatchResponse(BaseModel):
    """The hits of each query, in order."""

    results: list[SearchResponse]


def render_document(hit: Hit, *, fields: list[str] | None = None, show_paths: bool) -> dict[str, Any]:
    """A document as the service sends it: a `DocumentResponse`."""
    hidden = frozenset() if show_paths else PATH_FIELDS
    metadata = json_metadata({n: value for n, value in hit.metadata.items() if n not in hidden})
    width, height, color = (metadata.get(name) for name in ("width", "height", "color"))
    return {
        "id": hit.id,
        "kind": hit.kind,
        "description": hit.description,
        "page": hit.page,
        "location": hit.location if show_paths or not _is_path(hit.location) else None,
        "picture": picture_path(hit) if hit.kind == PICTURE and not is_bucket_address(hit.location) else None,
        "width": width if isinstance(width, int) else None,
        "height": height if isinstance(height, int) else None,
        "color": color if is_color(color) else None,
        "metadata": metadata if fields is None else {n: metadata[n] for n in fields if n in metadata},
    }


def render_stored(
    document: StoredDocument, *, vector: bool, fields: list[str] | None, show_paths: bool
) -> dict[str, Any]:
    """A document as the service sends it: a `StoredDocumentResponse`."""
    encoded = base64.b64encode(document.vector.astype("<f4").tobytes()).decode() if vector else None
    rendered = render_document(document_hit(document, 0.0), fields=fields, show_paths=show_paths)
    return rendered | {"vector": encoded, "content": document.content}


def _is_path(location: str) -> bool:
    return not is_web_address(location) and not location.startswith(MEMORY_SCHEME)


def render_hit(hit: Hit, *, fields: list[str] | None, show_paths: bool) -> dict[str, Any]:
    """A hit as the service sends it: a `HitResponse`."""
    return {
        "rank": hit.rank,
        "score": hit.score,
        "percentile": hit.percentile,
        "relevance": hit.relevance,
        "box": hit.box and hit.box._asdict(),
        "duplicates": list(hit.duplicates),
        "why": [detail._asdict() for detail in hit.explanation],
        **({} if hit.index is None else {"index": hit.index}),
        **render_document(hit, fields=fields, show_paths=show_paths),
    }


def render_note(hits: Hits, where: object, *, show_paths: bool) -> str | None:
    """Why there are no hits with this filter. It may list values of the fields in it."""
    if hits.note and not show_paths and any(name in str(where) for name in PATH_FIELDS):
        return "no document fulfils the filter"
    return hits.note


def picture_path(hit: Hit) -> str:
    """The path of a hit's thumbnail; it changes with the picture, so that it may be cached for ever."""
    return f"/pictures/{quote(hit.id, safe='')}?v={quote((hit.content or '')[:12], safe='')}"


def render_hits(
    hits: Hits, query: Query, *, fields: list[str] | None, show_paths: bool, took: Mapping[str, float]
) -> dict[str, Any]:
    """Hits as the service sends them: a `SearchResponse`."""
    offset, k = query.options["offset"], query.options["k"]
    more = len(hits) == k and offset + 2 * k <= MAX_DEPTH
    return {
        "hits": [render_hit(hit, fields=fields, show_paths=show_paths) for hit in hits],
        "matched": hits.matched,
        "note": render_note(hits, query.options["where"], show_paths=show_paths),
        "next": {"offset": offset + k} if more else None,
        "took": dict(took),
    }


class SessionRequest(Strict):
    """What opens a session."""

    token: str = Field(max_length=1000)
