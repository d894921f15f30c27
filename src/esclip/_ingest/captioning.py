"""Captions at ingest by a model or a function: what writes them, and the source that asks for them.

Source ─► CaptioningSource ─► pipeline: unchanged? ─► decode ─► Captioner ─► encode ─► Store
          + caption_by,                 └─► only the captioner is another one: Captioner ─► Store.update
            where there is
            no description

The captioner's name is in a record's fingerprint, its words are not: what it has described stays as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

from esclip._core.arguments import wrong_kind
from esclip._core.captions import CAPTION_BY, RgbArray, clean_caption
from esclip._core.schema import Field
from esclip._core.types import ImageRecord
from esclip._errors import ConfigError, EsclipError
from esclip._errors.counts import pluralize
from esclip._files.locations import AnyCaptioner
from esclip._ingest.hook_names import hook_name, require_name
from esclip._protocols import Source
from esclip.sources.wrapper import SourceWrapper


class Captioner:
    """Writes captions of pictures. Safe from several threads, one of which it serves at a time."""

    def __init__(self, name: str, describe: Callable[[list[RgbArray]], Any]) -> None:
        """`describe` gives a text for each picture. Raises `ConfigError` for a name that can't be one."""
        self.name = require_name(name, "captioner")
        self._describe = describe
        self._lock = Lock()

    def captions(self, pictures: list[RgbArray]) -> list[str | Exception]:
        """A caption of each picture, which may be empty; or why there is none.

        Where a batch fails, each of its pictures is tried by itself. Raises `EncoderError` for a model that
        can't be loaded, `ConfigError` for a function that gives something else than texts.
        """
        with self._lock:
            return self._try(pictures)

    def _try(self, pictures: list[RgbArray]) -> list[str | Exception]:
        try:
            texts = self._describe(pictures)
        except EsclipError:
            raise
        except Exception as error:  # a function of a user's may raise any
            if len(pictures) == 1:
                return [error]
            return [caption for picture in pictures for caption in self._try([picture])]
        return [*map(clean_caption, self._texts(texts, len(pictures)))]

    def _texts(self, texts: Any, wanted: int) -> Sequence[str]:
        """What the function gave, if it is a text for each picture."""
        if not isinstance(texts, Sequence) or isinstance(texts, str):
            raise ConfigError(f"captioner {self.name}: it gave {type(texts).__name__}, not a list of texts")
        if len(texts) != wanted:
            given, pictures = pluralize(len(texts), "text"), pluralize(wanted, "picture")
            raise ConfigError(
                f"captioner {self.name}: it gave {given} for {pictures}; one for each is needed"
            )
        if other := [type(text).__name__ for text in texts if not isinstance(text, str)]:
            raise ConfigError(f"captioner {self.name}: it gave {other[0]} among its texts")
        return texts


class CaptioningSource(SourceWrapper):
    """A source whose pictures without a description ask for one by a captioner."""

    def __init__(self, source: Source, captioner: str) -> None:
        super().__init__(source)
        self._captioner = captioner

    @property
    def fields(self) -> Sequence[Field]:
        """The source's fields, and the one that names the captioner."""
        return tuple(dict.fromkeys((*self.source.fields, CAPTION_BY)))

    def transform(self, record: ImageRecord) -> ImageRecord:
        """Name the captioner, unless there is a description."""
        return (
            record
            if record.description.strip()
            else replace(record, description="", caption_by=self._captioner)
        )


def open_captioner(given: AnyCaptioner | None) -> Captioner | None:
    """The captioner that a user gives: a model, which is loaded with the first picture, or a function.

    Raises `EncoderError` for a model that this machine lacks, `ConfigError` for what is none.
    """
    if given is None or given == "":
        return None
    if isinstance(given, (str, os.PathLike)):
        from esclip.encoders.captioner import ModelCaptioner

        model = ModelCaptioner(given)
        return Captioner(model.name, model)
    if not callable(given):
        raise wrong_kind("captioner", given, "a model's name, a folder or a function")
    return Captioner(hook_name(given), given)
