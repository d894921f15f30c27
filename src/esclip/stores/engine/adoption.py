"""Takes over an index that another program made: checks it, and writes esclip's schema into its mapping.

mapping ─► select_fields ─► metric, dimension ─► ids ─► a sample: values, scores ─► `_meta.esclip` ─► Adoption

Nothing else of the index changes, until an ingest writes into it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from esclip._core.adoption import AdoptedRow, Adoption, AdoptOptions
from esclip._core.filters import HasId
from esclip._core.schema import Field, FieldType, IndexSchema, Space
from esclip._core.searches import KnnSearch
from esclip._core.types import Vector, cosines
from esclip._errors import ConfigError, Hint, IndexMismatch, IndexNotFound, StoreError, one_line, suggest
from esclip._errors.counts import pluralize
from esclip.stores.engine.answers import MALFORMED, Malformed, describe, get_hits, get_list, get_object
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.dialects import VECTOR_TYPES, Engine, decode_vectors
from esclip.stores.engine.errors import Forbidden
from esclip.stores.engine.index_bodies import meta_body, with_level
from esclip.stores.engine.layout import Layout, is_prepared
from esclip.stores.engine.names import DOCUMENT_ID, FieldNames
from esclip.stores.engine.others_fields import TakenFields, select_fields
from esclip.stores.engine.paths import leaves, property_at, value_at
from esclip.stores.engine.queries import MAX_HITS
from esclip.stores.engine.reads import NO_PARTIAL_RESULTS
from esclip.stores.engine.refresh import read_setting
from esclip.stores.engine.search import search_many

SAMPLE = 100
"""Documents that are read to see how values are written."""
SCORED = 20
"""Of these so many are searched for, to see what scores are."""
SHOWN = 3

COSINE = {Engine.OPENSEARCH: ("cosinesimil",), Engine.ELASTICSEARCH: ("cosine", "dot_product")}
"""The metrics whose scores are cosines: Elasticsearch takes only vectors of unit length for dot products."""
RESCORED = ("l2", "innerproduct")
"""Of OpenSearch, those that give vectors of unit length the order of cosines, which a script computes."""

UNFILTERED = "nmslib"
"""OpenSearch's engine whose graphs can't be filtered."""

MAX_LENGTH_ERROR = 0.01
"""By which the length of a vector may differ from one, so that they do."""
MAX_SCORE_ERROR = 0.002
"""Of a cosine, as engines keep vectors with 16 bits a number."""


def adopt(client: EngineClient, space: Space, options: AdoptOptions) -> Adoption:
    """Check an index, and unless it is a dry run, take it over.

    Raises `IndexNotFound`, `ConfigError` for options that don't fit, `IndexMismatch` for an index that can't
    be searched as esclip does, and what the client raises.
    """
    mapping = _read_mapping(client)
    _require_others(client, mapping)
    try:
        found = _select(client, mapping, space, options)
        taken = found.taken
        layout = _layout(space, found, taken.fields)
    except MALFORMED as error:
        raise StoreError(
            f"{client.address} has a mapping of index {client.index!r} that no engine writes "
            f"({describe(error)}); check the address"
        ) from error
    checked_ids = _check_ids(client, layout)
    sample = _read_sample(client, layout)
    layout = _layout(space, found, _with_lists(taken.fields, sample))
    vectors = _read_vectors(client, layout, sample)
    layout = _check_scores(client, layout, sample[:SCORED], vectors)
    total, documents = client.count(), client.count(layout.names.required)
    if not options["dry_run"]:
        body = {"_meta": meta_body(layout.schema, mapping.get("_meta") or {}, layout.names)}
        client.request_change(client.raw.indices.put_mapping, index=client.index, body=body)
    return Adoption(
        index=client.index,
        store=client.address,
        engine=str(client.server()),
        encoder=space.model,
        documents=documents,
        left_out=total - documents,
        dimension=space.dim,
        metric=layout.names.metric or "cosine",
        method=_describe_method(client.server().engine, found.property),
        vectors=layout.schema.settings.level,
        vector_field=taken.vector,
        id_field=taken.id,
        location_field=taken.location,
        description_field=taken.description,
        fields=layout.schema.fields,
        passed_over=taken.passed_over,
        checked_ids=checked_ids,
        samples=tuple(_sample_row(layout, hit) for hit in sample[:SHOWN]),
        dry_run=options["dry_run"],
    )


def release(client: EngineClient) -> None:
    """Take back an adoption: remove esclip's schema from the mapping. Fields that an ingest added stay."""
    mapping = _read_mapping(client)
    meta = mapping.get("_meta") or {}
    if "adopted" not in (meta.get("esclip") or {}):
        raise ConfigError(f"index {client.index!r} at {client.address} was not adopted: nothing to undo")
    rest = {name: value for name, value in meta.items() if name != "esclip"}
    client.request_change(client.raw.indices.put_mapping, index=client.index, body={"_meta": rest})


