"""The options of a plan: their one declaration (`_core/options.py`)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, TypedDict

from esclip._core.index_settings import VECTOR_LEVELS
from esclip._core.options import PICTURE_BYTES_OPTION, RATE_OPTION, Opt
from esclip._core.settings import STORE_KINDS
from esclip._core.targets import PART_KINDS

PICTURE_COUNT = Opt(
    None, "How many pictures there will be.", minimum=1, maximum=1_000_000_000_000, metavar="PICTURES"
)

DOCUMENT_BYTES = 1500
"""Of an index's document beside its vector, where nobody has measured it."""

PROBED_SIZE = "1080x720"


def _price(of: str) -> Opt:
    return Opt(None, f"Price of {of}, in any currency.", minimum=0.0, maximum=1e9, metavar="PRICE")


class PlanOptions(TypedDict, total=False):
    """Options of `plan`. A GB is 10^9 bytes."""

    engine: Annotated[
        str | None,
        Opt(
            None,
            "The kind of store. [default: that of the index, else embedded]",
            choices=STORE_KINDS,
            metavar="NAME",
        ),
    ]
    parts: Annotated[
        Collection[str],
        Opt(
            (),
            "Parts of pictures with vectors of their own: captions, crops (13 a picture).",
            choices=PART_KINDS,
            metavar="KIND,...",
        ),
    ]
    texts: Annotated[
        int, Opt(0, "Text documents beside the pictures.", minimum=0, maximum=1_000_000_000_000, metavar="N")
    ]
    vectors: Annotated[
        str | None,
        Opt(
            None,
            "How vectors are compared first: float, int8 or bit. [default: as the index, else float]",
            choices=VECTOR_LEVELS,
            metavar="LEVEL",
        ),
    ]
    shards: Annotated[
        int | None,
        Opt(
            None,
            "Primary shards of an index in a cluster. [default: 3, as indexes are made]",
            minimum=1,
            maximum=1024,
            metavar="N",
        ),
    ]
    replicas: Annotated[
        int | None,
        Opt(
            None,
            "Copies of each shard in a cluster beside the primary. [default: 1 with a second node, as "
            "indexes are made, else 0]",
            minimum=0,
            maximum=100,
            metavar="N",
        ),
    ]
    document_bytes: Annotated[
        int,
        Opt(
            DOCUMENT_BYTES,
            "Bytes on disk of a document without its vector: measure them in an index of some thousands.",
            minimum=0,
            maximum=1_000_000_000,
            metavar="N",
        ),
    ]
    node_memory: Annotated[
        float | None,
        Opt(None, "Memory of a node in GB, for the number of nodes.", 0.1, 100_000.0, metavar="GB"),
    ]
    picture_bytes: Annotated[int | None, PICTURE_BYTES_OPTION]
    rate: Annotated[float | None, RATE_OPTION]
    probe: Annotated[
        bool, Opt(False, "Measure that rate: decode, preprocess and encode 64 pictures on this machine.")
    ]
    picture_size: Annotated[
        str | None,
        Opt(
            None,
            f"Width and height in pixels of the probe's pictures. [default: {PROBED_SIZE}]",
            metavar="WxH",
        ),
    ]
    price_node_hour: Annotated[float | None, _price("an hour of a node")]
    price_gb_month: Annotated[float | None, _price("a GB of disk for a month")]
    price_encoder_hour: Annotated[float | None, _price("an hour of a machine that encodes")]
    price_gb_fetched: Annotated[float | None, _price("fetching a GB")]
