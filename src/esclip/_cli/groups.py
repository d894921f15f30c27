"""Options that go together, as one parameter of a command: where the index is, what encodes, how to search.

    @command(CommandGroup.SEARCH)
    def similar(id: ..., *, search: QueryOptions, store: StoreOptions, json: Json = False) -> None:
        with store.open() as index:
            print_hits(index.similar(id, **search), json=json)

A group is a dataclass whose options are written here, or a `TypedDict` of options that the library declares.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints, is_typeddict

import typer

from esclip._cli.completion import complete_index, complete_model
from esclip._cli.options import Quiet, Verbose, as_address, to_arguments, to_parameters
from esclip._core.optional_imports import hide_module
from esclip._core.options import Panel
from esclip._core.settings import DEFAULT_ENCODER, DEFAULT_INDEX, default_store
from esclip._errors.secrets import Secret
from esclip._net.access import StoreAuth, resolve_access

if TYPE_CHECKING:
    from esclip._core.schema import Stats
    from esclip._index import ImageIndex
    from esclip._protocols import Encoder
    from esclip._switch import SwitchReport


@dataclass(frozen=True, slots=True)
class Without:
    """Note in the type of a group: a command doesn't have these of its options."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEncoderOptions:
    """What encodes pictures. An empty option is as if it were not given."""

    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            "--model",
            envvar="ESCLIP_ENCODER",
            autocompletion=complete_model,
            parser=as_address,
            rich_help_panel=Panel.MODEL,
            metavar="NAME",
            help="A model name, a local model folder (with a / in it: ./clip), palette (colours only, no "
            "download), or the http(s):// address of an encoder server, of several with commas between. "
            f"[default: what the index was made with; {DEFAULT_ENCODER} for a new one]",
        ),
    ] = None
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            rich_help_panel=Panel.MODEL,
            metavar="NAME",
            help="cpu, cuda, mps or another of torch's. [default: the fastest for pictures, the CPU for "
            "texts]",
        ),
    ] = None
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            rich_help_panel=Panel.MODEL,
            metavar="NAME",
            help="What the CPU computes in: f32, bf16 or int8. [default: bf16 where the CPU has it, else "
            "f32]",
        ),
    ] = None
    encoder_token: Annotated[
        str | None,
        typer.Option(
            "--encoder-token",
            envvar="ESCLIP_ENCODER_TOKEN",
            parser=Secret,
            rich_help_panel=Panel.ACCESS,
            metavar="TOKEN",
            help="What an encoder server lets clients in for; better in the variable, which no list of "
            "processes shows.",
        ),
    ] = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOptions(ImageEncoderOptions):
    """What encodes pictures and texts."""

    text_encoder: Annotated[
        str | None,
        typer.Option(
            "--text-encoder",
            envvar="ESCLIP_TEXT_ENCODER",
            rich_help_panel=Panel.MODEL,
            metavar="NAME",
            help="The text tower for queries. [default: the index's; for a new one the encoder's, the "
            f"multilingual one for {DEFAULT_ENCODER}]",
        ),
    ] = None

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
    """Where the index is, and how to authenticate there. An empty option is as if it were not given."""

    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            envvar="ESCLIP_STORE",
            parser=as_address,
            rich_help_panel=Panel.INDEX,
            metavar="ADDRESS",
            help="A folder (embedded; NAME.db: Milvus Lite), the http(s):// address of an OpenSearch or "
            "Elasticsearch, or the milvus:// one of a Milvus. "
            "[default: a folder in your data directory]",
        ),
    ] = None
    index: Annotated[
        str,
        typer.Option(
            "--index",
            envvar="ESCLIP_INDEX",
            autocompletion=complete_index,
            rich_help_panel=Panel.INDEX,
            metavar="NAME",
            help="The index; for a search also several, with commas between.",
        ),
    ] = DEFAULT_INDEX
    auth: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Those of `StoreAuth`."""
    typed: Collection[str] = ()
    """Which of them stand on the command line; the others come from variables, or are defaults."""

    def open(self, encoder: ImageEncoderOptions | None = None) -> ImageIndex:
        """The index, with these options of an encoder."""
        encoder = encoder or ImageEncoderOptions()
        with hide_module("pandas"):  # pyarrow imports it where it is: a fifth of a search's time, for nothing
            from esclip._open_index import open_index

            return open_index(
                self.store or None,
                self.index,
                encoder.encoder or None,
                (encoder.text_encoder or None) if isinstance(encoder, EncoderOptions) else None,
                device=encoder.device or None,
                precision=encoder.precision or None,
                encoder_token=encoder.encoder_token or None,
                auth=self.store_auth(),
            )

    def list_indexes(self) -> list[Stats]:
        """What each index of the store holds."""
        from esclip._list_indexes import list_indexes

        return list_indexes(self.store or None, auth=self.store_auth())

    def switch_to(self, index: str, *, force: bool) -> SwitchReport:
        """Point the index's name to another index."""
        from esclip._switch import switch_index

        return switch_index(index, self.index, self.store or None, auth=self.store_auth(), force=force)

    def store_auth(self) -> StoreAuth:
        """Credentials and CA file. For a folder, those of variables are left out: they are for a cluster."""
        from esclip.stores import is_folder

        given = {name: value for name, value in self.auth.items() if value}
        if is_folder(self.store or default_store()):
            given = {name: value for name, value in given.items() if name in self.typed}
        return StoreAuth(**given)

    def describe_access(self) -> str | None:
        """How the cluster authenticates us, without the secret."""
        from esclip.stores import is_folder

        address = self.store or default_store()
        return None if is_folder(address) else resolve_access(address, self.store_auth())[1].describe()


