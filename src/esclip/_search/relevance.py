"""Relevance: how far the scores of hits lie above those of null queries.

query of texts ─► its script ─► NullScores ─┬─► Hit.relevance, Hit.percentile
                                            ├─► min_relevance as a score threshold
                                            └─► Hits.matched
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from esclip._core.calibration import MATCH_RELEVANCE, NullScores
from esclip._core.null_queries import script_of
from esclip._core.schema import IndexSchema
from esclip._core.settings import CALIBRATED_FROM
from esclip._core.types import PICTURE, Hit
from esclip._errors import ConfigError
from esclip._protocols import Encoder
from esclip._search.query import Query, Text


def null_scores_for(query: Query, schema: IndexSchema, encoder: Callable[[], Encoder]) -> NullScores | None:
    """The null scores to compare the query's scores with; None where the index has none of their kind.

    Raises `ConfigError` when the query has a `min_relevance` and there are none.
    """
    null_scores = None
    if query.is_text_only and schema.calibration is not None:
        text = " ".join(clause.text for clause in query.clauses if isinstance(clause, Text))
        null_scores = schema.calibration.null_scores_for(script_of(text), encoder().space.text_model)
    if null_scores is None and query.options["min_relevance"] is not None:
        raise ConfigError(
            f"the relevance of hits is not known: the index has fewer than {CALIBRATED_FROM} pictures, or "
            "no ingest has measured it with this text encoder; ingest again, or use a minimum score"
        )
    return null_scores


def score_threshold(query: Query, null_scores: NullScores | None) -> float:
    """The lowest score of a hit that the query accepts."""
    if null_scores is None or query.options["min_relevance"] is None:
        return query.options["min_score"]
    return max(query.options["min_score"], null_scores.min_score(query.options["min_relevance"]))


def is_match(hits: Sequence[Hit], null_scores: NullScores | None) -> bool | None:
    """Whether the best picture scores above chance; None where that is not known: of texts it is not."""
    best = next((hit for hit in hits if hit.kind == PICTURE), None)
    if null_scores is None or best is None:
        return None
    return null_scores.relevance(best.score) >= MATCH_RELEVANCE


def annotate_relevance(hits: Sequence[Hit], null_scores: NullScores | None) -> list[Hit]:
    """The hits with their relevance and percentile, where these are known: those of pictures."""
    if null_scores is None:
        return list(hits)
    return [
        replace(hit, relevance=null_scores.relevance(hit.score), percentile=null_scores.percentile(hit.score))
        if hit.kind == PICTURE
        else hit
        for hit in hits
    ]
