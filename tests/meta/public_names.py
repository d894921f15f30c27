"""The public names as text: functions with their signatures, classes with fields, methods and bases."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, is_typeddict

from scripts.signatures import format_annotation, format_default, format_signature

__all__ = ["render_public_names"]

MODULES = ("esclip", "esclip.sources", "esclip.encoders", "esclip.stores")
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
    if isinstance(value, tuple):
        return iter([f"{name} = {', '.join(field.name for field in value)}"])
    if callable(value) and not get_args(value):
        return iter([format_signature(name, value)])
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
            result = format_annotation(inspect.signature(value.fget).return_annotation)
            yield f"    {member}: {result}  (property)"
        elif isinstance(value, classmethod | staticmethod):
            kind = type(value).__name__
            yield format_signature(f"    @{kind} {member}", getattr(cls, member))
        elif inspect.isfunction(value):
            yield format_signature(f"    {member}", value)


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
    return {name: format_annotation(value) for name, value in inspect.get_annotations(cls).items()}


def _field(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"{field.name}: {format_annotation(field.type)} = {format_default(field.default)}"
    if field.default_factory is not dataclasses.MISSING:
        return f"{field.name}: {format_annotation(field.type)} = {format_default(field.default_factory)}()"
    return f"{field.name}: {format_annotation(field.type)}"


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
