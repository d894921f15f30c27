"""Which encoder an index is used with: the user's, or the one it was made with; loaded once, on first use.

    named by the user ──────────────► loaded; the text tower is the index's where the user names none
    named by the index ─┬─ in the catalogue ─► loaded
                        ├─ a folder, another model of the hub ─► loaded after a warning in the log
                        └─ an address, anything else ─► EncoderError

An index is untrusted input. Nothing is sent to a server on its word: queries and pictures go only to a server
that the user names. A folder that it names is read as any model is: no code in it is run.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePath

from esclip._concurrency.forks import renew_in_children
from esclip._core.schema import IndexSchema, Space
from esclip._core.settings import DEFAULT_ENCODER
from esclip._errors import ConfigError, EncoderError, Hint, IndexMismatch, one_line
from esclip._errors.secrets import mask
from esclip._protocols import Encoder
from esclip.encoders import load_encoder
from esclip.encoders.catalogue import canonical_name
from esclip.encoders.checkpoints.find import is_hub_name, local_model
from esclip.encoders.text_cache import TextCachingEncoder
from esclip.encoders.unloaded import UnloadedEncoder

_log = logging.getLogger("esclip")

_PALETTE = "palette"


class EncoderResolver:
    """Loads an encoder by name, or holds the given one. Thread-safe."""

    def __init__(
        self,
        requested: str | Encoder | None,
        text_encoder: str | None,
        load: Callable[..., Encoder] = load_encoder,
        token: str | None = None,
    ) -> None:
        """`load` has the signature of `load_encoder`.

        Raises `ConfigError` for a text encoder together with an `Encoder`.
        """
        if text_encoder is not None and not isinstance(requested, str | None):
            raise ConfigError("text_encoder goes with an encoder's name, not with an encoder")
        self._name = requested if isinstance(requested, str) else None
        self._text_encoder = text_encoder
        self._load_encoder = load
        self._token = token
        self._is_given = not isinstance(requested, str | None)
        self._loaded: Encoder | None = None if isinstance(requested, str | None) else requested
        self._for_queries: TextCachingEncoder | None = None
        self._text_tower_checked = False
        self._lock = threading.Lock()
        renew_in_children(self)

    def for_space(self, space: Space) -> EncoderResolver:
        """What resolves the encoder of another index in the same way: this one, if it has its encoder."""
        with self._lock:
            loaded = self._loaded
        has_it = loaded is not None and loaded.space.same_as(space) and _same_text_tower(space, loaded.space)
        if has_it or self._is_given:
            return self
        return EncoderResolver(self._name, self._text_encoder, self._load_encoder, self._token)

    @property
    def is_named(self) -> bool:
        """Whether the user names an encoder, or gives one."""
        return self._name is not None or self._loaded is not None

    def renew(self) -> None:
        """Replace the lock, in a forked child."""
        self._lock = threading.Lock()

    def resolve(self, index: str, schema: IndexSchema | None) -> Encoder:
        """The encoder, checked against the schema of the index; None for an index that doesn't exist yet.

        Logs one warning where texts go through another text tower than the index's.

        Raises `EncoderError` and `IndexMismatch`.
        """
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load(index, schema.space if schema else None)
            if schema is not None:
                _require_same_space(index, schema.space, self._loaded.space)
                if not self._text_tower_checked:
                    _warn_of_other_text_tower(index, schema.space, self._loaded.space)
                self._text_tower_checked = True
            return self._loaded

    def resolve_for_queries(self, index: str, schema: IndexSchema | None) -> Encoder:
        """The same, which knows the vectors of texts that were asked for before. Raises as `resolve`."""
        encoder = self.resolve(index, schema)
        with self._lock:
            if self._for_queries is None:
                self._for_queries = TextCachingEncoder(encoder)
            return self._for_queries

    def unloaded(self, index: str, schema: IndexSchema | None) -> UnloadedEncoder:
        """The encoder that `resolve` would give, by its space: no model is loaded or downloaded.

        Raises as `resolve`, and `EncoderError` for a model that isn't on this machine and would have to be
        compared with the index's.
        """
        name = self._name or DEFAULT_ENCODER
        if self._loaded is not None or (self._name is not None and _is_at_hand(name)):
            return UnloadedEncoder(self.resolve(index, schema).space)
        if schema is None:
            return UnloadedEncoder(Space(name, self._text_encoder or name, "", "", 1))
        if self._name is not None and not _is_same_model(schema.space.model, name):
            raise EncoderError(
                f"model {name} is not on this machine, and a dry run downloads none", Hint.ENCODER
            )
        text_model = self._text_encoder or schema.space.text_model
        return UnloadedEncoder(replace(schema.space, text_model=text_model))

    def _load(self, index: str, indexed: Space | None) -> Encoder:
        if indexed is None:
            return self._load_encoder(self._name or DEFAULT_ENCODER, self._text_encoder, token=self._token)
        if self._name is None:
            return self._load_named_by_index(index, indexed)
        is_same = canonical_name(indexed.model) and _is_same_model(indexed.model, self._name)
        name = indexed.model if is_same else self._name
        encoder = self._load_encoder(name, self._text_encoder, token=self._token)
        space = encoder.space
        if self._text_encoder is not None or not indexed.same_as(space) or _same_text_tower(indexed, space):
            return encoder
        return self._with_text_tower(index, indexed, name, encoder)

    def _load_named_by_index(self, index: str, indexed: Space) -> Encoder:
        if indexed.model == _PALETTE:
            return self._load_encoder(_PALETTE, self._text_encoder)
        names = {"model": indexed.model}
        if self._text_encoder is None and indexed.text_model != indexed.model:
            names["text tower"] = indexed.text_model
        _check_named_by_index(index, names)
        return self._load_encoder(indexed.model, self._text_encoder or indexed.text_model)

    def _with_text_tower(self, index: str, indexed: Space, name: str, encoder: Encoder) -> Encoder:
        """The named encoder with the index's text tower, if this machine can load it."""
        if "://" in name:
            return encoder  # a server has its own
        if indexed.text_model == indexed.model:
            return self._load_encoder(name, name)
        if Path(indexed.text_model).is_absolute() and not _is_folder(indexed.text_model):
            return encoder  # a folder of another machine
        _check_named_by_index(index, {"text tower": indexed.text_model})
        return self._load_encoder(name, indexed.text_model)


