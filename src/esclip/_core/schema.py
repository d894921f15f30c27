"""The schema of an index, which stores keep beside the documents.

IndexSchema ─┬─► Space        model and dimension of the vectors
             ├─► Field ...    names and types of the metadata, for filters
             ├─► runtimes     provenance: what computed the vectors, which are comparable all the same
             ├─► LabelSet     the labels of its pictures
             ├─► parts        the kinds of picture parts with vectors of their own, in another index
             ├─► texts        whether it has text documents, in another index
             ├─► Calibration  the meaning of its scores
             ├─► IndexSettings  how it compares vectors, and how a cluster keeps it
             └─► reencoded_from the index that its documents were taken from
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

from esclip._core.calibration import Calibration
from esclip._core.index_settings import FLOAT, NO_SETTINGS, IndexSettings
from esclip._core.labels import LabelSet
from esclip._core.markup import render_table
from esclip._core.targets import PART_KINDS
from esclip._errors import one_line
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape
from esclip._errors.secrets import mask

MAX_NAME_LENGTH = 4096
"""Characters of a model's name, which may be a path, and of other texts in a schema."""
MAX_DIMENSIONS = 1 << 16


class FieldType(Enum):
    """What a metadata field holds, the same in every store."""

    KEYWORD = "keyword"
    """A string compared as a whole."""
    KEYWORDS = "keywords"
    """Several strings (a tuple); a filter matches when one is equal."""
    TEXT = "text"
    """Words of a language, for people and keyword search; not for equality."""
    INTEGER = "integer"
    """64 bits, signed."""
    FLOAT = "float"
    """64 bits."""
    BOOLEAN = "boolean"
    DATE = "date"
    """A `datetime` with a time zone, kept to the millisecond."""
    GEO_POINT = "geo_point"


@dataclass(frozen=True, slots=True)
class Field:
    """A metadata field that a source declares and a store maps explicitly."""

    name: str
    type: FieldType


def public_name(model: str) -> str:
    """A model's name without its folder, which tells of this machine."""
    path = PurePath(model)
    return path.name if path.is_absolute() or model[:1] in (".", "~") else model


def public_runtime(runtime: str) -> str:
    """What has computed vectors, without the address of an encoder server that it was behind."""
    return runtime.partition(", at ")[0]


@dataclass(frozen=True, slots=True)
class Space:
    """Where vectors live. Vectors can be compared only if their spaces are `same_as` each other."""

    model: str
    """The image tower's name or absolute folder: what `load_encoder` takes to have it again."""
    text_model: str
    """The text tower's, for queries; the same as `model` where one model has both."""
    weights: str
    """Hash or revision of the image tower's weights: tells models of one name apart."""
    preprocessing: str
    """How a picture becomes the tower's input, in words or as a hash."""
    dim: int

    @classmethod
    def from_json(cls, data: Any) -> Space:
        """What `IndexSchema.to_json` has of it. Raises `TypeError` or `ValueError` on others."""
        space = cls(**data)
        texts = (space.model, space.text_model, space.weights, space.preprocessing)
        if not all(isinstance(text, str) and len(text) <= MAX_NAME_LENGTH for text in texts):
            raise ValueError("a space without names")
        if type(space.dim) is not int or not 0 < space.dim <= MAX_DIMENSIONS:
            raise ValueError("a space without a dimension")
        return space

    def same_as(self, other: Space) -> bool:
        """Whether vectors of both spaces can be compared, wherever the models lie on disk."""
        return (self.weights, self.preprocessing, self.dim) == (
            other.weights,
            other.preprocessing,
            other.dim,
        )

    def describe(self) -> str:
        """The model, its weights and dimension in words, for a message: what an index names is escaped."""
        model = mask(one_line(self.model, 200))
        return f"{model} (weights {one_line(self.weights[:12])}, {self.dim} dimensions)"


