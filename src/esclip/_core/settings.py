"""The defaults of the program, each in one place. The environment is read by `_cli.app` alone."""

from __future__ import annotations

import re
from pathlib import Path

from esclip._files.user_folders import cache_folder, data_folder, state_folder

DEFAULT_INDEX = "image_search"
DEFAULT_ENCODER = "clip-ViT-B-32"
DEFAULT_K = 10
"""Hits of a search."""

TEXT_LOGGER = "esclip.texts"
"""What logs warnings that quote texts of queries. Servers log none of these."""

BATCH_SIZE = 32
"""Pictures in a forward pass. Larger ones gain nothing on a CPU and little on a GPU with a B/32."""

FETCH_WORKERS = 16
"""Fetches at once: common practice with the picture host, which doesn't mind (`README`, "Unsplash")."""

PAGE_SIZE = 2048
"""Records that the store is asked about at once. The embedded store reads all of its ids for each page."""

PAGE_BYTES = 64 << 20
"""Records that hold their pictures are asked about earlier, once they hold so much."""

WRITE_SIZE = 512
"""Documents of one write: those of writes that a kill finds under way are encoded again."""

WRITE_SECONDS = 30.0
"""Documents that have waited so long are written, however few: slow encoders lose no more by a kill."""

MANIFEST_PART_RECORDS = 10_000
"""Records in a file of a manifest: what a machine takes at once."""

MAX_PICTURE_BYTES = 64 << 20
"""No larger picture is fetched or read."""

MAX_REJECTION_RATE = 0.5
"""The share of rejected records above which a run is a failure and stops."""

ENCODER_PORT = 8090
"""Where an encoder server listens."""

SEARCH_PORT = 8080
"""Where a search service listens."""

MAX_BODY_MIB = 64
"""The longest request that it takes: 445 pictures of 224 x 224 pixels."""

RANK_WINDOW_SIZE = 200
"""The best of each ranking that are fused, whatever the page: so pages neither repeat nor skip."""

DUPLICATE = 0.95
"""The cosine from which on pictures count as nearly the same."""

SEARCHES_AT_ONCE = 256
"""Searches of one request: of more, none is faster, and requests and answers have a limit."""

CALIBRATED_FROM = 100
"""So many pictures an index has before it is measured what scores say in it."""

STORE_KINDS = ("embedded", "opensearch", "elasticsearch")
"""The kinds of stores that keep an index, by the names that a plan knows."""

INDEX_SEPARATOR = ","
"""Between the names of several indexes: no name has one."""

UNSPLASH_PAGE = "https://unsplash.com/photos/"
"""Begins the page of each photo of the Unsplash dataset."""

UNSPLASH_HOST = "images.unsplash.com"
"""Where the pictures of the Unsplash dataset are; the only host that is fetched from by default."""


def is_index_name(name: str) -> bool:
    """Whether every store takes the name for an index."""
    return _INDEX_NAME.fullmatch(name) is not None


def is_cluster_name(name: str) -> bool:
    """Whether a cluster takes the name for an index: with dots, as in those of other programs."""
    return _CLUSTER_NAME.fullmatch(name) is not None


_INDEX_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,199}")
_CLUSTER_NAME = re.compile(r"(?=.{1,200}\Z)\.?[a-z0-9][a-z0-9_.-]*")


def default_store() -> str:
    """The embedded store's folder, in the user's data directory. Raises `ConfigError` where there is none."""
    return str(data_folder())


def ledger_folder() -> Path:
    """Where the ledgers of indexes on servers are kept: an embedded index has its own beside it."""
    return state_folder() / "ledgers"


def picture_cache() -> Path:
    """Where fetched pictures are kept, so that a second model downloads nothing again."""
    return cache_folder() / "pictures"


def thumbnail_cache() -> Path:
    """Where thumbnails of indexed pictures are kept, up to a gigabyte."""
    return cache_folder() / "thumbnails"


def tower_cache() -> Path:
    """Where models are kept as they run fastest on this machine."""
    return cache_folder() / "towers"


def hash_notes() -> Path:
    """Where the hashes of large model files are noted down: reading half a gigabyte takes a search's time."""
    return cache_folder() / "hashes"
