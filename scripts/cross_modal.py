"""Made-up vectors of pictures and queries that lie as CLIP's do, to measure searches by text.

    pictures        in a cone, around centres in it, some of which are near each other
    picture queries drawn like the pictures
    text queries    in another cone, near the same centres: cosines of .15 to .22 to their ten best pictures

An index that was tuned with stored pictures as queries looks better than it is: the partitions nearest to
a text are not those of its best pictures. Random vectors do not show it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from esclip._core.types import Vectors, unit_rows

__all__ = ["CrossModal", "nearest_ids"]

BLOCK = 10_000
"""Pictures that one generator makes, so that any block can be made again by itself."""

TOPICS = 100
CENTRES = 4_000
"""Around topics; the pictures lie around centres, in groups of very different sizes."""

TOPIC_SPREAD = 1.0
"""Length of a centre's part that its topic does not say, where the topic's is 1."""
PICTURE_CONE, PICTURE_SPREAD = 1.0, 1.4
"""Lengths of what pictures have in common and of what is a picture's own, where its centre's is 1."""
TEXT_CONE, TEXT_SPREAD = 3.5, 3.2
"""The same of text queries."""


class CrossModal:
    """Pictures and queries that a seed determines."""

    def __init__(self, dim: int = 512, seed: int = 1) -> None:
        self.dim = dim
        self._seed = seed
        rng = np.random.default_rng([seed, 0])
        topics = self._directions(rng, TOPICS)
        own = self._directions(rng, CENTRES)
        self._centres = unit_rows(topics[rng.integers(0, TOPICS, CENTRES)] + TOPIC_SPREAD * own)
        self._picture_cone, self._text_cone = self._directions(rng, 2)
        self._shares = rng.exponential(size=CENTRES) ** 1.5
        self._shares /= self._shares.sum()

    def pictures(self, count: int) -> Iterator[Vectors]:
        """Blocks of pictures' unit vectors, `count` in all; the first ones are the same for each count."""
        for number in range(-(-count // BLOCK)):
            rng = np.random.default_rng([self._seed, 1, number])
            yield self._drawn(rng, BLOCK, self._picture_cone, PICTURE_CONE, PICTURE_SPREAD)[
                : count - number * BLOCK
            ]

    def picture_queries(self, count: int) -> Vectors:
        """Pictures that are not among the others."""
        rng = np.random.default_rng([self._seed, 2])
        return self._drawn(rng, count, self._picture_cone, PICTURE_CONE, PICTURE_SPREAD)

    def text_queries(self, count: int) -> Vectors:
        """Texts, each of which says what a centre has and more."""
        rng = np.random.default_rng([self._seed, 3])
        return self._drawn(rng, count, self._text_cone, TEXT_CONE, TEXT_SPREAD)

    def _drawn(
        self,
        rng: np.random.Generator,
        count: int,
        cone: npt.NDArray[np.float32],
        common: float,
        spread: float,
    ) -> Vectors:
        centres = self._centres[rng.choice(CENTRES, count, p=self._shares)]
        return unit_rows(common * cone + centres + spread * self._directions(rng, count))

    def _directions(self, rng: np.random.Generator, count: int) -> Vectors:
        return unit_rows(rng.standard_normal((count, self.dim), dtype=np.float32))


def nearest_ids(blocks: Iterator[Vectors], queries: Vectors, k: int) -> npt.NDArray[np.int64]:
    """The positions of the k pictures nearest to each query, compared one by one, shape (queries, k)."""
    scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
    ids = np.zeros((len(queries), k), dtype=np.int64)
    start = 0
    for block in blocks:
        all_scores = np.hstack([scores, queries @ block.T])
        all_ids = np.hstack(
            [ids, np.broadcast_to(np.arange(start, start + len(block)), (len(queries), len(block)))]
        )
        best = np.argsort(-all_scores, axis=1, kind="stable")[:, :k]
        scores, ids = np.take_along_axis(all_scores, best, 1), np.take_along_axis(all_ids, best, 1)
        start += len(block)
    return ids