@dataclass(frozen=True, slots=True)
class IndexSchema:
    """What an index is made with and remembers: space and fields, and what has computed its vectors."""

    space: Space
    fields: tuple[Field, ...] = ()
    runtimes: tuple[str, ...] = ()
    """The `Encoder.runtime` of each ingest into the index, the first one first, each once."""
    label_set: LabelSet | None = None
    """By what the last ingest labelled pictures; None: none ever did. To prepare an index, None leaves it."""
    parts: tuple[str, ...] = ()
    """The parts of its pictures that ingests keep up (`_core.targets.PART_KINDS`), each once."""
    calibration: Calibration | None = None
    """What its scores say, the newest one; None: not measured. To prepare an index, None leaves it."""
    texts: bool = False
    """Whether it has text documents beside its pictures. To prepare an index, False leaves it."""
    settings: IndexSettings = NO_SETTINGS
    """How it is made. To prepare an index, None of a setting leaves it."""
    reencoded_from: str = ""
    """The index of another model whose documents it was made of; empty: of none."""

    def to_json(self) -> dict[str, Any]:
        """The schema as a store keeps it beside the documents."""
        space = {name: getattr(self.space, name) for name in Space.__dataclass_fields__}
        fields = {field.name: field.type.value for field in self.fields}
        data = {"version": 1, "space": space, "fields": fields, "runtimes": list(self.runtimes)}
        later = {"labelling": self.label_set, "calibration": self.calibration}
        data |= {name: value.to_json() for name, value in later.items() if value is not None}
        data |= {"parts": list(self.parts)} if self.parts else {}
        data |= {"texts": True} if self.texts else {}
        data |= {"reencoded_from": self.reencoded_from} if self.reencoded_from else {}
        return data | ({"settings": self.settings.given()} if self.settings.given() else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> IndexSchema:
        """The schema that `to_json` wrote. Raises `ValueError` on others: anybody may have written them."""
        try:
            return cls._from_json(data)
        except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
            raise ValueError(f"not a schema: {type(error).__name__}") from error

    @classmethod
    def _from_json(cls, data: Mapping[str, Any]) -> IndexSchema:
        if data["version"] != 1:
            raise ValueError("a schema of another version")
        fields = tuple(Field(name, FieldType(kind)) for name, kind in data["fields"].items())
        # indexes that were made before these were kept lack the keys
        label_set = LabelSet.from_json(data["labelling"]) if "labelling" in data else None
        runtimes, parts = (tuple(data.get(name, ())) for name in ("runtimes", "parts"))
        if not all(isinstance(text, str) and len(text) <= MAX_NAME_LENGTH for text in runtimes):
            raise ValueError("runtimes that are no texts")
        if not set(parts) <= set(PART_KINDS):
            raise ValueError("parts that are none")
        calibration = Calibration.from_json(data["calibration"]) if "calibration" in data else None
        texts = data.get("texts", False) is True
        settings = IndexSettings.of(data.get("settings", {}))
        space = Space.from_json(data["space"])
        source = data.get("reencoded_from", "")
        if not isinstance(source, str) or len(source) > MAX_NAME_LENGTH:
            raise ValueError("the name of an index that is none")
        return cls(space, fields, runtimes, label_set, parts, calibration, texts, settings, source)


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What a store says about its index."""

    schema: IndexSchema
    documents: int
    engine: str
    """The store's kind and version: `OpenSearch 3.6.0`, `Lance 14.0.2`, `memory`."""
    bytes: int | None
    """On disk, primaries and replicas together; None where the store can't tell."""
    access: str | None = None
    """How the store authenticates us; None where it needs nothing."""
    shards: int | None = None
    """Primaries and replicas together; None where there are none, or the store can't tell."""
    aliases: tuple[str, ...] = ()
    """Other names that point to the index: where indexes are listed, as far as the user may read them."""
    adopted: bool = False
    """Whether another program made the index."""
    largest_segment: int | None = None
    """Documents in the largest segment of a shard; None where there are none, or the store can't tell."""
    primary_bytes: int | None = None
    """What of `bytes` the primaries have; None where there are none, or the store can't tell."""


@dataclass(frozen=True, slots=True, repr=False)
class Stats:
    """What an index holds."""

    documents: int
    """Pictures and texts."""
    index: str
    store: str
    engine: str
    """The store's kind and version."""
    access: str | None
    """How the store authenticates us: `user alice`, `API key`, `AWS us-east-1`; None where it need not."""
    encoder: str
    """The image tower's model."""
    text_encoder: str
    """The text tower's."""
    dimension: int
    runtimes: tuple[str, ...]
    """What has computed the pictures' vectors; empty where that was not kept."""
    bytes: int | None
    """On disk; None where the store can't tell."""
    fields: tuple[Field, ...]
    """The metadata fields, which `where` can name."""
    labels: tuple[str, ...] = ()
    """What the last ingest labelled pictures by."""
    parts: tuple[str, ...] = ()
    """The parts of pictures that can be looked at: captions, crops."""
    texts: int = 0
    """How many of the documents are texts."""
    shards: int | None = None
    """Of the index of pictures in a cluster, primaries and replicas together; None where that isn't known."""
    vectors: str = FLOAT
    """How vectors are compared first: `float`, `int8` or `bit`. Scores are by the float32 vectors always."""
    aliases: tuple[str, ...] = ()
    """Other names that point to the index."""
    adopted: bool = False
    """Whether another program made the index."""
    largest_segment: int | None = None
    """Documents in the largest segment of a cluster's index of pictures; None where that isn't known."""
    primary_bytes: int | None = None
    """What of `bytes` primary shards in a cluster have; None where that isn't known."""

    @classmethod
    def of(
        cls,
        info: IndexInfo,
        index: str,
        store: str,
        *,
        parts: IndexInfo | None = None,
        texts: IndexInfo | None = None,
    ) -> Stats:
        """The stats of an index of this name in a store of this address, with its `parts` and `texts`."""
        infos = [one for one in (info, parts, texts) if one]
        space, label_set = info.schema.space, info.schema.label_set
        return cls(
            documents=info.documents + (texts.documents if texts else 0),
            index=index,
            store=store,
            engine=info.engine,
            access=info.access,
            encoder=space.model,
            text_encoder=space.text_model,
            dimension=space.dim,
            runtimes=info.schema.runtimes,
            bytes=sum_known(one.bytes for one in infos),
            fields=info.schema.fields,
            labels=label_set.labels if label_set else (),
            parts=info.schema.parts,
            texts=texts.documents if texts else 0,
            shards=info.shards,
            vectors=info.schema.settings.level,
            aliases=info.aliases,
            adopted=info.adopted,
            largest_segment=info.largest_segment,
            primary_bytes=sum_known(one.primary_bytes for one in infos),
        )

    def __repr__(self) -> str:
        documents = pluralize(self.documents, "document")
        return (
            f"<Stats: index {self.index!r} in {escape(self.store)} ({escape(self.engine)}), {documents}, "
            f"encoder {escape(self.encoder)}, {self.dimension} dimensions>"
        )

    def _repr_html_(self) -> str:
        fields = ", ".join(f"{field.name} ({field.type.value})" for field in self.fields)
        values = {name: getattr(self, name) for name in Stats.__dataclass_fields__} | {"fields": fields}
        values |= {name: ", ".join(values[name]) for name in ("runtimes", "labels", "parts", "aliases")}
        values["texts"] = self.texts or None
        return render_table(values.items())

    def to_json(self) -> dict[str, Any]:
        """The stats as the command line prints them with `--json`: without counts and names that are none."""
        values: dict[str, Any] = {name: getattr(self, name) for name in Stats.__dataclass_fields__}
        for name in ("texts", "shards", "aliases", "adopted", "largest_segment", "primary_bytes"):
            if not values[name]:
                del values[name]
        return values | {"fields": {field.name: field.type.value for field in self.fields}}


def sum_known(numbers: Iterable[int | None]) -> int | None:
    """The sum of those that are known; None where none is."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
