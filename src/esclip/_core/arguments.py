"""Arguments of public calls, converted to one type each; a `ConfigError` says which types are accepted.

In notebooks users pass what they have: a hit for an id, an array for an image. Unambiguous values are
converted. Nothing is guessed, and no foreign exception is raised.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from PIL import Image

from esclip._core.rejections import Rejection
from esclip._core.types import Hit, ImageRecord, TextRecord
from esclip._errors import ConfigError

AnyId: TypeAlias = str | Hit
"""A picture of the index: its id, or a hit."""

AnyPath: TypeAlias = str | os.PathLike[str]

AnyCaptions: TypeAlias = AnyPath | Mapping[str, str] | Mapping[Path, str]
"""Where captions are, or captions by the paths of their pictures."""

AnyImage: TypeAlias = (
    str | os.PathLike[str] | bytes | Image.Image | np.ndarray[Any, np.dtype[Any]] | io.BufferedIOBase
)
"""A path, a URL, an image file's bytes, an open file, a PIL image, or an array of uint8."""

AnyRecord: TypeAlias = AnyImage | Mapping[str, Any] | ImageRecord | TextRecord | Rejection
"""A picture, or a mapping that has one or a text, and what is known about it."""


class Table(Protocol):
    """A pandas table."""

    def itertuples(self, index: bool = ..., name: str | None = ...) -> Iterable[tuple[Any, ...]]:
        """Iterate over the rows as tuples."""


class ArrowStream(Protocol):
    """A table that gives itself as a stream of Arrow batches: of pyarrow, polars, duckdb."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Export the stream."""


Records: TypeAlias = AnyRecord | Iterable[AnyRecord] | Table | ArrowStream

_SEVERAL = "several texts, such as a list"


def wrong_kind(what: str, value: object, takes: str) -> ConfigError:
    """The error for a value of a type that isn't accepted."""
    given = "None" if value is None else f"of type {type(value).__name__}"
    return ConfigError(f"{what} is {given}; it takes {takes}")


def coerce_text(what: str, value: object, takes: str = "a text") -> str:
    """One text."""
    if not isinstance(value, str):
        raise wrong_kind(what, value, takes)
    return str(value)  # not NumPy's


def coerce_texts(what: str, value: object, takes: str = _SEVERAL) -> list[str]:
    """Several texts; a single text is refused, although it is iterable."""
    return [coerce_text(f"one of {what}", text) for text in coerce_several(what, value, takes)]


def coerce_id(what: str, value: object) -> str:
    """The id of a picture of the index."""
    return value.id if isinstance(value, Hit) else coerce_text(what, value, "an id or a hit")


def coerce_ids(what: str, value: object) -> list[str]:
    """Ids of pictures of the index: several, or one."""
    if isinstance(value, str | Hit):
        return [coerce_id(what, value)]
    ids = coerce_several(what, value, "ids or hits, such as a list")
    return [coerce_id(f"one of {what}", id) for id in ids]


def coerce_path(what: str, value: object, takes: str = "a path") -> str | Path:
    """A path, as text or `Path`."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, os.PathLike) and isinstance(path := os.fspath(value), str):
        return Path(path)
    raise wrong_kind(what, value, takes)


def coerce_paths(what: str, values: Iterable[object]) -> list[str | Path]:
    """Paths; each value is a path or a collection of paths."""
    paths: list[str | Path] = []
    for value in values:
        is_path = isinstance(value, str | os.PathLike)
        some = (value,) if is_path else coerce_several(what, value, "a path, or several such as a list")
        paths.extend(coerce_path(what, path) for path in some)
    return paths


def coerce_image(what: str, value: object) -> str | Path | bytes | Image.Image:
    """An image, unread."""
    match value:
        case str() | os.PathLike():
            return coerce_path(what, value)
        case Image.Image() | bytes():
            return value
        case bytearray() | memoryview():
            return bytes(value)
        case np.ndarray():
            return _to_image(what, value)
        case _ if isinstance(data := _read_file(value), bytes):
            return data
    raise wrong_kind(what, value, "a path, a URL, an image file's bytes, a PIL image or an array")


def coerce_name(what: str, value: object, takes: str = "a name") -> str:
    """A name; a path stands for its text."""
    return (
        str(coerce_path(what, value)) if isinstance(value, os.PathLike) else coerce_text(what, value, takes)
    )


def coerce_flag(what: str, value: object) -> bool:
    """Yes or no; words for it are refused, since `"false"` would count as yes."""
    if not isinstance(value, bool | np.bool_):
        raise wrong_kind(what, value, "True or False")
    return bool(value)


def coerce_callback(what: str, value: object) -> None:
    """Raise `ConfigError` for a value that isn't callable or None."""
    if value is not None and not callable(value):
        raise wrong_kind(what, value, "a function")


def coerce_several(what: str, value: object, takes: str) -> list[Any]:
    """An iterable as a list; texts and dictionaries are refused."""
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Iterable):
        raise wrong_kind(what, value, takes)
    try:
        return list(value)
    except TypeError:  # a zero-dimensional array claims to be iterable
        raise wrong_kind(what, value, takes) from None


def is_image_array(value: object) -> bool:
    """Whether a value is an array of one picture's pixels."""
    if not isinstance(value, np.ndarray) or value.dtype != np.uint8 or not value.size:
        return False
    return value.ndim == 2 or (value.ndim == 3 and value.shape[2] in (3, 4))


def _to_image(what: str, array: np.ndarray[Any, Any]) -> Image.Image:
    if not is_image_array(array):
        raise ConfigError(
            f"{what} is an array of {array.dtype}, shape {array.shape}; it takes one of uint8, shape "
            "(height, width), or (height, width, 3) for RGB"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def _read_file(value: object) -> object:
    """The content of an open file; None for anything else."""
    read: Callable[[], object] | None = getattr(value, "read", None)
    return read() if isinstance(value, io.IOBase) and read is not None else None
