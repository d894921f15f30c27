"""The protocol between a remote encoder and its server: paths, headers, and the format of each body.

    GET  /v1/encoder   ─► EncoderInfo, JSON: the space, the preprocessing, limits
    POST /v1/images    uint8, (n, height, width, 3) ─► float32, little-endian, (n, dim)
    POST /v1/texts     {"texts": [...]}             ─► float32, little-endian, (n, dim)
    GET  /health       ─► JSON, for people and monitors

A request for vectors carries the digest of the space that it expects, so that a server restarted with another
model can't mix spaces. A token is sent as `Authorization: Bearer`. An error is `{"error": "..."}`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any, get_type_hints

import numpy as np
import orjson

from esclip._core.schema import Space
from esclip._core.types import Pixels, Vectors
from esclip._errors.counts import pluralize
from esclip.encoders.checkpoints.logit_scale import LOGIT_SCALE, MAX_LOGIT_SCALE
from esclip.encoders.preprocessing import Preprocessing

VERSION = 1
"""Of the protocol; increased with each incompatible change."""

ENCODER_PATH, IMAGES_PATH, TEXTS_PATH, HEALTH_PATH = "/v1/encoder", "/v1/images", "/v1/texts", "/health"
OCTET_STREAM, JSON = "application/octet-stream", "application/json"
SPACE_HEADER = "Esclip-Space"
"""Header with the digest of the space that a request expects."""
MAX_TEXTS = 1024
"""In a request: short texts become long responses."""


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """A server's description of its encoder."""

    space: Space
    preprocessing: Preprocessing
    runtime: str
    max_body: int
    """The longest body that is accepted, in bytes."""
    logit_scale: float = LOGIT_SCALE
    """Of the model; servers of older versions don't send it."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a preprocessed picture."""
        return (self.preprocessing.height, self.preprocessing.width, 3)

    @property
    def picture_bytes(self) -> int:
        """Of a preprocessed picture in a body."""
        return int(np.prod(self.shape))

    @property
    def digest(self) -> str:
        """Equal for servers whose vectors can be compared, in whichever folders their models are."""
        space = (
            self.space.weights,
            self.space.preprocessing,
            self.space.dim,
            PurePath(self.space.text_model).name,
        )
        identity = (space, self.preprocessing.to_json())
        return hashlib.sha256(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """The body of the server's response."""
        return {
            "protocol": VERSION,
            "space": asdict(self.space),
            "preprocessing": self.preprocessing.to_json(),
            "runtime": self.runtime,
            "max_body": self.max_body,
            "logit_scale": self.logit_scale,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EncoderInfo:
        """The inverse of `to_json`. Raises `KeyError`, `TypeError` or `ValueError` for anything else."""
        space = Space(**data["space"])
        if not all(isinstance(getattr(space, name), kind) for name, kind in get_type_hints(Space).items()):
            raise TypeError("a space of other types")
        if "://" in space.model:
            raise ValueError("a model that is an address")  # a search would send requests there
        scale = data.get("logit_scale", LOGIT_SCALE)
        preprocessing = Preprocessing.from_json(data["preprocessing"])
        info = cls(space, preprocessing, data["runtime"], data["max_body"], float(scale))
        if not isinstance(info.runtime, str) or not 0 < space.dim <= 65_536:
            raise ValueError("no runtime, or a dimension out of range")
        if not 0 < info.logit_scale <= MAX_LOGIT_SCALE:
            raise ValueError(f"a logit scale of {info.logit_scale}")
        if info.max_body < info.picture_bytes:
            raise ValueError(f"not one picture of {info.picture_bytes} bytes fits into a body")
        return info


def pack_pixels(batch: Sequence[Pixels]) -> bytes:
    """The body for a batch of pictures."""
    return np.ascontiguousarray(np.stack(batch), dtype=np.uint8).tobytes()


def unpack_pixels(body: bytes, shape: tuple[int, int, int]) -> list[Pixels]:
    """The pictures of a body. Raises `ValueError` when it isn't a whole number of them."""
    size = int(np.prod(shape))
    if not body or len(body) % size:
        raise ValueError(
            f"{pluralize(len(body), 'byte')} are no whole pictures of "
            f"{' x '.join(map(str, shape))} = {size} bytes"
        )
    return list(np.frombuffer(body, dtype=np.uint8).reshape(-1, *shape))


def pack_texts(texts: Sequence[str]) -> bytes:
    """The body for texts."""
    return orjson.dumps({"texts": list(texts)})


def unpack_texts(body: bytes) -> list[str]:
    """The texts of a body. Raises `ValueError` when it has none, or too many."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"no JSON ({error})") from None
    texts = data.get("texts") if isinstance(data, dict) else None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError('no texts; send {"texts": ["...", "..."]}')
    if not 0 < len(texts) <= MAX_TEXTS:
        raise ValueError(f"{pluralize(len(texts), 'text')}; send from 1 to {MAX_TEXTS:,}")
    return texts


def pack_vectors(rows: Vectors) -> bytes:
    """The body for vectors."""
    return rows.astype("<f4").tobytes()


def unpack_vectors(body: bytes, count: int, dim: int) -> Vectors:
    """The vectors of a body. Raises `ValueError` when they aren't `count` unit rows, or rows of NaN."""
    if len(body) != 4 * count * dim:
        raise ValueError(
            f"{pluralize(len(body), 'byte')} instead of {pluralize(count, 'vector')} of {dim} dimensions"
        )
    rows = np.frombuffer(body, dtype="<f4").reshape(count, dim).astype(np.float32)
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(rows, axis=1)
    if not (np.isnan(rows).all(axis=1) | (np.abs(lengths - 1) < 1e-3)).all():
        raise ValueError("vectors that are not of unit length")
    return rows
