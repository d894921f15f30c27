"""How sure it is that hits are more than chance: their scores beside those of sentences that mean nothing.

query of texts ─► its group of languages ─► NullScores ─┬─► Hit.relevance, Hit.percentile
                                                        ├─► min_relevance as a score
                                                        └─► Hits.matched
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from esclip._core.calibration import MATCHES, NullScores
from esclip._core.null_queries import script_of
from esclip._core.schema import IndexSchema
from esclip._core.settings import CALIBRATED_FROM
from esclip._core.types import Hit
from esclip._errors import ConfigError
from esclip._protocols import Encoder
from esclip._search.query import Query, Text

__all__ = ["annotate_relevance", "is_match", "null_scores_for", "score_threshold"]


def null_scores_for(query: Query, schema: IndexSchema, encoder: Callable[[], Encoder]) -> NullScores | None:
    """What the query's scores are compared with; None where there is nothing of its kind.

    Raises `ConfigError` when the query has a `min_relevance` and there is nothing to tell it by.
    """
    found = None
    if query.of_texts_alone and schema.calibration is not None:
        text = " ".join(part.text for part in query.parts if isinstance(part, Text))
        found = schema.calibration.background(script_of(text), encoder().space.text_model)
    if found is None and query.min_relevance is not None:
        raise ConfigError(
            f"nothing tells the relevance of hits: the index has fewer than {CALIBRATED_FROM} pictures, or "
            "no ingest has measured it with this text encoder; ingest again, or use a minimum score"
        )
    return found


def score_threshold(query: Query, background: NullScores | None) -> float:
    """The lowest score of a hit that the query wants."""
    if background is None or query.min_relevance is None:
        return query.min_score
    return max(query.min_score, background.least_score(query.min_relevance))


def is_match(hits: Sequence[Hit], background: NullScores | None) -> bool | None:
    """Whether the best of all hits is more than chance; None: unknown."""
    if background is None or not hits:
        return None
    return background.relevance(hits[0].score) >= MATCHES


def annotate_relevance(hits: Sequence[Hit], background: NullScores | None) -> list[Hit]:
    """The hits with their relevance and percentile, where they can be known."""
    if background is None:
        return list(hits)
    return [
        replace(hit, relevance=background.relevance(hit.score), percentile=background.percentile(hit.score))
        for hit in hits
    ]