def expand_groups(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of its groups as parameters of their own, as Typer wants them."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if _is_group(hint)}
    contexts = [name for name, hint in hints.items() if hint is typer.Context]

    @wraps(command)
    def run(ctx: typer.Context, *, verbose: bool, quiet: bool, **values: Any) -> None:
        _set_verbosity(ctx, verbose=verbose, quiet=quiet)
        for name, group in groups.items():
            parsed = {option: values.pop(option) for option in _parameters(group)}
            values[name] = _group_value(ctx, group, parsed)
        command(**values, **dict.fromkeys(contexts, ctx))

    parameters = [Parameter("ctx", Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    for name, parameter in signature(command).parameters.items():
        if name in groups:
            parameters += _parameters(groups[name]).values()
        elif name not in contexts:
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name]))
    for name, option in (("verbose", Verbose), ("quiet", Quiet)):
        parameters.append(Parameter(name, Parameter.KEYWORD_ONLY, default=False, annotation=option))
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return run


def _set_verbosity(ctx: typer.Context, *, verbose: bool, quiet: bool) -> None:
    """Say as much as is asked for, before or behind the command's name."""
    from esclip._cli.output.console import set_verbosity

    before = ctx.find_root().params
    verbose, quiet = verbose or before.get("verbose", False), quiet or before.get("quiet", False)
    if verbose and quiet:
        raise typer.BadParameter("--verbose and --quiet at once; give one")
    set_verbosity(verbose=verbose, quiet=quiet)


def _is_group(hint: Any) -> bool:
    kind, _ = _without_notes(hint)
    return is_dataclass(kind) or is_typeddict(kind)


def _without_notes(hint: Any) -> tuple[Any, tuple[str, ...]]:
    """The type of a group, and the options that the command doesn't have."""
    if get_origin(hint) is not Annotated:
        return hint, ()
    kind, *notes = get_args(hint)
    return kind, next((note.names for note in notes if isinstance(note, Without)), ())


def _parameters(group: Any) -> Mapping[str, Parameter]:
    kind, without = _without_notes(group)
    if is_typeddict(kind):
        return to_parameters(kind, without=without)
    hints = get_type_hints(kind, include_extras=True)
    own = {
        option.name: Parameter(
            option.name, Parameter.KEYWORD_ONLY, default=option.default, annotation=hints[option.name]
        )
        for option in fields(kind)
        if get_origin(hints[option.name]) is Annotated and option.name not in without
    }
    return own | dict(to_parameters(StoreAuth, variables=True) if kind is StoreOptions else {})


def _group_value(ctx: typer.Context, group: Any, parsed: dict[str, Any]) -> Any:
    kind, _ = _without_notes(group)
    if is_typeddict(kind):
        return to_arguments(kind, parsed)
    if kind is StoreOptions:
        auth = {option.name: parsed.pop(option.name) for option in fields(StoreAuth)}
        typed = [name for name in (*parsed, *auth) if _is_typed(ctx, name)]
        return StoreOptions(**parsed, auth=auth, typed=typed)
    return kind(**parsed)


def _is_typed(ctx: typer.Context, option: str) -> bool:
    source = ctx.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"
