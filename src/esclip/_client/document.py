"""What a client sends: a text or a picture, with what is known about it. Named as CLIP-as-service has it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from esclip._core.arguments import coerce_path, coerce_text, wrong_kind
from esclip._errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Document:
    """A text or a picture for a `Client`: exactly one of `text`, `uri` and `blob`.

    A `uri` is read by the client, never by the service.

    Example:
        esclip.Document(text="she smiled, with pain")
        esclip.Document(uri="pictures/apple.png", id="apple", metadata={"shop": "oslo"})
    """

    text: str | None = None
    uri: str | os.PathLike[str] | None = None
    """A path, a URL or a `data:` URI."""
    blob: bytes | bytearray | memoryview | None = field(default=None, repr=False)
    """An image file's bytes."""
    id: str | None = None
    """Default: made of the content."""
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Values by field name."""
    tags: Mapping[str, Any] | None = None
    """Another name of `metadata`."""
    matches: Sequence[Document] = ()
    """Texts to rank a picture by: for `Client.rank`, which puts the best first."""
    score: float | None = None
    """As a match of what `Client.rank` returns: its probability."""

    def __post_init__(self) -> None:
        """Raises `ConfigError` for no content, or several."""
        given = [name for name in ("text", "uri", "blob") if getattr(self, name) is not None]
        if len(given) != 1:
            named = " and ".join(given) or "none"
            raise ConfigError(f"a document has exactly one of text, uri and blob; this one has {named}")
        if self.text is not None:
            coerce_text("a document's text", self.text)
        if self.uri is not None:
            coerce_path("a document's uri", self.uri, "a path or a URL")
        if self.blob is not None:
            object.__setattr__(self, "blob", _bytes(self.blob))
        if self.tags is not None and self.metadata:
            raise ConfigError("a document has metadata or tags, which are the same, not both")
        metadata = self.metadata if self.tags is None else self.tags
        if not isinstance(metadata, Mapping):
            raise wrong_kind("a document's metadata", metadata, "values by field name")
        object.__setattr__(self, "metadata", metadata)
        object.__setattr__(self, "tags", None)
        object.__setattr__(self, "matches", _matches(self.matches))

    def __repr__(self) -> str:
        content = f"text={self.text!r}" if self.text is not None else f"uri={str(self.uri)!r}"
        content = content if self.blob is None else f"blob=<{len(self.blob)} bytes>"
        more = "".join(
            f", {name}={getattr(self, name)!r}"
            for name in ("id", "description", "metadata", "matches", "score")
            if getattr(self, name)
        )
        return f"Document({content}{more})"

    @property
    def picture(self) -> str | Path | bytes | None:
        """The picture, unread; None for a text."""
        if self.uri is not None:
            return coerce_path("a document's uri", self.uri)
        return None if self.blob is None else _bytes(self.blob)

    def record(self) -> dict[str, Any]:
        """The document as `ImageIndex.add` takes a mapping."""
        record: dict[str, Any] = {**self.metadata, "id": self.id}
        record |= {"description": self.description} if self.description else {}
        return record | ({"text": self.text} if self.text is not None else {"image": self.picture})


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise wrong_kind("a document's blob", value, "an image file's bytes")


def _matches(given: object) -> tuple[Document, ...]:
    matches = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes) else None
    if matches is None or not all(isinstance(match, Document) for match in matches):
        raise wrong_kind("a document's matches", given, "documents, such as a list of them")
    return matches
