"""The options of an export: their one declaration (`_core/options.py`)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from esclip._core.options import Opt

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
