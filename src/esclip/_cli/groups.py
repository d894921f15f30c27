"""Options that go together, as one parameter of a command: where the index is, and what encodes.

@app.command()
@grouped
def stats(*, at: StoreOptions, json: Json = False) -> None:
    with at.open() as held: ...
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any, get_origin, get_type_hints

import typer

from esclip._cli.ingest_options import AllowHosts, BatchSize, Cache, IgnoreRobotsTag, Workers
from esclip._cli.options import (
    ApiKey,
    AwsRegion,
    CaFile,
    Device,
    EncoderName,
    EncoderToken,
    Index,
    Password,
    PrecisionName,
    Store,
    TextEncoderName,
    User,
    split,
)
from esclip._cli.search_options import Collapse, Exact, Explain, K, MinScore, Offset, Targets, Where, Window
from esclip._core.optional_imports import hide_module
from esclip._core.settings import (
    BATCH_SIZE,
    DEFAULT_ENCODER,
    DEFAULT_INDEX,
    FETCH_WORKERS,
    RANK_WINDOW_SIZE,
    default_store,
)
from esclip._core.targets import PICTURES
from esclip._net.access import StoreAuth, resolve_access

if TYPE_CHECKING:
    from esclip._index import ImageIndex
    from esclip._protocols import Encoder

__all__ = ["EncoderOptions", "FetchOptions", "HitOptions", "PictureEncoderOptions", "StoreOptions", "grouped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HitOptions:
    """Which hits are wanted."""

    k: K = 10
    where: Where = None
    offset: Offset = 0
    min_score: MinScore = -1.0
    targets: Targets = PICTURES
    exact: Exact = False
    rank_window_size: Window = RANK_WINDOW_SIZE
    explain: Explain = False
    collapse: Collapse = None

    def named(self) -> dict[str, Any]:
        """As the facade's methods take them."""
        return {one.name: getattr(self, one.name) for one in fields(self)} | {
            "targets": split(self.targets) or (PICTURES,)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """How pictures are had and encoded, in an ingest and in a retry."""

    batch_size: BatchSize = BATCH_SIZE
    workers: Workers = FETCH_WORKERS
    allow_host: AllowHosts = None
    ignore_robots_tag: IgnoreRobotsTag = False
    cache: Cache = None

    def named(self) -> dict[str, Any]:
        """As the facade's methods take them."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return values | {"allow_hosts": values.pop("allow_host") or ()}


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureEncoderOptions:
    """What encodes pictures. An empty option is as if it were not given."""

    encoder: EncoderName = None
    device: Device = None
    precision: PrecisionName = None
    encoder_token: EncoderToken = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOptions(PictureEncoderOptions):
    """What encodes pictures and texts."""

    text_encoder: TextEncoderName = None

    def load(self, *, token: str | None = None) -> Encoder:
        """The encoder, to be tried or served."""
        from esclip.encoders import load_encoder

        return load_encoder(
            self.encoder or DEFAULT_ENCODER,
            self.text_encoder or None,
            device=self.device or None,
            precision=self.precision or None,
            token=token or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """Where the index is, and what lets us in there. An empty option is as if it were not given."""

    store: Store = None
    index: Index = DEFAULT_INDEX
    ca_file: CaFile = None
    user: User = None
    password: Password = field(default=None, repr=False)
    api_key: ApiKey = field(default=None, repr=False)
    aws_region: AwsRegion = None
    typed: Collection[str] = ()
    """Which of them stand on the command line; the others come from variables, or are defaults."""

    def open(self, by: PictureEncoderOptions | None = None) -> ImageIndex:
        """The index, encoding `by` these."""
        by = by or PictureEncoderOptions()
        with hide_module("pandas"):  # pyarrow imports it where it is: a fifth of a search's time, for nothing
            from esclip._index import open_index

            return open_index(
                self.store or None,
                self.index,
                by.encoder or None,
                (by.text_encoder or None) if isinstance(by, EncoderOptions) else None,
                device=by.device or None,
                precision=by.precision or None,
                encoder_token=by.encoder_token or None,
                access=self.access(),
            )

    def access(self) -> StoreAuth:
        """What lets us in. What variables hold for a cluster says nothing about a folder, and is left out."""
        from esclip.stores import is_folder

        names = [name.name for name in fields(StoreAuth)]
        given = {name: value for name in names if (value := getattr(self, name))}
        if is_folder(self.store or default_store()):
            given = {name: value for name, value in given.items() if name in self.typed}
        return StoreAuth(**given)

    def how(self) -> str | None:
        """How we are let in, but not with what."""
        from esclip.stores import is_folder

        address = self.store or default_store()
        return None if is_folder(address) else resolve_access(address, self.access())[1].describe()


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command with each field of its groups as an option of its own, as Typer wants it."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}

    @wraps(command)
    def run(ctx: typer.Context, **values: Any) -> None:
        for name, kind in groups.items():
            options = {option: values.pop(option) for option in _options_of(kind)}
            if kind is StoreOptions:
                options["typed"] = [option for option in options if _is_typed(ctx, option)]
            values[name] = kind(**options)
        command(**values)

    parameters = [Parameter("ctx", Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    for name, parameter in signature(command).parameters.items():
        if name in groups:
            parameters += _options_of(groups[name]).values()
        else:
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name]))
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return run


def _options_of(group: Any) -> dict[str, Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return {
        one.name: Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
        for one in fields(group)
        if get_origin(hints[one.name]) is Annotated
    }


def _is_typed(ctx: typer.Context, option: str) -> bool:
    source = ctx.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"
