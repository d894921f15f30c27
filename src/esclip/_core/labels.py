"""Label sets: labels to classify pictures by, and the prompts of each.

    "cat, dog, car" or a file ─► LabelSet  ─► "a photo of a cat", "a photo of a dog", ...

A label is any text, in any language of the text tower.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from esclip._core.text_forms import compose, is_unicode
from esclip._errors import ConfigError, error_text
from esclip._errors.counts import pluralize
from esclip._files.locations import existing_path, user_path
from esclip._files.text import NotText, read_text

TEMPLATES = ("a photo of a {}",)
"""CLIP was trained on captions: 1.3 points on ImageNet over single words (paper, section 3.1.4)."""

MAX_LABELS = 1000
"""The classes of ImageNet."""

MAX_TEMPLATES = 100
"""CLIP's authors used 80 for ImageNet."""

MAX_LABEL_LENGTH = 200
"""In characters."""

MAX_FILE_SIZE = 1 << 22
"""Bytes of a file of labels: four times what `MAX_LABELS` of `MAX_LABEL_LENGTH` take."""


class LabelScore(NamedTuple):
    """A label, and its probability for a picture that shows one of the labels."""

    label: str
    probability: float

    def __repr__(self) -> str:
        return f"LabelScore({self.label!r}, {self.probability:.4f})"


LabelScores: TypeAlias = tuple[LabelScore, ...]
"""All labels for one picture, the most probable first; their probabilities add up to 1."""


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labels for zero-shot classification, and templates for the texts that stand for each.

    Example:
        labels = esclip.LabelSet(["狗", "猫"], templates=["一张{}的照片", "{}"])
        esclip.classify("photos/red.png", labels=labels, encoder="palette")
    """

    labels: tuple[str, ...]
    """Each once; empty means no labels."""
    templates: tuple[str, ...] = TEMPLATES
    """`{}` stands for the label; of several templates the mean of their vectors counts."""

    def __init__(self, labels: Iterable[str], templates: Iterable[str] = TEMPLATES) -> None:
        """Take labels as a list; `read` takes one text.

        Args:
            labels: Up to 1,000 texts of up to 200 characters, in any language of the text encoder.
            templates: Up to 100 texts with `{}` for the label; the mean of their vectors counts.

        Raises:
            ConfigError: A label is empty or given twice, or a template has no `{}`.
            ValueError: A single text in place of a list.
        """
        if isinstance(labels, str) or isinstance(templates, str):
            raise ValueError("labels and templates are lists of texts; for a single text see LabelSet.read")
        labels, templates = _texts("labels", labels), _texts("templates", templates)
        object.__setattr__(self, "labels", tuple(compose(label.strip()) for label in labels))
        object.__setattr__(self, "templates", tuple(map(compose, templates)))
        self._check()

    @classmethod
    def read(cls, text: str, templates: Sequence[str] = TEMPLATES) -> LabelSet:
        """Read labels from a text with commas between them, or from a file with one label a line.

        Args:
            text: Labels, or the path of a file. Blank labels are left out.
            templates: As in `LabelSet`.

        Raises:
            ConfigError: The file can't be read, or labels can't be used.
        """
        text = text.strip()
        if text.startswith("~"):
            text = str(user_path(text, "labels"))
        if _is_file(text):
            labels = _read_lines(existing_path(text))
        elif "," not in text and text.endswith(".txt"):
            raise ConfigError(
                f"labels {text}: there is no such file; name one, or labels with commas between"
            )
        else:
            labels = text.split(",")
        return cls([label for label in labels if label.strip()], templates)

    @classmethod
    def of(cls, labels: Labels, previous: LabelSet | None = None) -> LabelSet:
        """A label set of labels in any form; without templates, with those of the `previous` one."""
        if isinstance(labels, LabelSet):
            return labels
        templates = previous.templates if previous and previous.labels else TEMPLATES
        if isinstance(labels, str | os.PathLike):
            return cls.read(os.fspath(labels), templates)
        return cls(labels, templates)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LabelSet:
        """The label set that `to_json` wrote. Raises `KeyError`, `TypeError` or `ValueError` on others."""
        try:
            return cls(data["labels"], data["templates"])
        except ConfigError as error:
            raise ValueError(str(error)) from error

    def to_json(self) -> dict[str, Any]:
        """The label set as an index stores it."""
        return {"labels": list(self.labels), "templates": list(self.templates)}

    def prompts(self) -> list[list[str]]:
        """The texts of each label, one for each template."""
        return [[template.replace("{}", label) for template in self.templates] for label in self.labels]

    @property
    def digest(self) -> str:
        """A hash of labels and templates in any order; empty without labels."""
        content = json.dumps([sorted(self.labels), sorted(self.templates)])
        import hashlib  # 3 ms, which `esclip --help` need not wait for

        return hashlib.sha256(content.encode()).hexdigest()[:24] if self.labels else ""

    def _check(self) -> None:
        if len(self.labels) > MAX_LABELS:
            raise ConfigError(
                f"{pluralize(len(self.labels), 'label')} are too many; give {MAX_LABELS:,} at most"
            )
        if repeated := [label for label, count in Counter(self.labels).items() if count > 1]:
            raise ConfigError(f"label {repeated[0]!r} is given twice; give each once")
        for label in self.labels:
            if not label:
                raise ConfigError("a label is empty; leave it out")
            if len(label) > MAX_LABEL_LENGTH or any(map(_is_control, label)):
                raise ConfigError(f"label {label[:40]!r} is no short text of one line; shorten it")
        if incomplete := [template for template in self.templates if "{}" not in template]:
            raise ConfigError(f"template {incomplete[0]!r} has no {{}} where the label goes; write one")
        if len(self.templates) > MAX_TEMPLATES:
            raise ConfigError(
                f"{pluralize(len(self.templates), 'template')} are too many; give {MAX_TEMPLATES} at most"
            )
        if invalid := [template for template in self.templates if not is_unicode(template)]:
            raise ConfigError(f"template {invalid[0][:40]!r} is no valid Unicode; check its encoding")
        if not self.templates:
            raise ConfigError("there is no template for the labels; {} stands for a label alone")


Labels: TypeAlias = str | os.PathLike[str] | Iterable[str] | LabelSet
"""Labels in any form: a text as for `LabelSet.read`, a file, a collection, or a label set."""


def _texts(what: str, given: object) -> list[str]:
    """A collection of texts as a list. Raises `ConfigError` for anything else."""
    texts = list(given) if isinstance(given, Iterable) and not isinstance(given, bytes | Mapping) else None
    if texts is None or not all(isinstance(text, str) for text in texts):
        raise ConfigError(f"{what} are texts, such as a list of them; this is of type {type(given).__name__}")
    return texts


def _is_control(character: str) -> bool:
    """Whether it is a line break, a control character or half of a surrogate pair."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _is_file(name: str) -> bool:
    try:
        return existing_path(name).is_file()
    except (OSError, ValueError):  # too long for a name, or not a name
        return False


def _read_lines(path: Path) -> list[str]:
    try:
        return read_text(path, MAX_FILE_SIZE).split("\n")
    except (OSError, NotText) as error:
        raise ConfigError(f"labels {path} can't be read: {error_text(error)}") from error
