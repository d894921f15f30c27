"""The model of a plan: its dimension, and what is downloaded for it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from esclip._core.arguments import wrong_kind
from esclip._core.schema import Stats
from esclip._errors import ConfigError
from esclip._files.locations import AnyPath
from esclip._protocols import Encoder
from esclip.encoders import load_encoder
from esclip.encoders.catalogue import MODELS, Model, canonical_name, default_text_encoder

PALETTE = "palette"


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """What a plan needs to know of a model."""

    name: str
    dim: int
    encoder: AnyPath | Encoder | None
    """What a probe loads; None where only an index names it, which may be anybody's."""
    download_megabytes: tuple[int, ...]
    """Of it and of the text tower of its queries; empty where unknown."""

    @classmethod
    def of(cls, encoder: AnyPath | Encoder) -> PlannedModel:
        """Look it up in the catalogue; one that isn't there is opened."""
        if not isinstance(encoder, str | os.PathLike):
            if not hasattr(encoder, "encode_images"):
                raise wrong_kind("the encoder", encoder, "a model's name, a folder, an address or an Encoder")
            return cls(encoder.space.model, encoder.space.dim, encoder, _downloads(encoder.space.model))
        name = os.fspath(encoder)
        known = _find_in_catalogue(name)
        if known is None:
            space = load_encoder(name).space
            return cls(space.model, space.dim, encoder, ())
        if "pictures" not in known.towers:
            raise ConfigError(f"encoder {known.name!r} has no tower for pictures; name one that has")
        return cls(known.name, known.dim, encoder, _downloads(name))

    @classmethod
    def of_index(cls, index: Stats) -> PlannedModel:
        """The model of an index. Nothing is opened because an index names it, but for well-known models."""
        name = index.encoder
        known = name == PALETTE or _find_in_catalogue(name) is not None
        return cls(name, index.dimension, name if known else None, _downloads(name))

    def load(self) -> Encoder:
        """Open the encoder. Raises `ConfigError` where it has to be given."""
        if self.encoder is None:
            raise ConfigError(f"the index was made with {self.name!r}: a probe needs it as its encoder")
        return load_encoder(self.encoder) if isinstance(self.encoder, str | os.PathLike) else self.encoder


def _find_in_catalogue(name: str) -> Model | None:
    canonical = canonical_name(name)
    return next((model for model in MODELS if model.name == canonical), None)


def _downloads(name: str) -> tuple[int, ...]:
    names = dict.fromkeys((canonical_name(name), canonical_name(default_text_encoder(name))))
    return tuple(model.download_megabytes for each in names for model in MODELS if model.name == each)
