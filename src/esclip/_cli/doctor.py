"""What works on this machine and what is missing, found out by trying."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from esclip._cli.hints import format_error
from esclip._core.settings import picture_cache
from esclip._errors import ConfigError, EsclipError, IndexNotFound
from esclip._errors.counts import pluralize
from esclip._images.formats import INSTALL_HINTS, ImageFormat, is_supported
from esclip._index import ImageIndex
from esclip._protocols import Encoder


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
    open_store: Callable[[], ImageIndex],
    describe_access: Callable[[], str | None],
    load: Callable[[], Encoder],
    *,
    encoder_named: bool,
) -> list[Finding]:
    """Try everything that an ingest and a search need: what opens the index and loads the encoder.

    `describe_access` says how the store authenticates us.
    """
    return list(_examine(open_store, describe_access, load, named=encoder_named))


def _examine(
    open_store: Callable[[], ImageIndex],
    describe_access: Callable[[], str | None],
    load: Callable[[], Encoder],
    *,
    named: bool,
) -> Iterator[Finding]:
    import esclip

    yield Finding("esclip", True, True, f"{esclip.__version__}, Python {platform.python_version()}")

    def encode() -> str:
        loaded = load()
        loaded.encode_texts(["a red picture"])
        space = loaded.space
        return f"{space.model} by {loaded.runtime}, texts by {space.text_model}, {space.dim} dimensions"

    yield _try("encoder", named, encode)
    yield from _formats()
    yield _try("picture cache", True, lambda: _writable(picture_cache()))

    def look_in() -> str:
        with open_store() as index:
            how = f", authenticated by {describe_access()}" if describe_access() else ""
            try:
                stats = index.stats()
            except IndexNotFound as error:
                return f"answers{how}; {format_error(error)}"
            return f"{stats.engine}{how}, index {stats.index!r} with {pluralize(stats.documents, 'document')}"

    yield _try("store", True, look_in)


def _formats() -> Iterator[Finding]:
    read = [format.value for format in ImageFormat if is_supported(format)]
    yield Finding("pictures", True, True, f"{', '.join(read)} are read")
    for format, remedy in INSTALL_HINTS.items():
        if not is_supported(format):
            yield Finding(f"{format.value} pictures", False, False, f"passed over; {remedy}")


def _try(name: str, needed: bool, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, needed, attempt())
    except (EsclipError, OSError, ImportError) as error:
        return Finding(name, False, needed, format_error(error))


def _writable(folder: Path) -> str:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".esclip-doctor"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise ConfigError(f"{folder} can't be written ({error.strerror}); set XDG_CACHE_HOME") from error
    return str(folder)
