"""The options of an export and an import: their one declaration (`_core/options.py`)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, TypedDict

from esclip._core.options import Opt
from esclip._core.settings import MAX_REJECTION_RATE
from esclip._files.locations import AnyPath
from esclip._ingest.options import (
    ALLOW_HOSTS,
    ID_COLUMN,
    URL_COLUMN,
    CallbackOptions,
    SettingOptions,
    max_rejection_rate,
)

FLOAT32 = "float32"
FLOAT16 = "float16"


class ExportOptions(TypedDict, total=False):
    """Options of an export."""

    dtype: Annotated[
        str,
        Opt(
            FLOAT32,
            "Numbers of the vectors: float32, or float16, which takes half the disk and changes cosines by "
            "up to 0.0005.",
            choices=(FLOAT32, FLOAT16),
            metavar="TYPE",
        ),
    ]


class ImportOptions(CallbackOptions, SettingOptions, total=False):
    """Options of an import."""

    max_rejection_rate: Annotated[float, max_rejection_rate(MAX_REJECTION_RATE)]
    ids: Annotated[
        AnyPath | None,
        Opt(
            None,
            "The table with the ids of the rows of an .npy file, or with their URLs: .csv, .tsv, .parquet. "
            "[default: the one beside it]",
            metavar="FILE",
        ),
    ]
    vector_column: Annotated[
        str | None,
        Opt(
            None,
            "The column of a Parquet file that has the vectors. [default: the only one of lists of floats]",
            metavar="NAME",
        ),
    ]
    url_column: Annotated[str | None, URL_COLUMN]
    id_column: Annotated[str | None, ID_COLUMN]
    trust: Annotated[
        bool,
        Opt(
            False, "Take vectors of others to be those of the model, without encoding 8 pictures to compare."
        ),
    ]
    allow_hosts: Annotated[Collection[str], ALLOW_HOSTS]
