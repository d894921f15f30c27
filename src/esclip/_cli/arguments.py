"""The words of a command line before Click reads them: ids that begin with a dash, weights of options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any, NamedTuple

from esclip._cli.help import HelpedCommand
from esclip._core.options import MAX_WEIGHT
from esclip._core.other_names import our_name

WEIGHTED = ("--text", "--image", "--id", "--words")
"""Options that may have a weight: `--text:0.5 red`. No value has one in itself, for any text may be meant."""

SECRETS = ("password", "api_key", "aws_region")
"""Credentials of a cluster: the last by AWS's own credentials."""

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
ONCE = re.compile(r"([+-]?\d+(?:\.\d+)?):(.*)", re.DOTALL)
RATIO = re.compile(r"\d+:\d.*", re.DOTALL)
MARK = "\0"
"""Between a weight and its value on their way through Click: no word of a command line can hold it."""


class _Piece(NamedTuple):
    """An option with its value, or another word by itself."""

    option: str
    """Its name, empty for another word."""
    words: list[str]


class DashedIdCommand(HelpedCommand):
    """Takes ids that begin with one dash as they are; those that begin with two stand after `--`.

    Ids come from an index, and a script puts them on a command line: `--store=http://...` may be one of them.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move ids behind `--`. What begins with two dashes and is no option is wrong usage."""
        params = self.get_params(ctx)
        pieces, ids = _pieces(args, _takes_value(params))
        others = [word for piece in pieces if not piece.option for word in piece.words]
        for word in others:
            if word.startswith("--"):
                ctx.fail(
                    f"{describe_missing(word, params)} An id that begins with two dashes stands after --, as "
                    f"in: {ctx.command_path} -- {word}"
                )
        if not any(param.nargs == -1 for param in params) and len(others) > 1:
            names = {param.name for param in params}
            for word in others:
                if word.startswith("-") and our_name(word, names):  # of one id and an option, not of two ids
                    ctx.fail(describe_missing(word, params))
        typed = [word for piece in pieces if piece.option for word in piece.words]
        left = super().parse_args(ctx, [*typed, "--", *others, *ids])
        if others and _sends_secrets_where_it_says(ctx):
            ctx.fail(
                "--store and an id without -- before it, while a variable holds credentials: the id of a "
                f"script may be a --store of somebody else's. Write: {ctx.command_path} --store ... -- ID"
            )
        return left


class RemovalCommand(DashedIdCommand):
    """The same for a command that removes documents: an id may be a `--where` that all of them fulfil."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take a `--where` beside ids only where these stand behind `--`."""
        left = super().parse_args(ctx, args)
        before = args[: args.index("--")] if "--" in args else args
        pieces, _ = _pieces(before, _takes_value(self.get_params(ctx)))
        if ctx.params.get("where") and any(not piece.option for piece in pieces):
            ctx.fail(
                "--where and an id without -- before it: the id of a script may be a --where that all "
                f"documents fulfil. Write: {ctx.command_path} --where ... -- ID"
            )
        return left


class WeightedCommand(HelpedCommand):
    """Takes the options of `WEIGHTED` with a weight after the name: `--text:0.5 red`, `--text:-1=people`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move each weight to its value, for `parse_weighted`. One that is no number is wrong usage."""
        pieces, rest = _pieces(args, _takes_value(self.get_params(ctx)))
        words = [word for piece in pieces for word in _with_its_weight(ctx, piece)]
        others = [*(piece.words[0] for piece in pieces if not piece.option), *rest]
        if len(others) > 1 and not any(word.startswith("-") and word != "-" for word in others):
            ctx.fail(
                f"Of {' '.join(others)!r} one text, path or URL is taken: a text of several words stands in "
                "quotes; --text, --image and --words add others, and --text:-1 leads away from one"
            )
        return super().parse_args(ctx, [*words, "--", *rest] if rest else words)


def describe_missing(word: str, params: list[Any]) -> str:
    """What to say of an option that a command lacks: how it is called here, or which is near."""
    flags = {param.name: max(param.opts, key=len) for param in params if param.param_type_name == "option"}
    other = word.partition("=")[0]
    ours, colon, weight = (our_name(other, flags) or "").partition(":")
    if ours:
        return f"No such option: {word}. Here it is {flags[ours]}{colon}{weight}."
    near = get_close_matches(other, _takes_value(params), 1, 0.7)
    return f"No such option: {word}.{''.join(f' Did you mean {name}?' for name in near)}"


def parse_weighted(value: str) -> tuple[str, float]:
    """The value of an option and its weight, which is 1 where none is given."""
    weight, mark, words = value.partition(MARK)
    return (words, float(weight)) if mark else (value, 1.0)


def parse_weight(value: str) -> tuple[str, str] | None:
    """Weight and words of a value like `0.5:red`, which once was a weight; not of ratios and times."""
    match = None if RATIO.fullmatch(value) else ONCE.fullmatch(value)
    return (match[1], match[2]) if match else None


def _sends_secrets_where_it_says(ctx: Any) -> bool:
    """Whether a server stands on the command line, and the credentials for it do not."""
    sources = {name: ctx.get_parameter_source(name) for name in ("store", *SECRETS)}
    named = {name: source.name for name, source in sources.items() if source is not None}
    typed = named.get("store") == "COMMANDLINE" and "://" in ctx.params["store"]
    return typed and any(named.get(name) in ("ENVIRONMENT", "DEFAULT_MAP") for name in SECRETS)


def _takes_value(params: list[Any]) -> dict[str, bool]:
    """The names of options, and whether a value comes after them."""
    return {
        name: not param.is_flag
        for param in params
        if param.param_type_name == "option"
        for name in (*param.opts, *param.secondary_opts)
    }


def _pieces(args: list[str], options: Mapping[str, bool]) -> tuple[list[_Piece], list[str]]:
    """The words before `--`, values beside their options, and those after it."""
    pieces: list[_Piece] = []
    words = iter(args)
    for word in words:
        if word == "--":
            break
        option = _option(word, options)
        value = islice(words, 1 if option and options[option] and _is_bare(word) else 0)
        pieces.append(_Piece(option, [word, *value]))
    return pieces, list(words)


def _option(word: str, options: Mapping[str, bool]) -> str:
    """The option that a word is or begins with; empty where it is another word."""
    name = word.split("=")[0]
    if name in options:
        return name
    if re.fullmatch(r"-\w\d+", name) and options.get(name[:2]):
        return name[:2]
    head, colon, _ = name.partition(":")
    return head if colon and head in WEIGHTED and head in options else ""


def _is_bare(word: str) -> bool:
    """Whether an option's value is the next word, and not in this one."""
    return "=" not in word and (word.startswith("--") or len(word) == 2)


def _with_its_weight(ctx: Any, piece: _Piece) -> list[str]:
    if not piece.option:
        return piece.words
    name, equals, value = piece.words[0].partition("=")
    weight = name.removeprefix(piece.option).removeprefix(":")
    if name in (piece.option, piece.option[:2] + weight):  # none, or a short option with its value
        return piece.words
    if not NUMBER.fullmatch(weight) or abs(float(weight)) > MAX_WEIGHT:
        ctx.fail(
            f"{name}: a weight is a number from -{MAX_WEIGHT:,} to {MAX_WEIGHT:,} behind the option's name, "
            f'as in: {piece.option}:0.5 "a beach"'
        )
    given = [value] if equals else piece.words[1:]
    return [piece.option, *(f"{weight}{MARK}{text}" for text in given)]
