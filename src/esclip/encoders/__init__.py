"""What turns pictures and texts into vectors: `load_encoder` gives one by its name, `models` lists names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esclip._core.arguments import AnyPath, given_name, given_text
from esclip._core.settings import DEFAULT_ENCODER
from esclip._errors import ConfigError
from esclip._files.locations import server_address
from esclip._text.secrets import Address, Secret
from esclip.encoders.catalogue import Model, known_name

if TYPE_CHECKING:
    from esclip._protocols import Encoder

__all__ = ["Model", "load_encoder", "models"]


def load_encoder(
    name: AnyPath = DEFAULT_ENCODER,
    text_encoder: AnyPath | None = None,
    *,
    device: str | None = None,
    precision: str | None = None,
    token: str | None = None,
) -> Encoder:
    """The encoder of this name: `palette`, a model's name on the Hugging Face hub, or a model's folder.

    A folder's name has a separator in it, or begins with `~` or a dot: `./clip`. Names that `models` lists
    are the hub's, whatever lies in the working directory, and so are other names of the same models
    (`sentence-transformers/clip-ViT-B-32`, `ViT-B-32::openai`). An `http://` or `https://` address stands
    for the encoder that `esclip serve-encoder` serves there; `token` is what it wants to see, if anything.
    Other encoders want none.

    `text_encoder` is the model for texts; `clip-ViT-B-32-multilingual-v1` by default for `clip-ViT-B-32`,
    and for any other the model itself. `device` is `cpu` or one of torch's (`cuda`, `mps`), by default the
    fastest for pictures and the CPU for texts. `precision` is what the CPU computes in: `f32`, `bf16` (the
    default where the CPU has it) or `int8`.

    Weights are loaded when they are first needed; for the CPU they are exported once, into the user's cache
    directory. Raises `EncoderError` when a model can't be found or used, `ConfigError` for a device or a
    precision that doesn't fit.
    """
    name = given_name("the encoder", name, "a model's name, a folder or an address")
    if text_encoder is not None:
        text_encoder = given_name("the text encoder", text_encoder, "a model's name or a folder")
    for what, value in (("device", device), ("precision", precision), ("token", token)):
        if value is not None:
            given_text(what, value)
    name, token = Address(name.strip()), Secret(token) if token is not None else None
    text_encoder = text_encoder.strip() if text_encoder is not None else None
    if name == "palette":
        if text_encoder is not None:
            raise ConfigError(
                f"text encoder {text_encoder!r}: the encoder palette reads texts itself; leave it out"
            )
        from esclip.encoders.palette import PaletteEncoder

        return PaletteEncoder()
    server = server_address(name, "encoder") if known_name(name) is None else None
    if server is not None:
        if text_encoder is not None:
            raise ConfigError(f"text encoder {text_encoder!r}: the encoder server has its own; leave it out")
        if device is not None or precision is not None:
            raise ConfigError("device and precision are the encoder server's to choose; leave them out")
        from esclip.encoders.remote.encoder import RemoteEncoder

        return RemoteEncoder(server, token)
    from esclip.encoders.clip import ClipEncoder

    return ClipEncoder(name, text_encoder, device=device, precision=precision)


def models() -> tuple[Model, ...]:
    """The models that are known by name, each with whether this machine has it. Asks no network.

    Any other model that sentence-transformers loads can be named too.
    """
    from esclip.encoders.inventory import take_inventory

    return take_inventory()
