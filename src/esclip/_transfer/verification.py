"""Finds out whether vectors of other programs are those of a model, by encoding some pictures anew."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from esclip._core.rejections import Rejection
from esclip._core.settings import UNSPLASH_HOST, picture_cache
from esclip._core.types import ImageRecord, Vector, cosines, unit_rows
from esclip._errors import ConfigError, Hint, RecordError, one_line
from esclip._errors.counts import pluralize
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy
from esclip._ingest.stages import Decoded, Fetched, decode_picture, encode_batch
from esclip._protocols import Encoder
from esclip._transfer.others import GONE

COMPARED = 8
"""Pictures that are encoded anew."""

TRIED = 64
"""Pictures that may be asked for, of which some are gone."""

LEAST_COSINE = 0.99
"""Of the median picture: another runtime or size of the same picture changes a cosine by less."""


def require_model(
    pairs: Sequence[tuple[ImageRecord | Rejection, Vector]], encoder: Encoder, allow_hosts: Collection[str]
) -> None:
    """Raise `ConfigError` where the vectors aren't the encoder's, or where that can't be found out."""
    model = one_line(encoder.space.model, 200)
    decoded, vectors, problem = _decode_some(pairs, encoder, allow_hosts)
    if not decoded:
        raise ConfigError(
            f"none of {pluralize(min(len(pairs), TRIED), 'picture')} can be read here ({problem}), so that "
            f"their vectors can't be compared with those of {model}",
            Hint.TRUST,
        )
    ours = [one.vector for one in encode_batch(decoded, encoder)]
    rows = unit_rows(np.stack(vectors))
    found = [float(cosines(row[np.newaxis], own)[0]) for row, own in zip(rows, ours, strict=True)]
    if not np.median(found) >= LEAST_COSINE:
        raise ConfigError(
            f"the vectors are not those of {model}: with {pluralize(len(found), 'picture')} encoded anew, "
            f"the median cosine is {np.median(found):.3f}, below {LEAST_COSINE:g}",
            Hint.ENCODER,
        )


def _decode_some(
    pairs: Sequence[tuple[ImageRecord | Rejection, Vector]], encoder: Encoder, allow_hosts: Collection[str]
) -> tuple[list[Decoded], list[Vector], str]:
    """Pictures that can be read, the vectors that are given for them, and why another can't be read."""
    decoded: list[Decoded] = []
    vectors: list[Vector] = []
    problem = "no row has both a picture and a vector"
    step = max(1, len(pairs) // TRIED)
    with Fetcher(HostPolicy(allow_hosts, {UNSPLASH_HOST}), cache=picture_cache()) as fetcher:
        for record, vector in pairs[::step][:TRIED]:
            if isinstance(record, Rejection) or not np.isfinite(vector).all() or not vector.any():
                continue
            try:
                picture = Fetched(record, fetcher.fetch(record.picture), "")
                decoded.append(decode_picture(picture, encoder, crops=False))
            except RecordError as error:
                is_gone = isinstance(record.picture, str) and record.picture.startswith(GONE)
                why = "there is no such file" if is_gone else one_line(error.detail, 200)
                problem = f"{one_line(record.location, 200)}: {why}"
                continue
            vectors.append(vector)
            if len(decoded) == COMPARED:
                break
    return decoded, vectors, problem
