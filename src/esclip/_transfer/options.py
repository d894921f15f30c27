"""The options of an export and an import: their one declaration (`_core/options.py`)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from esclip._core.options import Opt
from esclip._core.settings import MAX_REJECTION_RATE
from esclip._ingest.options import CallbackOptions, SettingOptions, max_rejection_rate

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
