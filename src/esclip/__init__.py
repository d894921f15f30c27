"""Finds pictures by what they show: text-to-image and image-to-image search over CLIP vectors.

    index = esclip.open_index()                # an embedded index in the user's data directory
    index.ingest("photos/")                    # an Unsplash dataset, or any folder of images
    hits = index.search_text("a red car in the snow")

Names are imported when they are first used, so that `import esclip` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from esclip._audit.audit import audit
    from esclip._audit.options import AuditOptions
    from esclip._audit.report import Audit, AuditRow
    from esclip._classify import classify
    from esclip._client.client import Client
    from esclip._client.document import Document
    from esclip._client.profile import Profile
    from esclip._comparison.compare import compare
    from esclip._comparison.options import CompareOptions
    from esclip._comparison.report import ComparedIndex, ComparedQuery, Comparison, ComparisonRow
    from esclip._concurrency.stop import CancelToken
    from esclip._core.adoption import AdoptedRow, Adoption, AdoptOptions
    from esclip._core.facets import Bucket, Facet, Facets, ValueCount
    from esclip._core.filters import (
        AllOf,
        AnyOf,
        Condition,
        Exists,
        HasId,
        HasWords,
        Inside,
        Near,
        Not,
        OneOf,
        Prefix,
        Range,
        StartsWith,
    )
    from esclip._core.index_settings import IndexSettings
    from esclip._core.labels import LabelScore, LabelSet
    from esclip._core.outcomes import RecordOutcome
    from esclip._core.progress import Phase, Progress
    from esclip._core.rejections import IngestReport, LedgerEntry, Rejection, Stage, TooManyRejections
    from esclip._core.schema import Field, FieldType, IndexInfo, IndexSchema, Space, Stats
    from esclip._core.searches import KeywordSearch, KnnSearch, Order, Scan, Search
    from esclip._core.types import (
        Box,
        Fingerprint,
        GeoPoint,
        Hit,
        ImageRecord,
        ScoreDetail,
        StoredDocument,
        TextRecord,
    )
    from esclip._encode import encode
    from esclip._errors import (
        ConfigError,
        DecodeError,
        DocumentNotFound,
        EncoderError,
        EsclipError,
        FetchError,
        FieldNotFound,
        IndexExists,
        IndexMismatch,
        IndexNotFound,
        RecordError,
        SourceError,
        StoreError,
        StoreUnavailable,
    )
    from esclip._errors.reasons import Reason
    from esclip._evaluation.evaluate import evaluate
    from esclip._evaluation.evaluation import EvaluatedSystem, Evaluation
    from esclip._evaluation.judgements import JudgedQuery, Judgements
    from esclip._evaluation.options import EvaluateOptions
    from esclip._evaluation.statistics import Difference, Figure
    from esclip._index import ImageIndex
    from esclip._ingest.manifest import ManifestReport, write_manifest
    from esclip._ingest.options import (
        AddOptions,
        IngestOptions,
        ManifestOptions,
        ReencodeOptions,
        RetryOptions,
        RunOptions,
    )
    from esclip._list_indexes import list_indexes
    from esclip._net.access import StoreAuth
    from esclip._open_index import open_index
    from esclip._plan.options import PlanOptions
    from esclip._plan.planner import plan
    from esclip._plan.value import Plan, PlanLine
    from esclip._protocols import Encoder, Source, Store
    from esclip._search.copying import CopyReport
    from esclip._search.documents import Documents
    from esclip._search.duplicates import DuplicateGroup
    from esclip._search.hits import Hits
    from esclip._search.options import HitOptions, QueryOptions, SearchOptions, TextSearchOptions
    from esclip._search.query import ImageQuery, Keywords, Query, SimilarTo, Text, VectorQuery
    from esclip._search.selection import Gallery
    from esclip._switch import SwitchReport, switch_index
    from esclip._transfer.options import ExportOptions, ImportOptions
    from esclip._transfer.reports import ExportReport
    from esclip.encoders import Model, load_encoder, models

    __version__: str

__all__ = [
    "AddOptions",
    "AdoptOptions",
    "AdoptedRow",
    "Adoption",
    "AllOf",
    "AnyOf",
    "Audit",
    "AuditOptions",
    "AuditRow",
    "Box",
    "Bucket",
    "CancelToken",
    "Client",
    "CompareOptions",
    "ComparedIndex",
    "ComparedQuery",
    "Comparison",
    "ComparisonRow",
    "Condition",
    "ConfigError",
    "CopyReport",
    "DecodeError",
    "Difference",
    "Document",
    "DocumentNotFound",
    "Documents",
    "DryRun",
    "DuplicateGroup",
    "Encoder",
    "EncoderError",
    "EsclipError",
    "EvaluateOptions",
    "EvaluatedSystem",
    "Evaluation",
    "Exists",
    "ExportOptions",
    "ExportReport",
    "Facet",
    "Facets",
    "FetchError",
    "Field",
    "FieldNotFound",
    "FieldType",
    "Figure",
    "Fingerprint",
    "Gallery",
    "GeoPoint",
    "HasId",
    "HasWords",
    "Hit",
    "HitOptions",
    "Hits",
    "ImageIndex",
    "ImageQuery",
    "ImageRecord",
    "ImportOptions",
    "IndexExists",
    "IndexInfo",
    "IndexMismatch",
    "IndexNotFound",
    "IndexSchema",
    "IndexSettings",
    "IngestOptions",
    "IngestReport",
    "Inside",
    "JudgedQuery",
    "Judgements",
    "KeywordSearch",
    "Keywords",
    "KnnSearch",
    "LabelScore",
    "LabelSet",
    "LedgerEntry",
    "ManifestOptions",
    "ManifestReport",
    "Model",
    "Near",
    "Not",
    "OneOf",
    "Order",
    "Phase",
    "Plan",
    "PlanLine",
    "PlanOptions",
    "Prefix",
    "Profile",
    "Progress",
    "Query",
    "QueryOptions",
    "Range",
    "Reason",
    "RecordError",
    "RecordOutcome",
    "ReencodeOptions",
    "Rejection",
    "RetryOptions",
    "RunOptions",
    "Scan",
    "ScoreDetail",
    "Search",
    "SearchOptions",
    "SimilarTo",
    "Source",
    "SourceError",
    "Space",
    "Stage",
    "StartsWith",
    "Stats",
    "Store",
    "StoreAuth",
    "StoreError",
    "StoreUnavailable",
    "StoredDocument",
    "SwitchReport",
    "Text",
    "TextRecord",
    "TextSearchOptions",
    "TooManyRejections",
    "ValueCount",
    "VectorQuery",
    "audit",
    "classify",
    "compare",
    "encode",
    "evaluate",
    "list_indexes",
    "load_encoder",
    "models",
    "open_index",
    "plan",
    "switch_index",
    "write_manifest",
]

_HOMES = (
    "_errors", "_errors.reasons", "_net.access", "_core.labels", "_core.filters", "_core.schema",
    "_core.types", "_core.searches", "_core.facets", "_search.query", "_search.options", "_core.rejections",
    "_protocols", "_core.progress", "_concurrency.stop", "_ingest.options", "_search.hits",
    "_core.dry_run", "_transfer.options", "_transfer.reports", "_search.documents", "_search.duplicates",
    "_search.copying",
    "encoders", "_client.document", "_client.profile", "_client.client", "_evaluation.options",
    "_evaluation.statistics", "_evaluation.evaluation", "_evaluation.judgements", "_evaluation.evaluate",
    "_classify", "_index", "_open_index", "_list_indexes", "_encode", "_search.selection",
    "_plan.options", "_plan.value", "_plan.planner", "_audit.options", "_audit.report", "_audit.audit",
    "_ingest.manifest", "_comparison.options",
    "_comparison.report", "_comparison.compare", "_switch", "_core.adoption",
)  # fmt: skip
"""Modules that hold the public names, from light to heavy to import."""


if not TYPE_CHECKING:  # a type checker would take any name for one of a module that has `__getattr__`

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("esclip")
        if name in __all__:
            for home in _HOMES:
                module = import_module(f"esclip.{home}")
                _publish(module)
                if name in globals():
                    return globals()[name]
        from esclip._core.other_names import our_attribute

        raise AttributeError(our_attribute("module esclip", name), name=name)

    def _publish(module: ModuleType) -> None:
        """Take over the public names of a module, which tracebacks and `help` then show as `esclip.NAME`.

        A class with annotated fields keeps its module: `typing.get_type_hints` resolves them there.
        """
        for name in vars(module).keys() & {*__all__}:
            value = globals()[name] = getattr(module, name)
            if isinstance(value, type | FunctionType) and "__annotations__" not in vars(value):
                value.__module__ = "esclip"


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
