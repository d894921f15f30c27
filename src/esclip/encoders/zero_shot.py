"""Zero-shot classification as arithmetic: vectors of labels, and the softmax over their cosines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from esclip._core.labels import LabelSet
from esclip._core.types import Vectors, unit_rows
from esclip._errors import EncoderError
from esclip._protocols import Encoder

__all__ = ["embed_labels", "probabilities"]


def embed_labels(encoder: Encoder, labelling: LabelSet) -> Vectors:
    """A unit row for each label: the direction of the mean of its prompts' vectors."""
    prompts = labelling.prompts()
    rows = encoder.encode_texts([text for texts in prompts for text in texts])
    means = rows.reshape(len(prompts), len(labelling.templates), -1).mean(axis=1, dtype=np.float64)
    vectors = unit_rows(means)
    for label, vector in zip(labelling.labels, vectors, strict=True):
        if not np.isfinite(vector).all():
            raise EncoderError(f"label {label!r} has no direction for {encoder.space.text_model}; reword it")
    return vectors


def probabilities(vectors: Vectors, labels: Vectors, logit_scale: float) -> npt.NDArray[np.float64]:
    """How probable each label is for each picture, shape (pictures, labels); each row adds up to 1."""
    logits = logit_scale * (vectors.astype(np.float64) @ labels.astype(np.float64).T)
    # the highest becomes 0: exp of a logit of 1000 would overflow
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
