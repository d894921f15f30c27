"""Signatures of functions as text: annotations as written, defaults the same on every machine."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any, ForwardRef

__all__ = ["format_annotation", "format_default", "format_signature"]

WIDTH = 110
STARS: dict[int, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def format_signature(name: str, function: Callable[..., Any]) -> str:
    """One line, or a line for each parameter where one is too short."""
    signature = inspect.signature(function)
    parameters = list(map(_format_parameter, signature.parameters.values()))
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        parameters.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    result = signature.return_annotation
    end = ")" if result is inspect.Signature.empty else f") -> {format_annotation(result)}"
    line = f"{name}({', '.join(parameters)}{end}"
    if len(line) <= WIDTH:
        return line
    indent = " " * (len(name) - len(name.lstrip()) + 4)
    return "\n".join([f"{name}(", *(f"{indent}{parameter}," for parameter in parameters), indent[4:] + end])


def _format_parameter(parameter: inspect.Parameter) -> str:
    text = STARS.get(parameter.kind, "") + parameter.name
    if parameter.annotation is not parameter.empty:
        text += f": {format_annotation(parameter.annotation)}"
    return text if parameter.default is parameter.empty else f"{text} = {format_default(parameter.default)}"


def format_annotation(annotation: Any) -> str:
    """As it is written in the code, without the notes of an `Annotated`."""
    text = annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation
    if not isinstance(text, str):
        return inspect.formatannotation(annotation)
    match ast.parse(text, mode="eval").body:
        case ast.Subscript(value=ast.Name("Annotated"), slice=ast.Tuple(elts=[kind, *_])):
            return ast.unparse(kind)
    return text


def format_default(value: Any) -> str:
    """The same on every machine."""
    return value.__name__ if inspect.isroutine(value) or inspect.isclass(value) else repr(value)