def _check_named_by_index(index: str, names: dict[str, str]) -> None:
    """Log which models outside the catalogue are loaded only because an index names them, by their role.

    Raises `EncoderError` for names that an index is not trusted with.
    """
    unknown = {role: name for role, name in names.items() if canonical_name(name) is None}
    for name in unknown.values():
        _require_hub_name_or_folder(index, name)
    if unknown:
        _log.warning(
            "index %r names the %s: loading it on the index's word alone; %s",
            index,
            " and the ".join(f"{role} {_printable(name)}" for role, name in unknown.items()),
            Hint.TRUSTED_MODEL,
        )


def _require_hub_name_or_folder(index: str, name: str) -> None:
    if "://" in name or name.startswith(("//", "\\\\")):
        raise EncoderError(
            f"index {index!r} names an encoder at an address, {_printable(name)}; nothing is sent there on "
            "an index's word",
            Hint.TRUSTED_MODEL,
        )
    if not Path(name).is_absolute() and not is_hub_name(name):
        raise EncoderError(
            f"index {index!r} names the encoder {_printable(name)!r}, which is no known model and no "
            "absolute folder",
            Hint.ENCODER,
        )


def _is_at_hand(name: str) -> bool:
    """Whether a model that the user names can be opened without a download. Raises `EncoderError`."""
    return name == _PALETTE or "://" in name or local_model(name) is not None


def _is_folder(name: str) -> bool:
    try:
        return not name.startswith(("//", "\\\\")) and Path(name).is_dir()
    except (OSError, ValueError):
        return False


def _require_same_space(index: str, indexed: Space, loaded: Space) -> None:
    if not indexed.same_as(loaded):
        raise IndexMismatch(
            f"index {index!r} was made with {indexed.describe()}, and can't be used with {loaded.describe()}",
            Hint.SAME_ENCODER,
        )


def _warn_of_other_text_tower(index: str, indexed: Space, loaded: Space) -> None:
    if not _same_text_tower(indexed, loaded):
        _log.warning(
            "index %r was made with the text tower %s, and texts go through %s: scores and best hits may "
            "differ; %s",
            index,
            _printable(indexed.text_model),
            _printable(loaded.text_model),
            Hint.TEXT_ENCODER,
        )


def _same_text_tower(indexed: Space, loaded: Space) -> bool:
    is_own = indexed.text_model == indexed.model and loaded.text_model == loaded.model
    return is_own or _is_same_model(indexed.text_model, loaded.text_model)


def _is_same_model(indexed: str, name: str) -> bool:
    """Whether two names are one model's: by the catalogue, or of a folder that was moved."""
    known = canonical_name(indexed)
    if indexed == name or (known is not None and known == canonical_name(name)):
        return True
    return PurePath(indexed).name == PurePath(name).name and not _is_folder(indexed)


def _printable(name: str) -> str:
    return mask(one_line(name, 200))
