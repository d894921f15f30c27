"""Small pictures of hits for a terminal: of files by the maker of thumbnails, of URLs by the fetcher.

hit ─┬─ a file ─► thumbnail, of the very file that was encoded ─┬─► JPEG, or None
     └─ a URL  ─► a small rendition, fetched from known hosts ──┘
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

from esclip._concurrency.streams import owned, parallel_map
from esclip._core.settings import UNSPLASH_HOST
from esclip._core.types import PICTURE, Hit
from esclip._core.urls import is_web_address
from esclip._errors import RecordError
from esclip._files.buckets import is_bucket_address
from esclip._images.thumbnail_cache import thumbnail
from esclip._images.thumbnails import THUMBNAIL_HEIGHT, shrink
from esclip.sources import preview_url

if TYPE_CHECKING:
    from esclip._fetch.fetcher import Fetcher

WORKERS = 8
"""Pictures at once."""
TIMEOUT_S = 10.0
"""For one picture."""


def read_previews(hits: Collection[Hit], allow_hosts: Collection[str] = ()) -> list[bytes | None]:
    """A small JPEG of each hit; None where it can't be shown.

    Raises `ConfigError` for an allowed host that is none.
    """
    from esclip._fetch.fetcher import Fetcher
    from esclip._fetch.hosts import HostPolicy

    with Fetcher(HostPolicy(allow_hosts, {UNSPLASH_HOST}), workers=WORKERS, timeout=TIMEOUT_S) as fetcher:
        read = partial(_read, fetcher=fetcher)
        with owned(parallel_map(read, enumerate(hits), workers=WORKERS, stop=fetcher.stop)) as previews:
            return [jpeg for _, jpeg in sorted(previews)]


def _read(numbered: tuple[int, Hit], *, fetcher: Fetcher) -> tuple[int, bytes | None]:
    number, hit = numbered
    if hit.kind != PICTURE:
        return number, None
    in_bucket = is_bucket_address(hit.location)
    if not (in_bucket or is_web_address(hit.location)):
        small = thumbnail(hit)
        return number, small and small.jpeg
    try:
        data = fetcher.fetch(hit.location if in_bucket else preview_url(hit.location, THUMBNAIL_HEIGHT))
        return number, shrink(data, THUMBNAIL_HEIGHT).jpeg
    except RecordError:
        return number, None
