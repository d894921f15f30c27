"""What works on this machine and what is missing, found out by trying."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from esclip._errors import EsclipError, IndexNotFound
from esclip._settings import DEFAULT_ENCODER, default_store, picture_cache

__all__ = ["Finding", "examine"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried."""

    name: str
    works: bool
    needed: bool
    """Whether the user named it, or nothing goes without it."""
    detail: str
    """What was found; where it doesn't work, what to do about it."""

    def to_json(self) -> dict[str, str | bool]:
        """The finding as the command line prints it with `--json`."""
        return asdict(self)


def examine(
    store: str | None,
    index: str,
    encoder: str | None,
    text_encoder: str | None,
    encoder_token: str | None = None,
) -> list[Finding]:
    """Try everything that an ingest and a search need, with these settings."""
    return list(_examine(store, index, encoder, text_encoder, encoder_token))


def _examine(
    store: str | None, index: str, encoder: str | None, text_encoder: str | None, encoder_token: str | None
) -> Iterator[Finding]:
    import esclip
    from esclip.encoders import load_encoder
    from esclip.encoders.clip import ClipEncoder

    yield Finding("esclip", True, True, f"{esclip.__version__}, Python {platform.python_version()}")
    model = encoder or DEFAULT_ENCODER

    def encode() -> str:
        loaded = load_encoder(model, text_encoder, token=encoder_token)
        loaded.encode_texts(["a picture"])
        space = loaded.space
        where = f" on {loaded.device} ({loaded.device_reason})" if isinstance(loaded, ClipEncoder) else ""
        return f"{space.model}{where}, texts by {space.text_model}, {space.dim} dimensions"

    yield _try("encoder", encoder is not None, encode)
    yield _try("picture cache", True, lambda: _writable(picture_cache()))

    def open_store() -> str:
        with esclip.open_index(store, index) as held:
            try:
                stats = held.stats()
            except IndexNotFound:
                return f"{store or default_store()} answers; no index {index!r} yet: esclip ingest PATH"
            return f"{stats.engine}, index {index!r} with {stats.documents:,} documents"

    yield _try("store", True, open_store)


def _try(name: str, needed: bool, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, needed, attempt())
    except (EsclipError, OSError, ImportError) as error:
        return Finding(name, False, needed, str(error))


def _writable(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".esclip-doctor"
    probe.write_bytes(b"")
    probe.unlink()
    return str(folder)
