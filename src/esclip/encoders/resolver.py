"""The encoder of an index: the requested one, or what the index was made with; loaded once, when needed.

    named by the user ──────────────► loaded, with the index's text tower where none is named
    named by the index ─┬─ known ───► loaded
                        ├─ a folder, another model of the hub ─► loaded, and the log says so before
                        └─ an address, anything else ─► EncoderError

An index may come from anybody. What it says never makes us send anything anywhere: queries and pictures go to
a server only when the user names it. A folder that it names is read as any model is: no code in it is run.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path, PurePath

from esclip._concurrency.forks import renew_in_children
from esclip._core.schema import IndexSchema, Space
from esclip._core.settings import DEFAULT_ENCODER
from esclip._errors import ConfigError, EncoderError, Hint, IndexMismatch, one_line
from esclip._protocols import Encoder
from esclip._text.secrets import mask
from esclip.encoders import load_encoder
from esclip.encoders.catalogue import canonical_name
from esclip.encoders.checkpoints.find import is_hub_name

__all__ = ["EncoderResolver"]

_log = logging.getLogger("esclip")


class EncoderResolver:
    """Loads an encoder by name, or holds one that was given. Safe from several threads."""

    def __init__(
        self,
        requested: str | Encoder | None,
        text: str | None,
        load: Callable[..., Encoder] = load_encoder,
        token: str | None = None,
    ) -> None:
        """`load` is called as `load_encoder` is. Raises `ConfigError` for a text tower beside an encoder."""
        if text is not None and not isinstance(requested, str | None):
            raise ConfigError("text_encoder goes with an encoder's name, not with an encoder")
        self._requested = requested
        self._text = text
        self._load_encoder = load
        self._token = token
        self._loaded: Encoder | None = None if isinstance(requested, str | None) else requested
        self._compared = False
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """A lock of a forked child's own."""
        self._lock = threading.Lock()

    def resolve(self, index: str, held: IndexSchema | None) -> Encoder:
        """The encoder, checked against what the index holds.

        The index's text tower is taken where none is named; a warning tells where another one is.

        Raises `EncoderError` and `IndexMismatch`.
        """
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load(index, held.space if held else None)
            if held is not None:
                _require_same_space(index, held.space, self._loaded.space)
                if not self._compared:
                    _compare_text_towers(index, held.space, self._loaded.space)
                self._compared = True
            return self._loaded

    def _load(self, index: str, held: Space | None) -> Encoder:
        assert isinstance(self._requested, str | None)
        if held is None:
            return self._load_encoder(self._requested or DEFAULT_ENCODER, self._text, token=self._token)
        if self._requested is None:
            return self._load_named_by_index(index, held)
        named = (
            held.model
            if canonical_name(held.model) and _is_same_model(held.model, self._requested)
            else self._requested
        )
        encoder = self._load_encoder(named, self._text, token=self._token)
        space = encoder.space
        if self._text is not None or not held.same_as(space) or _same_text_tower(held, space):
            return encoder
        return self._with_text_tower(index, held, named, encoder)

    def _load_named_by_index(self, index: str, held: Space) -> Encoder:
        if held.model == PALETTE:
            return self._load_encoder(PALETTE, self._text)
        text = self._text or held.text_model
        _check_named_by_index(
            index, {"model": held.model} | ({} if self._text else {"text tower": held.text_model})
        )
        return self._load_encoder(held.model, text)

    def _with_text_tower(self, index: str, held: Space, named: str, encoder: Encoder) -> Encoder:
        """The named encoder with the index's text tower, where that can be had here."""
        if "://" in named:
            return encoder  # a server has its own
        if held.text_model == held.model:
            text = named
        elif Path(held.text_model).is_absolute() and not _is_folder(held.text_model):
            return encoder  # of another machine
        else:
            _check_named_by_index(index, {"text tower": held.text_model})
            text = held.text_model
        return self._load_encoder(named, text)


PALETTE = "palette"


def _check_named_by_index(index: str, named: dict[str, str]) -> None:
    """Log which models are loaded because an index names them, and nobody else.

    Raises `EncoderError` for what isn't loaded on an index's word.
    """
    unknown = {name: what for what, name in reversed(named.items()) if canonical_name(name) is None}
    for name in unknown:
        _require_no_address(index, name)
    if unknown:
        _log.warning(
            "index %r names the %s: loading it on the index's word alone; %s",
            index,
            " and the ".join(f"{what} {_printable(name)}" for name, what in reversed(unknown.items())),
            Hint.TRUSTED_MODEL,
        )


def _require_no_address(index: str, name: str) -> None:
    shown = _printable(name)
    if "://" in name or name.startswith(("//", "\\\\")):
        raise EncoderError(
            f"index {index!r} names an encoder at an address, {shown}; nothing is sent there on an index's "
            "word",
            Hint.TRUSTED_MODEL,
        )
    if not Path(name).is_absolute() and not is_hub_name(name):
        raise EncoderError(
            f"index {index!r} names the encoder {shown!r}, which is no known model and no absolute folder",
            Hint.ENCODER,
        )


def _is_folder(name: str) -> bool:
    try:
        return not name.startswith(("//", "\\\\")) and Path(name).is_dir()
    except (OSError, ValueError):
        return False


def _require_same_space(index: str, held: Space, requested: Space) -> None:
    if not held.same_as(requested):
        raise IndexMismatch(
            f"index {index!r} was made with {_describe(held)}, and can't be used with {_describe(requested)}",
            Hint.SAME_ENCODER,
        )


def _compare_text_towers(index: str, held: Space, used: Space) -> None:
    if not _same_text_tower(held, used):
        _log.warning(
            "index %r was made with the text tower %s, and texts go through %s: scores and best hits may "
            "differ; %s",
            index,
            _printable(held.text_model),
            _printable(used.text_model),
            Hint.TEXT_ENCODER,
        )


def _same_text_tower(held: Space, used: Space) -> bool:
    own = held.text_model == held.model and used.text_model == used.model
    return own or _is_same_model(held.text_model, used.text_model)


def _is_same_model(held: str, used: str) -> bool:
    """Whether two names are one model's: by the catalogue, or of a folder that was moved."""
    known = canonical_name(held)
    if held == used or (known is not None and known == canonical_name(used)):
        return True
    return PurePath(held).name == PurePath(used).name and not _is_folder(held)


def _printable(name: str) -> str:
    return mask(one_line(name, 200))


def _describe(space: Space) -> str:
    return f"{_printable(space.model)} (weights {one_line(space.weights[:12])}, {space.dim} dimensions)"
