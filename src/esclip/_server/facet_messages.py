"""Parameters and bodies of facets: counts of what documents have in fields.

parameters ─► FacetParameters                    Facets ─► FacetsResponse
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from esclip._core.facets import Facets
from esclip._search.options import FACET_VALUES

MAX_FIELDS = 200
MAX_FIELD_NAME = 200
"""Characters."""

PATH_FIELDS = frozenset({"folders"})
"""Metadata that names folders of this machine."""

FieldName = Annotated[str, Field(max_length=MAX_FIELD_NAME)]


def _split(given: Any) -> Any:
    """Names of a parameter that is repeated, or has commas between them, or both."""
    listed = isinstance(given, list) and all(isinstance(names, str) for names in given)
    return [name for names in given for name in names.split(",") if name] if listed else given


FieldNames = Annotated[list[FieldName], BeforeValidator(_split), Field(max_length=MAX_FIELDS)]
"""Names of fields in a URL."""


class FacetParameters(BaseModel):
    """What is to be counted."""

    model_config = ConfigDict(extra="forbid")

    fields: FieldNames | None = Field(
        None, description="Fields, with commas between them or repeated; default: all that can be counted."
    )
    where: list[str] = Field([], description="Only documents like this, as in a search; repeatable.")
    limit: int = Field(
        FACET_VALUES.default,
        ge=FACET_VALUES.minimum,
        le=FACET_VALUES.maximum,
        description=FACET_VALUES.help,
    )


class ValueResponse(BaseModel):
    """A value, and how many documents have it."""

    value: str | bool
    count: int


class BucketResponse(BaseModel):
    """A range of numbers or dates, and how many documents have one in it."""

    start: int | float | str = Field(alias="from", description="Included.")
    to: int | float | str | None = Field(description="Not included; null: there is no higher value.")
    count: int


class FacetResponse(BaseModel):
    """What documents have in a field: `values` of texts and booleans, `buckets` of numbers and dates."""

    type: str
    missing: int = Field(description="Documents without a value.")
    values: list[ValueResponse] | None = Field(None, description="The most frequent first.")
    others: int | None = Field(None, description="Documents with other values.")
    exact: bool | None = Field(
        None, description="Whether no other value is more frequent than these. Counts are always exact."
    )
    minimum: int | float | str | None = None
    maximum: int | float | str | None = None
    buckets: list[BucketResponse] | None = Field(None, description="From the minimum to the maximum.")


class FacetsResponse(BaseModel):
    """Counts of all documents that the filter leaves, whatever a search among them finds."""

    documents: int
    facets: dict[str, FacetResponse]


def render_facets(facets: Facets, *, show_paths: bool) -> dict[str, Any]:
    """Facets as the service sends them: a `FacetsResponse`."""
    rendered = facets.to_json()
    hidden = frozenset() if show_paths else PATH_FIELDS
    shown = {name: facet for name, facet in rendered["facets"].items() if name not in hidden}
    return rendered | {"facets": shown}
