"""Encoders of images and texts into one vector space: `load_encoder` opens one, `models` lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esclip._core.arguments import coerce_name, coerce_text
from esclip._core.other_names import check_names
from esclip._core.settings import DEFAULT_ENCODER
from esclip._errors import ConfigError
from esclip._errors.secrets import Address, Secret
from esclip._files.locations import AnyPath, server_address
from esclip.encoders.catalogue import Model, canonical_name

if TYPE_CHECKING:
    from esclip._protocols import Encoder

__all__ = ["Model", "load_encoder", "models"]


@check_names()
def load_encoder(
    name: AnyPath = DEFAULT_ENCODER,
    text_encoder: AnyPath | None = None,
    *,
    device: str | None = None,
    precision: str | None = None,
    token: str | None = None,
) -> Encoder:
    """Open an encoder by its name. Weights are loaded when they are first used.

    For the CPU, a model is exported once into the user's cache directory.

    Args:
        name: `palette`, a model's name on the Hugging Face hub, a model's folder, or the address of an
            encoder server (`esclip serve-encoder`), or of several with commas between, which encode at the
            same time. A folder's name has a separator in it or begins with `~`
            or a dot. Names that `models` lists are the hub's, whatever lies in the working directory; other
            spellings of them (`sentence-transformers/clip-ViT-B-32`, `ViT-B-32::openai`) are the same models.
        text_encoder: The model for texts. Default: `clip-ViT-B-32-multilingual-v1` for `clip-ViT-B-32`; for
            others the model itself.
        device: `cpu`, `cuda` or another device of torch. Default: the fastest for pictures, the CPU for
            texts.
        precision: What the CPU computes in: `f32`, `bf16` or `int8`. Default: `bf16` where the CPU has it.
        token: Token of an encoder server.

    Raises:
        EncoderError: The model can't be found or used.
        ConfigError: An argument doesn't fit this encoder.

    Example:
        encoder = esclip.load_encoder("palette")
        vectors = encoder.encode_texts(["something red"])  # shape (1, encoder.space.dim)
    """
    name = coerce_name("the encoder", name, "a model's name, a folder or an address")
    if text_encoder is not None:
        text_encoder = coerce_name("the text encoder", text_encoder, "a model's name or a folder")
    for what, value in (("device", device), ("precision", precision), ("token", token)):
        if value is not None:
            coerce_text(what, value)
    name, token = Address(name.strip()), Secret(token) if token is not None else None
    text_encoder = text_encoder.strip() if text_encoder is not None else None
    if name == "palette":
        if text_encoder is not None:
            raise ConfigError(
                f"text encoder {text_encoder!r}: the encoder palette reads texts itself; leave it out"
            )
        from esclip.encoders.palette import PaletteEncoder

        return PaletteEncoder()
    servers = _server_addresses(name)
    if servers:
        if text_encoder is not None:
            raise ConfigError(f"text encoder {text_encoder!r}: the encoder server has its own; leave it out")
        if device is not None or precision is not None:
            raise ConfigError("device and precision are the encoder server's to choose; leave them out")
        if len(servers) > 1:
            from esclip.encoders.remote.pool import EncoderPool

            return EncoderPool(servers, token)
        from esclip.encoders.remote.encoder import RemoteEncoder

        return RemoteEncoder(servers[0], token)
    from esclip.encoders.clip import ClipEncoder

    return ClipEncoder(name, text_encoder, device=device, precision=precision)


def _server_addresses(name: str) -> list[str]:
    """The addresses of encoder servers that a name has, with commas between; none for a model's."""
    if canonical_name(name) is not None:
        return []
    parts = [Address(part.strip()) for part in name.split(",")]
    if not all("://" in part for part in parts):
        parts = [Address(name)]  # a comma of a folder's name
    return [server for part in parts if (server := server_address(part, "encoder")) is not None]


def models() -> tuple[Model, ...]:
    """List the models known by name, and which of them this machine has.

    Asks no network. Any other model that sentence-transformers loads can be named too.
    """
    from esclip.encoders.inventory import list_models

    return list_models()
