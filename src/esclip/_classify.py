"""Zero-shot classification of images without an index: a probability for each label, by the model's softmax.

labels ─► prompts ─► text tower ─► mean of each label's ─┐
                                                         ├─ cosines x logit scale ─► softmax ─► LabelScore ...
picture ───────────► picture tower ──────────────────────┘
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from itertools import islice

from esclip._core.arguments import AnyImage, coerce_image, wrong_kind
from esclip._core.labels import Labels, LabelScore, LabelScores, LabelSet
from esclip._core.other_names import check_names
from esclip._core.settings import BATCH_SIZE, DEFAULT_ENCODER
from esclip._core.types import Vectors
from esclip._errors import ConfigError, RecordError
from esclip._files.locations import AnyPath
from esclip._protocols import Encoder
from esclip._search.query_image import load_pixels
from esclip.encoders import load_encoder
from esclip.encoders.zero_shot import embed_labels, probabilities


@check_names()
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
        (scores,) = esclip.classify("photos/red.png", labels="red,green,blue", encoder="palette")
        print(scores[0].label, scores[0].probability)
    """
    if isinstance(encoder, str | os.PathLike):
        encoder = load_encoder(encoder, text_encoder)
    elif text_encoder is not None:
        raise ConfigError("text_encoder goes with an encoder's name, not with an encoder")
    elif not hasattr(encoder, "encode_images"):
        raise wrong_kind("the encoder", encoder, "a model's name, a folder, an address or an Encoder")
    results = []
    for result in Classifier(encoder, LabelSet.of(labels)).classify(_flatten(images)):
        if isinstance(result, RecordError):
            raise result
        results.append(result)
    return results


def _flatten(arguments: Iterable[AnyImage | Iterable[AnyImage]]) -> Iterator[AnyImage]:
    for argument in arguments:
        if isinstance(argument, list | tuple | set | Iterator):
            yield from argument
        else:
            yield coerce_image("a picture", argument)


class Classifier:
    """Classifies pictures by an encoder and labels."""

    def __init__(self, encoder: Encoder, labels: LabelSet) -> None:
        """Keep an encoder and labels.

        Raises:
            ConfigError: There are no labels.
        """
        if not labels.labels:
            raise ConfigError("there are no labels to tell pictures apart by; give some")
        self._encoder = encoder
        self._labels = labels

    def classify(self, images: Iterable[AnyImage]) -> Iterator[LabelScores | RecordError]:
        """Classify pictures in batches.

        Yields:
            For each picture its labels, most probable first, or why the picture can't be fetched or read.
        """
        remaining = iter(images)
        with ThreadPoolExecutor(min(BATCH_SIZE, 2 * (os.cpu_count() or 1))) as pool:
            while batch := list(islice(remaining, BATCH_SIZE)):
                inputs = list(pool.map(partial(load_pixels, self._encoder), batch))
                pixels = [item for item in inputs if not isinstance(item, RecordError)]
                scores = iter(self.classify_vectors(self._encoder.encode_images(pixels)))
                yield from (item if isinstance(item, RecordError) else next(scores) for item in inputs)

    def classify_vectors(self, vectors: Vectors) -> list[LabelScores]:
        """Classify pictures by their vectors in the encoder's space, of shape (n, dim)."""
        rows = probabilities(vectors, self._label_vectors, self._encoder.logit_scale)
        return [self._rank(row) for row in rows.tolist()]

    def _rank(self, row: list[float]) -> LabelScores:
        scores = map(LabelScore, self._labels.labels, row)
        return tuple(sorted(scores, key=lambda score: -score.probability))

    @cached_property
    def _label_vectors(self) -> Vectors:
        return embed_labels(self._encoder, self._labels)
