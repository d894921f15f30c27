"""Zero-shot classification of vectors: embed labels, and the softmax over cosines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from esclip._core.labels import LabelSet
from esclip._core.types import Vectors, unit_rows
from esclip._errors import EncoderError
from esclip._protocols import Encoder


def embed_labels(encoder: Encoder, labels: LabelSet) -> Vectors:
    """Embed labels as unit rows of shape (labels, dim): each the normalized mean of its prompts' vectors.

    Raises `EncoderError` for a label whose vectors cancel out.
    """
    prompts = labels.prompts()
    rows = encoder.encode_texts([text for texts in prompts for text in texts])
    means = rows.reshape(len(prompts), len(labels.templates), -1).mean(axis=1, dtype=np.float64)
    vectors = unit_rows(means)
    for label, vector in zip(labels.labels, vectors, strict=True):
        if not np.isfinite(vector).all():
            raise EncoderError(f"label {label!r} has no direction for {encoder.space.text_model}; reword it")
    return vectors


def probabilities(vectors: Vectors, labels: Vectors, logit_scale: float) -> npt.NDArray[np.float64]:
    """Probabilities of shape (images, labels), by softmax; each row adds up to 1."""
    logits = logit_scale * (vectors.astype(np.float64) @ labels.astype(np.float64).T)
    # subtracting the maximum: exp of a logit of 1000 would overflow
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares
