"""`--against`: what the second system of an evaluation has otherwise, as NAME=VALUE.

--against index=larger --against hybrid=0.5 ─► the index to open, and the options of its searches
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_origin

import typer

from esclip._cli.groups import EncoderOptions, StoreOptions
from esclip._cli.options import as_address, split
from esclip._core.options import Declaration, declared, resolve
from esclip._errors import ConfigError, suggest
from esclip._evaluation.options import FIXED
from esclip._search.options import TextQueryOptions, Where

_STORE = {"store": "store", "index": "index"}
_ENCODER = {"encoder": "encoder", "model": "encoder", "text-encoder": "text_encoder"}
_SEARCH: Mapping[str, str] = {
    declaration.opt.flag or name.replace("_", "-"): name
    for name, declaration in declared(TextQueryOptions).items()
    if declaration.opt and name not in FIXED
}
_KNOWN = (*_STORE, *_ENCODER, *_SEARCH)


@dataclass(frozen=True, slots=True)
class Against:
    """The second system, as far as it differs from the first."""

    name: str
    store: StoreOptions | None
    """Where its index is; None: it is the first's."""
    encoder: EncoderOptions
    search: Mapping[str, Any]
    """The options of its searches, those of the first among them."""


def read_against(
    words: Sequence[str], store: StoreOptions, encoder: EncoderOptions, search: Mapping[str, Any]
) -> Against | None:
    """The second system; None where no words tell of one. Raises `BadParameter`.

    Another index has an encoder of its own, unless that is named, too.
    """
    given = [_split(word) for word in words]
    if not given:
        return None
    other: dict[str, Any] = {_STORE[name]: _address(name, value) for name, value in given if name in _STORE}
    model: dict[str, Any] = {
        _ENCODER[name]: _address(name, value) for name, value in given if name in _ENCODER
    }
    if other and "encoder" not in model:
        encoder = replace(encoder, encoder=None, text_encoder=None)
    return Against(
        " ".join(words),
        replace(store, **other) if other or model else None,
        replace(encoder, **model),
        {**search, **_search_options([(name, value) for name, value in given if name in _SEARCH])},
    )


def _split(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    name = name.strip().removeprefix("--")
    if not equals or not value.strip():
        raise typer.BadParameter(f"--against {word}: NAME=VALUE is needed, such as index=other or hybrid=0.5")
    if name not in _KNOWN:
        raise typer.BadParameter(f"--against {word}: there is no {name}; it may be {suggest(name, _KNOWN)}")
    return name, value.strip()


def _address(name: str, value: str) -> str:
    return as_address(value) if name in ("store", "encoder", "model") else value


def _search_options(given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    declarations = declared(TextQueryOptions)
    options: dict[str, Any] = {}
    for flag, text in given:
        name = _SEARCH[flag]
        try:
            value = _parse(text, declarations[name])
        except ValueError:
            raise typer.BadParameter(f"--against {flag}={text}: {text} can't be its value") from None
        except ConfigError as error:
            raise typer.BadParameter(f"--against {flag}={text}: {error}") from error
        options[name] = [*options.get(name, ()), *value] if isinstance(value, list) else value
    try:
        resolve(TextQueryOptions, options)
    except (ValueError, ConfigError) as error:
        raise typer.BadParameter(f"--against: {error}") from error
    return options


def _parse(text: str, declaration: Declaration) -> Any:
    """The value of an option as the library takes it. Raises `ValueError`, and `ConfigError` for a filter."""
    from esclip._search.filter_parser import check_syntax

    kind, opt = declaration
    if kind == Where:
        check_syntax([text])
        return [text]
    if (opt and opt.choices) or get_origin(kind) in (Collection, Sequence):
        return split(text)
    readers: Mapping[Any, Callable[[str], Any]] = {bool: _parse_bool, int: int, float: float}
    return readers.get(kind, str)(text)


def _parse_bool(text: str) -> bool:
    value = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}.get(text.lower())
    if value is None:
        raise ValueError
    return value
