"""What works on this machine and what is missing, found out by trying."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from esclip._errors import EsclipError, IndexNotFound
from esclip._protocols import Encoder
from esclip._settings import DEFAULT_ENCODER, default_store, picture_cache
from esclip.encoders import load_encoder

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
    device: str | None,
    precision: str | None,
    encoder_token: str | None = None,
) -> list[Finding]:
    """Try everything that an ingest and a search need, with these settings."""

    def load() -> Encoder:
        return load_encoder(
            encoder or DEFAULT_ENCODER,
            text_encoder,
            device=device,
            precision=precision,
            token=encoder_token,
        )

    return list(_examine(store, index, load, named=encoder is not None))


def _examine(store: str | None, index: str, load: Callable[[], Encoder], *, named: bool) -> Iterator[Finding]:
    import esclip

    yield Finding("esclip", True, True, f"{esclip.__version__}, Python {platform.python_version()}")

    def encode() -> str:
        loaded = load()
        loaded.encode_texts(["a picture"])
        space = loaded.space
        return f"{space.model} by {loaded.runtime}, texts by {space.text_model}, {space.dim} dimensions"

    yield _try("encoder", named, encode)
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
