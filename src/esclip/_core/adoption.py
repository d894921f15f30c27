"""An index of a cluster that another program made, taken over: the options of that, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, TypedDict

from esclip._core.markup import render_table
from esclip._core.options import Opt
from esclip._core.schema import Field
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape


class AdoptOptions(TypedDict, total=False):
    """Options of an adoption."""

    vector_field: Annotated[
        str | None, Opt(None, "The field of vectors. [default: the only one]", metavar="NAME")
    ]
    id_field: Annotated[
        str | None,
        Opt(
            None,
            "The field of ids, a keyword or whole numbers; _id: the documents' own. [default: photo_id, "
            "image_id, picture_id or id; else _id]",
            metavar="NAME",
        ),
    ]
    location_field: Annotated[
        str | None,
        Opt(
            None,
            "The field of URLs or paths of the pictures. [default: one with a usual name, such as photo_url; "
            "else none]",
            metavar="NAME",
        ),
    ]
    description_field: Annotated[
        str | None,
        Opt(
            None,
            "The field of descriptions. [default: one with a usual name, such as describe; else none]",
            metavar="NAME",
        ),
    ]
    dry_run: Annotated[bool, Opt(False, "Only check the index, and say what would be taken.")]
    undo: Annotated[bool, Opt(False, "Take back an adoption. Documents stay as they are.")]


class AdoptedRow(NamedTuple):
    """One document of an adopted index, as hits show it."""

    id: str
    location: str
    description: str


@dataclass(frozen=True, slots=True, repr=False)
class Adoption:
    """What an adoption found in an index, and what it took of it."""

    index: str
    store: str
    engine: str
    """The cluster's kind and version."""
    encoder: str
    """The model that made the vectors, on the word of who adopted the index."""
    documents: int
    """Those that can be found: they have a vector and an id."""
    left_out: int
    """Those that lack one."""
    dimension: int
    metric: str
    """How vectors are compared: `cosine`, or `l2` or `innerproduct` of vectors of unit length."""
    method: str
    """How vectors are found: the library or the type of graph."""
    vectors: str
    """How they are compared first: `float`, `int8` or `bit`."""
    vector_field: str
    id_field: str
    """`_id`: the documents' own ids."""
    location_field: str | None
    description_field: str | None
    fields: tuple[Field, ...]
    """The metadata fields, which filters can name."""
    passed_over: Mapping[str, str] = field(default_factory=dict)
    """By name, why a field is not among them."""
    checked_ids: int = 0
    """Of how many ids it is known that each is one document's."""
    samples: tuple[AdoptedRow, ...] = ()
    dry_run: bool = False

    def __repr__(self) -> str:
        return (
            f"<Adoption: index {self.index!r} in {escape(self.store)}, "
            f"{pluralize(self.documents, 'document')}, {self.dimension} dimensions>"
        )

    def _repr_html_(self) -> str:
        fields = ", ".join(f"{field.name} ({field.type.value})" for field in self.fields)
        return render_table((self.to_json() | {"fields": fields}).items())

    def to_json(self) -> dict[str, Any]:
        """The adoption as the command line prints it with `--json`."""
        values: dict[str, Any] = {name: getattr(self, name) for name in Adoption.__dataclass_fields__}
        return values | {
            "fields": {field.name: field.type.value for field in self.fields},
            "passed_over": dict(self.passed_over),
            "samples": [row._asdict() for row in self.samples],
        }
