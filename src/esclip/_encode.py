"""Encoding without a store: an ingest whose index is a vector cache."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack, cast

from esclip._core.arguments import AnyPath, coerce_path
from esclip._core.other_names import check_names
from esclip._core.rejections import IngestReport
from esclip._files.locations import user_path
from esclip._ingest.options import OF_AN_INDEX, IngestOptions
from esclip._open_index import open_index
from esclip._protocols import Encoder, Source


@check_names()
def encode(
    *paths: AnyPath | Source | Iterable[AnyPath | Source],
    out: AnyPath,
    encoder: AnyPath | Encoder | None = None,
    text_encoder: AnyPath | None = None,
    device: str | None = None,
    precision: str | None = None,
    encoder_token: str | None = None,
    **options: Unpack[IngestOptions],
) -> IngestReport:
    """Encode the pictures of `paths` into a vector cache, for an import into any store. Needs no store.

    The same run as `ImageIndex.ingest`: what the cache holds unchanged is skipped, rejections are counted
    and kept, in the cache's folder. A part is finished with 65,536 documents, or after ten minutes; a run
    that was ended goes on from there. The cache is finished at the end of a whole run.

    Args:
        paths: As in `ImageIndex.ingest`.
        out: The folder of the vector cache, new, empty, or one that a run before has written.
        encoder: As in `open_index`. Default: that of the cache; for a new one `clip-ViT-B-32`.
        text_encoder: As in `open_index`.
        device: As in `open_index`.
        precision: As in `open_index`.
        encoder_token: As in `open_index`.
        **options: `limit`, `images`, `labels`, `texts`, `exclude`, `captions`, `url_column`, `id_column`,
            `frame_interval`, `slice`, `captioner`, `detector`, `detector_threshold`, `parts`, `batch_size`,
            `workers`, `allow_hosts`, `public_hosts`, `ignore_robots_tag`, `max_rejection_rate`, `cache`,
            `stop`, `on_rejection`, `on_outcome`, `on_progress`, `show_progress`, and, refused because they
            are for an index, `prune`, `confirm`, `vectors`, `shards`, `replicas`, `refresh`, `m`,
            `ef_construction`, `on`, `dry_run`, `rate`, `picture_bytes`: as in `ImageIndex.ingest`.

    Returns:
        Counts of the run: `read == skipped + written + rejected`.

    Raises:
        ConfigError: The folder holds something else, or an argument can't be used.
        ValueError: An option is for an index.
        EsclipError: As `ImageIndex.ingest`.

    Example:
        report = esclip.encode("photos", out="vectors", encoder="palette")
        with esclip.open_index("encoded", encoder="palette") as other:
            assert other.import_vectors("vectors").written == report.written
    """
    from esclip._transfer.exporting import require_cache_folder
    from esclip.stores.vector_cache.store import VectorCacheStore

    if refused := [name for name in OF_AN_INDEX if cast(Any, options).get(name)]:
        raise ValueError(f"{refused[0]} is for an index, and a vector cache is none")
    folder = user_path(coerce_path("out", out), "out").absolute()
    require_cache_folder(folder)
    opened = open_index(
        VectorCacheStore(folder),
        encoder=encoder,
        text_encoder=text_encoder,
        device=device,
        precision=precision,
        encoder_token=encoder_token,
    )
    with opened as index:
        return index.ingest(*paths, **options)
