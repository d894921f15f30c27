"""The public names as text: functions with their signatures, classes with fields, methods and bases."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ForwardRef, get_args, is_typeddict

__all__ = ["render_public_names"]

MODULES = ("esclip", "esclip.sources", "esclip.encoders", "esclip.stores")
WIDTH = 110
STARS: dict[int, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
NO_INTERFACE = ("__getattr__", "__post_init__", "__repr__", "__str__")


def render_public_names() -> str:
    """Every name in the `__all__` of the public modules, sorted, one block each."""
    blocks = [
        "\n".join(_describe(f"{name}.{public}", getattr(module, public)))
        for name in MODULES
        for module in [importlib.import_module(name)]
        for public in sorted(module.__all__)
    ]
    return "\n\n".join(blocks) + "\n"


def _describe(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        return _describe_class(name, value)
    if callable(value) and not get_args(value):
        return iter([_signature(name, value)])
    members = " | ".join(sorted(member.__name__ for member in get_args(value)))
    return iter([f"{name} = {members}"])


def _describe_class(name: str, cls: type) -> Iterator[str]:
    bases = (
        ["TypedDict"] if is_typeddict(cls) else [base.__name__ for base in cls.__bases__ if _is_shown(base)]
    )
    yield f"class {name}({', '.join(bases)})" if bases else f"class {name}"
    yield from (f"    {line}" for line in _attributes(cls))
    for member, value in sorted(_members(cls).items()):
        if isinstance(value, property):
            assert value.fget
            yield f"    {member}: {_annotation(inspect.signature(value.fget).return_annotation)}  (property)"
        elif isinstance(value, classmethod | staticmethod):
            kind = type(value).__name__
            yield _signature(f"    @{kind} {member}", getattr(cls, member))
        elif inspect.isfunction(value):
            yield _signature(f"    {member}", value)


def _is_shown(base: type) -> bool:
    """Whether a base class is a public name, or another library's."""
    ours = base.__module__.partition(".")[0] == "esclip"
    return base is not object and (not ours or base.__name__ in importlib.import_module("esclip").__all__)


def _attributes(cls: type) -> Iterator[str]:
    """Fields, keys, members: what a class has besides methods."""
    if is_typeddict(cls):
        yield from (f"{key}: {value}" for key, value in _written_annotations(cls).items())
    elif issubclass(cls, enum.Enum):
        yield from (f"{member.name} = {member.value!r}" for member in cls)
    elif dataclasses.is_dataclass(cls):
        yield from map(_field, dataclasses.fields(cls))
    elif issubclass(cls, tuple):
        yield from (f"{key}: {value}" for key, value in _written_annotations(cls).items())


def _written_annotations(cls: type) -> dict[str, str]:
    return {name: _annotation(value) for name, value in inspect.get_annotations(cls).items()}


def _field(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"{field.name}: {_annotation(field.type)} = {_value(field.default)}"
    if field.default_factory is not dataclasses.MISSING:
        return f"{field.name}: {_annotation(field.type)} = {_value(field.default_factory)}()"
    return f"{field.name}: {_annotation(field.type)}"


def _members(cls: type) -> dict[str, Any]:
    """Public methods and properties, and the special methods that are written out, of esclip's classes."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.partition(".")[0] == "esclip":
            found |= {name: value for name, value in vars(base).items() if _is_public(name, value)}
    return found


def _is_public(name: str, value: Any) -> bool:
    if not name.startswith("_"):
        return True
    code = getattr(value, "__code__", None)  # generated methods have none, or one of another file
    written = code is not None and "esclip" in Path(code.co_filename).parts
    return name.startswith("__") and name not in NO_INTERFACE and written


def _signature(name: str, function: Callable[..., Any]) -> str:
    """One line, or a line for each parameter where one is too short."""
    signature = inspect.signature(function)
    parameters = list(map(_parameter, signature.parameters.values()))
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        parameters.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    result = signature.return_annotation
    end = ")" if result is inspect.Signature.empty else f") -> {_annotation(result)}"
    line = f"{name}({', '.join(parameters)}{end}"
    if len(line) <= WIDTH:
        return line
    indent = " " * (len(name) - len(name.lstrip()) + 4)
    return "\n".join([f"{name}(", *(f"{indent}{parameter}," for parameter in parameters), indent[4:] + end])


def _parameter(parameter: inspect.Parameter) -> str:
    text = STARS.get(parameter.kind, "") + parameter.name
    if parameter.annotation is not parameter.empty:
        text += f": {_annotation(parameter.annotation)}"
    return text if parameter.default is parameter.empty else f"{text} = {_value(parameter.default)}"


def _annotation(annotation: Any) -> str:
    """As it is written in the code."""
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _value(value: Any) -> str:
    """A default, the same on every machine."""
    return value.__name__ if inspect.isroutine(value) or inspect.isclass(value) else repr(value)
