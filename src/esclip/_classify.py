"""Zero-shot classification: how probable each label is for a picture, by the model's own softmax.

labels ─► prompts ─► text tower ─► mean of each label's ─┐
                                                         ├─ cosines x logit scale ─► softmax ─► Guess ...
picture ───────────► picture tower ──────────────────────┘
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from typing import NamedTuple, TypeAlias

from esclip._core.arguments import AnyImage, given_image, wrong_kind
from esclip._core.labels import Labels, LabelSet
from esclip._core.settings import BATCH_SIZE, DEFAULT_ENCODER
from esclip._core.types import Pixels, Vectors
from esclip._errors import ConfigError, RecordError
from esclip._files.locations import AnyPath
from esclip._protocols import Encoder
from esclip._search.query_image import open_image
from esclip.encoders import load_encoder
from esclip.encoders.zero_shot import embed_labels, probabilities

__all__ = ["Classifier", "LabelScore", "LabelScores", "classify"]


class LabelScore(NamedTuple):
    """A label, and how probable it is for a picture that shows one of the labels."""

    label: str
    probability: float


LabelScores: TypeAlias = tuple[LabelScore, ...]
"""All labels for one picture, the most probable first; their probabilities add up to 1."""


def classify(
    *images: AnyImage | Iterable[AnyImage],
    labels: Labels,
    encoder: AnyPath | Encoder = DEFAULT_ENCODER,
    text_encoder: AnyPath | None = None,
) -> list[LabelScores]:
    """Tell how probable each label is for each picture, by the model's softmax. Needs no index.

    Args:
        images: Paths, URLs, image files' bytes, open files, PIL images or RGB arrays of uint8 with shape
            (height, width, 3): one by one, or as a list.
        labels: Texts in any language that the text encoder knows: a list, a text with commas, the path of a
            file with one a line, or a `LabelSet`, which has templates too.
        encoder: As in `load_encoder`, or an `Encoder`.
        text_encoder: As in `load_encoder`.

    Returns:
        For each picture all labels with their probabilities, 0 to 1 and 1 in sum, most probable first.

    Raises:
        ConfigError: Labels or an argument can't be used.
        EncoderError: The model can't be loaded or used.
        FetchError: A picture can't be fetched.
        DecodeError: A picture can't be read.

    Example:
        (guesses,) = esclip.classify("photos/red.png", labels="red,green,blue", encoder="palette")
        print(guesses[0].label, guesses[0].probability)
    """
    if isinstance(encoder, str | os.PathLike):
        encoder = load_encoder(encoder, text_encoder)
    elif text_encoder is not None:
        raise ConfigError("text_encoder goes with an encoder's name, not with an encoder")
    elif not hasattr(encoder, "encode_images"):
        raise wrong_kind("the encoder", encoder, "a model's name, a folder, an address or an Encoder")
    found = []
    for outcome in Classifier(encoder, LabelSet.of(labels)).classify(_pictures(images)):
        if isinstance(outcome, RecordError):
            raise outcome
        found.append(outcome)
    return found


def _pictures(given: Iterable[AnyImage | Iterable[AnyImage]]) -> Iterator[AnyImage]:
    """Pictures that are given one after the other, or several together."""
    for one in given:
        if isinstance(one, list | tuple | set | Iterator):
            yield from one
        else:
            yield given_image("a picture", one)


class Classifier:
    """Classifies pictures by an encoder and labels."""

    def __init__(self, encoder: Encoder, labelling: LabelSet) -> None:
        """Keep an encoder and labels.

        Raises:
            ConfigError: There are no labels.
        """
        if not labelling.labels:
            raise ConfigError("there are no labels to tell pictures apart by; give some")
        self._encoder = encoder
        self._labelling = labelling

    def classify(self, images: Iterable[AnyImage]) -> Iterator[LabelScores | RecordError]:
        """Classify pictures in batches.

        Yields:
            For each picture its labels, most probable first, or why the picture can't be fetched or read.
        """
        waiting = iter(images)
        with ThreadPoolExecutor(min(BATCH_SIZE, 2 * (os.cpu_count() or 1))) as pool:
            while batch := list(islice(waiting, BATCH_SIZE)):
                read = list(pool.map(self._read, batch))
                guesses = iter(self._guesses([one for one in read if not isinstance(one, RecordError)]))
                yield from (one if isinstance(one, RecordError) else next(guesses) for one in read)

    def _read(self, image: AnyImage) -> Pixels | RecordError:
        try:
            return self._encoder.preprocess(open_image(image))
        except RecordError as error:
            return error

    def _guesses(self, batch: Sequence[Pixels]) -> list[LabelScores]:
        vectors = self._encoder.encode_images(batch)
        rows = probabilities(vectors, self._label_vectors, self._encoder.logit_scale)
        return [self._ordered(row) for row in rows.tolist()]

    def _ordered(self, row: list[float]) -> LabelScores:
        guesses = map(LabelScore, self._labelling.labels, row)
        return tuple(sorted(guesses, key=lambda guess: -guess.probability))

    @cached_property
    def _label_vectors(self) -> Vectors:
        return embed_labels(self._encoder, self._labelling)
