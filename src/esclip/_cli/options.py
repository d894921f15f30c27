"""Options of the command line, made from their declarations; and how words of a command line are read.

declaration (name, type, Opt) ─► to_parameters ─► Typer parses ─► to_arguments ─► arguments of the library
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, get_origin

import typer

from esclip._cli.completion import complete_choice
from esclip._core.options import Declaration, Opt, Panel, declared
from esclip._errors import ConfigError, suggest
from esclip._errors.secrets import Address, Secret
from esclip._files.locations import AnyPath, user_path
from esclip._ingest.options import IngestOptions
from esclip._search.options import QueryOptions, Where

SourcePaths = Annotated[
    list[str],
    typer.Argument(metavar="PATH...", help="As in ingest: folders, images, tables, a dataset."),
]

Json = Annotated[
    bool,
    typer.Option("--json", rich_help_panel=Panel.OUTPUT, help="Machine-readable results on stdout."),
]

Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        rich_help_panel=Panel.OUTPUT,
        help="Tell on stderr what is done: requests, downloads, times.",
    ),
]

Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        rich_help_panel=Panel.OUTPUT,
        help="Nothing on stderr but errors: no progress, summary or warning.",
    ),
]

Yes = Annotated[
    bool,
    typer.Option(
        "--yes",
        "-y",
        rich_help_panel=Panel.OUTPUT,
        help="Don't ask. Without a terminal, where nobody can be asked, it is needed.",
    ),
]


def as_file(text: str) -> Path:
    """The path of a file or folder for output. An empty one, as of a variable that isn't set, is none."""
    return as_path(not_blank(text))


Page = Annotated[
    Path | None,
    typer.Option(
        "--page",
        metavar="FILE",
        parser=as_file,
        rich_help_panel=Panel.OUTPUT,
        help="Write an HTML page with the pictures side by side.",
    ),
]

OpenPage = Annotated[
    bool,
    typer.Option(
        "--open",
        rich_help_panel=Panel.OUTPUT,
        help="Open the page in the browser; without --page it is written in your cache directory.",
    ),
]


@cache
def to_parameters(
    options: type, *, without: tuple[str, ...] = (), variables: bool = False
) -> Mapping[str, Parameter]:
    """Parameters for Typer by the names of options. `variables`: each has an environment variable, too."""
    return {
        name: Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=_shown_default(opt),
            annotation=Annotated[_parsed_type(kind, opt), _option(options, name, variable=variables)],
        )
        for name, (kind, opt) in declared(options).items()
        if opt and name not in without
    }


def to_arguments(options: type, parsed: Mapping[str, Any]) -> dict[str, Any]:
    """What Typer has parsed as the library takes it."""
    declarations = declared(options)
    return {name: _argument(declarations[name], value) for name, value in parsed.items()}


def number(opt: Opt, *names: str, metavar: str | None = None, help: str | None = None) -> Any:
    """The Typer option for a number with the bounds of a declaration."""
    return typer.Option(
        *names,
        metavar=metavar or opt.metavar,
        help=help or opt.help,
        min=opt.minimum,
        max=opt.maximum,
        rich_help_panel=opt.panel,
    )


def _option(options: type, name: str, *, variable: bool = False) -> Any:
    kind, opt = declared(options)[name]
    assert opt
    return typer.Option(
        *_flags(name, opt),
        metavar=opt.metavar,
        help=_with_flags(opt.help),
        min=opt.minimum,
        max=opt.maximum,
        callback=check_filters
        if kind == Where
        else _check_choices(kind, opt.choices)
        if opt.choices
        else None,
        parser=as_path if kind in _PATHS else Secret if opt.secret else None,
        envvar=f"ESCLIP_{name.upper()}" if variable else None,
        autocompletion=complete_choice(opt.choices) if opt.choices else None,
        rich_help_panel=opt.panel,
    )


def _parsed_type(kind: Any, opt: Opt) -> Any:
    """What Typer reads words as."""
    if kind in (bool, int, float):
        return kind if opt.default is not None else kind | None
    if kind in _PATHS:
        return Path | None
    several = not opt.choices and (kind == Where or get_origin(kind) in (Collection, Sequence))
    return list[str] | None if several else str | None


_PATHS = (AnyPath, str | Path)


def _shown_default(opt: Opt) -> Any:
    """The default as a help shows it; None where there is none to show."""
    return ",".join(opt.default) or None if isinstance(opt.default, tuple) else opt.default


def _argument(declaration: Declaration, value: Any) -> Any:
    opt = declaration.opt
    assert opt
    if opt.choices and declaration.kind is str:
        return value or opt.default
    if opt.choices:
        return split(value or "") or opt.default
    return opt.default if value is None or value == [] else value


def _flags(name: str, opt: Opt) -> list[str]:
    """The option's names on a command line, the one that is shown elsewhere first. A letter without a long
    name has two dashes."""
    flags = (opt.flag or name.replace("_", "-"), *([opt.alias] if opt.alias else []))
    return [f"-{flag}" if len(flag) == 1 and opt.alias else f"--{flag}" for flag in flags]


def _with_flags(help: str) -> str:
    """A help, in which other options are named as `{name}`, with their flags."""
    for name, flag in _FLAGS.items():
        help = help.replace(f"{{{name}}}", flag)
    return help


_FLAGS = {
    name: _flags(name, opt)[0]
    for options in (IngestOptions, QueryOptions)
    for name, (_, opt) in declared(options).items()
    if opt
}


def check_filters(where: list[str] | None) -> list[str] | None:
    """Filters that can be read; others are wrong usage."""
    from esclip._search.filter_parser import check_syntax

    try:
        check_syntax(where or ())
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
    return where


def _check_choices(kind: Any, choices: tuple[str, ...]) -> Callable[[str | None], str | None]:
    """A name, or several with commas between, all of them known; others are wrong usage."""

    def check(words: str | None) -> str | None:
        for name in split(words or "") if kind is not str else [words] if words else []:
            if name not in choices:
                raise typer.BadParameter(f"there is no {name}; it may be {suggest(name, choices)}")
        return words

    return check


WhereOption = Annotated[list[str] | None, _option(QueryOptions, "where")]
LimitOption = Annotated[int | None, _option(IngestOptions, "limit")]


def split(words: str) -> tuple[str, ...]:
    """Names with commas between."""
    return tuple(words.replace(",", " ").split())


def not_blank(text: str) -> str:
    """The text, if it says anything; else it is wrong usage."""
    if not text.strip():
        raise typer.BadParameter("is empty")
    return text


def as_address(text: str) -> Address:
    """A server's address or a folder, without the blanks around it that a variable may have."""
    return Address(text.strip())


def as_path(text: str) -> Path:
    """A path, in which `~` is the home directory: in a variable, or in quotes, no shell puts it there."""
    return user_path(text, "path")
