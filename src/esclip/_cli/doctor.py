"""What works on this machine and what is missing, found out by trying."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from esclip._cli.config_file import ConfigFile, config_path
from esclip._cli.hints import format_error
from esclip._core.index_settings import FLOAT
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
    config: ConfigFile | None,
    settings: Iterable[tuple[str, str, str]],
    *,
    encoder_named: bool,
) -> list[Finding]:
    """Try everything that an ingest and a search need: what opens the index and loads the encoder.

    `describe_access` says how the store authenticates us; `load` loads the encoder of a new index. `settings`
    are names, values, and where these come from.
    """
    import esclip

    versions = f"{esclip.__version__}, Python {platform.python_version()}"
    made: list[str] = []
    store = _try("store", True, lambda: _describe_store(open_store, describe_access, made.append))
    return [
        Finding("esclip", True, True, versions),
        Finding("configuration", True, True, _describe_config(config)),
        *(Finding("setting", True, True, f"{name} = {value} ({place})") for name, value, place in settings),
        _try_encoder(open_store if made else None, load, named=encoder_named),
        *_formats(),
        _try("picture cache", True, lambda: _writable(picture_cache())),
        store,
    ]


def _describe_config(config: ConfigFile | None) -> str:
    if config:
        return str(config.path)
    path = config_path()
    return f"none; {path} would be read" if path else "none"


def _try_encoder(
    open_store: Callable[[], ImageIndex] | None, load: Callable[[], Encoder], *, named: bool
) -> Finding:
    """The encoder of the index's searches; without an index, that of the first ingest."""

    def encode() -> str:
        if open_store is None:
            loaded, whose = load(), ""
        else:
            with open_store() as index:
                loaded, whose = index.load_encoder(), f", as index {index.stats().index!r} was made"
        loaded.encode_texts(["a red picture"])
        space = loaded.space
        return (
            f"{space.model} by {loaded.runtime}, texts by {space.text_model}, {space.dim} dimensions{whose}"
        )

    found = _try("encoder", named or open_store is not None, encode)
    if found.works or named:
        return found
    instead = "`esclip demo`" if open_store else "`esclip demo` and --encoder palette (colours only)"
    return replace(found, detail=f"{found.detail}; without a model: {instead}")


def _describe_store(
    open_store: Callable[[], ImageIndex],
    describe_access: Callable[[], str | None],
    on_index: Callable[[str], None],
) -> str:
    """What the store says; `on_index` is called with the name of the index, if it is there."""
    with open_store() as index:
        how = f", authenticated by {describe_access()}" if describe_access() else ""
        try:
            stats = index.stats()
        except IndexNotFound as error:
            return f"answers{how}; {format_error(error)}"
        on_index(stats.index)
        documents = pluralize(stats.documents, "document")
        level = "" if stats.vectors == FLOAT else f", vectors compared as {stats.vectors}"
        return f"{stats.engine}{how}, index {stats.index!r} with {documents}{level}"


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