def _read_mapping(client: EngineClient) -> dict[str, Any]:
    """The mapping. Raises `IndexNotFound` that names an index with vectors that may be meant."""
    client.server()
    try:
        return client.mapping()
    except IndexNotFound:
        names = _names_with_vectors(client)
    near = f"; with vectors there is {one_line(suggest(client.index, names), 300)}" if names else ""
    raise IndexNotFound(f"there is no index {client.index!r} at {client.address}{near}")


def _names_with_vectors(client: EngineClient) -> list[str]:
    kind = VECTOR_TYPES[client.server().engine]

    def read(answer: Any) -> list[str]:
        return sorted(
            name
            for name, found in get_object(answer).items()
            if any(one.get("type") == kind for _, one in leaves(get_object(found, "mappings", "properties")))
        )

    try:
        return client.request(
            client.raw.indices.get_mapping, read=read, filter_path="*.mappings.properties.**.type"
        )
    except Forbidden:
        return []


def _require_others(client: EngineClient, mapping: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for an index that esclip knows already."""
    what = f"index {client.index!r} at {client.address}"
    if "esclip" not in (mapping.get("_meta") or {}):
        if is_prepared(mapping) and not client.count():
            raise ConfigError(f"{what} has esclip's own mapping, and nothing in it to adopt", Hint.INGEST)
        return
    try:
        names = FieldNames.read(mapping)
    except MALFORMED:
        raise ConfigError(f"{what} has a schema of another version of esclip; it can't be adopted") from None
    if names.is_adopted:
        raise ConfigError(f"{what} was adopted before", Hint.UNDO_ADOPTION)
    raise ConfigError(f"{what} is esclip's own: search it as it is, there is nothing to adopt")


class _Found(NamedTuple):
    """What a mapping has for an adoption."""

    taken: TakenFields
    property: Mapping[str, Any]
    """Of the field of vectors."""
    metric: str
    """How these are compared, in the engine's words."""


def _select(client: EngineClient, mapping: Mapping[str, Any], space: Space, options: AdoptOptions) -> _Found:
    engine, properties = client.server().engine, mapping["properties"]
    taken = select_fields(client.index, engine, properties, options)
    property = property_at(properties, taken.vector)
    return _Found(taken, property, _check_vectors(client, engine, taken.vector, property, space))


def _check_vectors(
    client: EngineClient, engine: Engine, field: str, property: Mapping[str, Any], space: Space
) -> str:
    """How its vectors are compared.

    Raises `IndexMismatch` where they are not the model's, or can't be found in the order of their cosines.
    """
    what = f"field {one_line(field, 100)} of index {client.index!r} at {client.address}"
    match engine:
        case Engine.OPENSEARCH:
            dim, numbers = property.get("dimension"), property.get("data_type", "float").lower()
            metric = property.get("method", {}).get("space_type") or property.get("space_type")
            metric = metric or read_setting(client, "knn.space_type") or "l2"
            searched = read_setting(client, "knn") == "true"
        case Engine.ELASTICSEARCH:
            dim, numbers = property.get("dims"), property.get("element_type", "float")
            metric = property.get("similarity", "cosine")
            searched = property.get("index", True) is not False
    if dim is None:
        raise IndexMismatch(f"{what} has no dimension in its mapping, as with a trained model's index")
    if dim != space.dim:
        raise IndexMismatch(
            f"{what} has vectors of {one_line(str(dim), 20)} dimensions, and {one_line(space.model, 200)} "
            f"makes ones of {space.dim}; name the model that made them",
            Hint.ENCODER,
        )
    if numbers not in ("float", "bfloat16"):
        raise IndexMismatch(
            f"{what} keeps vectors as {one_line(numbers, 20)}, which give no true cosines; encode the "
            "pictures into a new index"
        )
    if not searched:
        raise IndexMismatch(f"{what} has no index of vectors, so that no kNN search can be asked for")
    if metric in COSINE[engine] or (engine is Engine.OPENSEARCH and metric in RESCORED):
        return str(metric)
    raise IndexMismatch(
        f"{what} compares vectors by {one_line(str(metric), 20)}, whose scores are no cosines; make an "
        f"index with {COSINE[engine][0]}, and copy the documents into it (_reindex)"
    )


def _layout(space: Space, found: _Found, fields: Sequence[Field]) -> Layout:
    taken = found.taken
    own = {
        "vector": taken.vector,
        "id": taken.id,
        "location": taken.location,
        "description": taken.description,
    }
    names = FieldNames.of_others(
        {name: field for name, field in own.items() if field},
        taken.paths,
        numeric_ids=taken.numeric_ids,
        metric=found.metric if found.metric in RESCORED else None,
        filters_by_script=found.property.get("method", {}).get("engine") == UNFILTERED,
    )
    return Layout(with_level(IndexSchema(space, tuple(fields)), found.property), names, has_words=False)


def _check_ids(client: EngineClient, layout: Layout) -> int:
    """How many ids were found to be one document's. Raises where they can't be ordered, or are several's."""
    path = layout.names.path(layout.names.id)
    if layout.names.id == DOCUMENT_ID:
        _check_order_by_document_id(client)
        return 0
    with_vector, with_id = layout.names.required
    lacking = client.count([with_vector]) - client.count([with_vector, with_id])
    if lacking:
        raise IndexMismatch(
            f"{pluralize(lacking, 'document')} with a vector in index {client.index!r} at {client.address} "
            f"have nothing in field {one_line(layout.names.id, 100)}",
            Hint.ID_FIELD,
        )
    if layout.names.numeric_ids and (below := client.count([{"range": {path: {"lt": 0}}}])):
        raise IndexMismatch(
            f"{pluralize(below, 'document')} of index {client.index!r} at {client.address} have a number "
            f"below 0 in field {one_line(layout.names.id, 100)}",
            Hint.ID_FIELD,
        )
    checked, after = 0, None
    while True:
        ids = _read_ids(client, layout, path, after)
        if several := [str(id) for id, next_id in pairwise(ids) if id == next_id]:
            raise IndexMismatch(
                f"several documents of index {client.index!r} at {client.address} have "
                f"{one_line(several[0], 100)!r} in field {one_line(layout.names.id, 100)}: remove all but "
                "one of each",
                Hint.ID_FIELD,
            )
        if len(ids) < MAX_HITS:
            return checked + len(ids)
        checked, after = checked + len(ids) - 1, ids[-2]  # another document may have the last one


def _read_ids(client: EngineClient, layout: Layout, path: str, after: Any) -> list[Any]:
    """The next ids in their order, after this one."""
    body: dict[str, Any] = {
        "size": MAX_HITS,
        "query": {"bool": {"filter": layout.names.required}},
        "sort": [{path: "asc"}],
        "_source": False,
        "track_total_hits": False,
    }

    def read(answer: Any) -> list[Any]:
        ids = [get_list(hit, "sort")[0] for hit in get_hits(answer)]
        if after is not None and after in ids:
            raise Malformed("the same hits come again")
        return ids

    body |= {} if after is None else {"search_after": [after]}
    return client.request(
        client.raw.search, read=read, index=client.index, body=body, params=NO_PARTIAL_RESULTS
    )


def _check_order_by_document_id(client: EngineClient) -> None:
    body = {"size": 1, "sort": [{DOCUMENT_ID: "asc"}], "_source": False}
    try:
        client.request(client.raw.search, read=get_hits, index=client.index, body=body)
    except StoreError as error:
        if "id_field_data" not in str(error):
            raise
        raise ConfigError(
            f"documents of index {client.index!r} can't be put in the order of their _id "
            f"while {client.address} has indices.id_field_data.enabled off; ids must be in a keyword field",
            Hint.ID_FIELD,
        ) from error


def _read_sample(client: EngineClient, layout: Layout) -> list[dict[str, Any]]:
    """The first documents with a vector. Raises `IndexMismatch` where these can't be read again."""
    name = layout.names.vector
    body = {
        "size": SAMPLE,
        "query": {"bool": {"filter": layout.names.required}},
        "sort": [{layout.names.path(layout.names.id): "asc"}],
        "_source": {"includes": ["*", name]},
    }

    def read(answer: Any) -> list[dict[str, Any]]:
        return [hit | {"_source": get_object(hit.get("_source", {}))} for hit in get_hits(answer)]

    hits = client.request(
        client.raw.search, read=read, index=client.index, body=body, params=NO_PARTIAL_RESULTS
    )
    if not all(value_at(hit["_source"], name) for hit in hits):
        raise IndexMismatch(
            f"index {client.index!r} at {client.address} does not give back its vectors: _source is off, or "
            f"leaves out {one_line(name, 100)}"
        )
    return hits


def _with_lists(fields: Sequence[Field], sample: Sequence[Mapping[str, Any]]) -> list[Field]:
    """The fields, of which keywords are lists of them where some document has a list."""
    several = {name for hit in sample for name, value in hit["_source"].items() if isinstance(value, list)}
    return [
        Field(field.name, FieldType.KEYWORDS)
        if field.type is FieldType.KEYWORD and field.name in several
        else field
        for field in fields
    ]


def _read_vectors(
    client: EngineClient, layout: Layout, sample: Sequence[Mapping[str, Any]]
) -> Sequence[Vector]:
    """The vectors of documents.

    Raises `IndexMismatch` for what are none, and where their lengths are not one, if they have to be.
    """
    name, dim = layout.names.vector, layout.schema.space.dim
    values = [value_at(hit["_source"], name) for hit in sample]
    try:
        vectors = decode_vectors(values, dim)
    except MALFORMED:
        raise IndexMismatch(
            f"field {one_line(name, 100)} of index {client.index!r} has not {dim} numbers in each document"
        ) from None
    for hit, value in zip(sample if layout.names.metric else (), values, strict=False):
        length = float(np.linalg.norm(np.asarray(value, dtype=np.float64)))
        if not abs(length - 1) <= MAX_LENGTH_ERROR:
            raise IndexMismatch(
                f"index {client.index!r} at {client.address} compares vectors by {layout.names.metric}, and "
                f"not all of them have unit length (document {one_line(layout.id_of(hit), 100)!r}: "
                f"{length:.4g}), so that the nearest are not those with the best cosines; make an index with "
                "cosinesimil, and copy the documents into it (_reindex)"
            )
    return vectors


def _check_scores(
    client: EngineClient, layout: Layout, sample: Sequence[Mapping[str, Any]], rows: Sequence[Vector]
) -> Layout:
    """The layout by which scores are the cosines of the vectors in documents.

    Raises `IndexMismatch` where they are not.
    """
    if not sample:
        return layout
    vectors = np.stack(rows[: len(sample)])
    ids = [layout.id_of(hit) for hit in sample]
    expected = dict(zip(ids, cosines(vectors, vectors[0]).tolist(), strict=True))
    search = KnnSearch(vectors[0], len(ids), (HasId(tuple(ids)),))
    try:
        (hits,) = search_many(client, layout, [search])
    except StoreError as error:
        if "does not support filters" not in str(error):  # a mapping may leave the engine to the version
            raise
        layout = replace(layout, names=replace(layout.names, filters_by_script=True))
        (hits,) = search_many(client, layout, [search])
    for hit in hits:
        if hit.id in expected and abs(hit.score - expected[hit.id]) > MAX_SCORE_ERROR:
            raise IndexMismatch(
                f"scores of index {client.index!r} at {client.address} are no cosines: document "
                f"{one_line(hit.id, 100)!r} has {hit.score:.4f}, its vector {expected[hit.id]:.4f}"
            )
    return layout


def _sample_row(layout: Layout, hit: Mapping[str, Any]) -> AdoptedRow:
    source = layout.source_of(hit)
    return AdoptedRow(layout.id_of(hit), source["location"], source["description"])


def _describe_method(engine: Engine, property: Mapping[str, Any]) -> str:
    """How its vectors are found, in the engine's words."""
    match engine:
        case Engine.OPENSEARCH:
            method = property.get("method", {})
            words = (method.get("name", "hnsw"), method.get("engine", "its default engine"))
            return one_line(" of ".join(map(str, words)), 100)
        case Engine.ELASTICSEARCH:
            return one_line(str(property.get("index_options", {}).get("type", "hnsw")), 100)
