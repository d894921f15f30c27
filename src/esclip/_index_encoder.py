"""The encoder of an index: what was asked for, or what the index was made with; loaded once, when needed."""

from __future__ import annotations

import threading
from collections.abc import Callable

from esclip._errors import ConfigError, IndexMismatch
from esclip._protocols import Encoder
from esclip._schema import IndexSchema, Space
from esclip._settings import DEFAULT_ENCODER
from esclip.encoders import load_encoder

__all__ = ["IndexEncoder"]


class IndexEncoder:
    """Loads an encoder by name, or holds one that was given. Safe from several threads."""

    def __init__(
        self,
        asked: str | Encoder | None,
        text: str | None,
        load: Callable[..., Encoder] = load_encoder,
        token: str | None = None,
    ) -> None:
        """`load` is called as `load_encoder` is. Raises `ConfigError` for a text tower beside an encoder."""
        if text is not None and not isinstance(asked, str | None):
            raise ConfigError("text_encoder goes with an encoder's name, not with an encoder")
        self._asked = asked
        self._text = text
        self._load_encoder = load
        self._token = token
        self._loaded: Encoder | None = None if isinstance(asked, str | None) else asked
        self._lock = threading.Lock()

    def for_index(self, index: str, held: IndexSchema | None) -> Encoder:
        """The encoder, checked against what the index holds. Raises `EncoderError` and `IndexMismatch`."""
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load(held.space if held else None)
        if held is not None:
            _require_same_space(index, held.space, self._loaded.space)
        return self._loaded

    def _load(self, held: Space | None) -> Encoder:
        assert isinstance(self._asked, str | None)
        if self._asked is not None or held is None:
            return self._load_encoder(self._asked or DEFAULT_ENCODER, self._text, token=self._token)
        text_model = held.text_model if held.text_model != held.model else None
        return self._load_encoder(held.model, self._text or text_model)


def _require_same_space(index: str, held: Space, asked: Space) -> None:
    if not held.same_as(asked):
        raise IndexMismatch(
            f"index {index!r} was made with {_describe(held)}, and can't be used with {_describe(asked)}; "
            f"leave out --encoder, or ingest into another --index"
        )


def _describe(space: Space) -> str:
    return f"{space.model} (weights {space.weights[:12]}, {space.dim} dimensions)"
