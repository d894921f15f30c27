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
    from esclip._classify import Guess, classify
    from esclip._concurrency.stop import Stop
    from esclip._core.filters import (
        AllOf,
        AnyOf,
        Condition,
        Exists,
        HasId,
        Inside,
        Near,
        Not,
        OneOf,
        Range,
    )
    from esclip._core.labels import Labelling
    from esclip._core.rejections import IngestReport, KeptRejection, Reason, Rejection, Stage
    from esclip._core.schema import Field, FieldType, IndexInfo, IndexSchema, Space, Stats
    from esclip._core.searches import Listing, Matching, Nearest, Search
    from esclip._core.types import Box, Document, Fingerprint, GeoPoint, Hit, ImageRecord, Reckoned
    from esclip._errors import (
        ConfigError,
        DecodeError,
        DocumentNotFound,
        EncoderError,
        EsclipError,
        FetchError,
        IndexExists,
        IndexMismatch,
        IndexNotFound,
        RecordError,
        SourceError,
        StoreError,
        StoreUnavailable,
        TooManyRejections,
    )
    from esclip._index import ImageIndex, open_index
    from esclip._ingest.options import RunOptions
    from esclip._ingest.progress import Phase, Progress
    from esclip._net.access import Access
    from esclip._protocols import Encoder, Source, Store
    from esclip._search.duplicates import DuplicateGroup
    from esclip._search.hits import Hits
    from esclip._search.query import Options, Picture, Query, Raw, Stored, Text, Words
    from esclip.encoders import Model, load_encoder, models

    __version__: str

__all__ = [
    "Access",
    "AllOf",
    "AnyOf",
    "Box",
    "Condition",
    "ConfigError",
    "DecodeError",
    "Document",
    "DocumentNotFound",
    "DuplicateGroup",
    "Encoder",
    "EncoderError",
    "EsclipError",
    "Exists",
    "FetchError",
    "Field",
    "FieldType",
    "Fingerprint",
    "GeoPoint",
    "Guess",
    "HasId",
    "Hit",
    "Hits",
    "ImageIndex",
    "ImageRecord",
    "IndexExists",
    "IndexInfo",
    "IndexMismatch",
    "IndexNotFound",
    "IndexSchema",
    "IngestReport",
    "Inside",
    "KeptRejection",
    "Labelling",
    "Listing",
    "Matching",
    "Model",
    "Near",
    "Nearest",
    "Not",
    "OneOf",
    "Options",
    "Phase",
    "Picture",
    "Progress",
    "Query",
    "Range",
    "Raw",
    "Reason",
    "Reckoned",
    "RecordError",
    "Rejection",
    "RunOptions",
    "Search",
    "Source",
    "SourceError",
    "Space",
    "Stage",
    "Stats",
    "Stop",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "Stored",
    "Text",
    "TooManyRejections",
    "Words",
    "classify",
    "load_encoder",
    "models",
    "open_index",
]

_HOMES = (
    "_errors",
    "_net.access",
    "_core.labels",
    "_core.filters",
    "_core.schema",
    "_core.types",
    "_core.searches",
    "_search.query",
    "_core.rejections",
    "_protocols",
    "_ingest.progress",
    "_concurrency.stop",
    "_ingest.options",
    "_search.hits",
    "_search.duplicates",
    "encoders",
    "_classify",
    "_index",
)


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
        raise AttributeError(f"module 'esclip' has no attribute {name!r}")

    def _publish(module: ModuleType) -> None:
        """Take over the public names of a module, which tracebacks and `help` then show as `esclip.NAME`.

        A class with annotated fields keeps its module: `typing.get_type_hints` resolves them there.
        """
        for name in {*module.__all__} & {*__all__}:
            value = globals()[name] = getattr(module, name)
            if isinstance(value, type | FunctionType) and "__annotations__" not in vars(value):
                value.__module__ = "esclip"


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
