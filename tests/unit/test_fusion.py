"""Rankings become one, by reciprocal rank."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from esclip._core.types import Hit, ScoreDetail
from esclip._search.fusion import Ranking, reciprocal_rank_fusion


def hit(id: str, score: float, description: str = "") -> Hit:
    return Hit(0, id, score, "", None, description, {})


def near(scores: Mapping[str, float], description: str = "") -> Ranking:
    """A ranking by vector."""
    return Ranking("text: x", 1.0, [hit(id, score, description) for id, score in scores.items()])


def having(ids: str, word: str = "dog", weight: float = 1.0) -> Ranking:
    """A ranking by one word, that all of these have."""
    why = (ScoreDetail(word, 1.0, 1.0, None, 1.0),)
    return Ranking(
        f"words: {word}", weight, [Hit(0, id, 1.0, "", None, word, {}, explanation=why) for id in ids]
    )


def test_ranks_add_up() -> None:
    """A hit's place follows from the sum of weight / (60 + rank), and `why` has the summands."""
    hits = reciprocal_rank_fusion(near({"a": 0.3, "b": 0.2}), [having("c", weight=0.5)])
    assert [h.id for h in hits] == ["a", "b", "c"]
    assert [sum(one.adds for one in h.explanation if one.rank) for h in hits] == [1 / 61, 1 / 62, 0.5 / 61]
    first, second, word = hits[2].explanation
    assert (first.score, first.rank, first.adds) == (None, None, 0.0)
    assert (second.part, second.score, second.rank, second.weight) == ("words: dog", 1.0, 1, 0.5)
    assert word.part == "dog"
    assert math.isnan(hits[2].score)


def test_of_many_with_the_same_words_the_nearer_come_first() -> None:
    """Which of a thousand dogs a search by words gives first is chance; the picture decides among them."""
    hits = reciprocal_rank_fusion(near({"y": 0.3, "z": 0.2, "a": 0.1}), [having("abcdefghyz")])
    assert [h.id for h in hits[:3]] == ["y", "z", "a"]
    assert [h.explanation[1].rank for h in hits[:3]] == [1, 2, 3]


def test_words_count_for_what_only_the_vector_found() -> None:
    """A near picture that has the words, but was cut off from the ranking by words, gets its rank there."""
    hits = reciprocal_rank_fusion(near({"y": 0.3, "z": 0.2}, description="Two dogs"), [having("abc")])
    assert [h.id for h in hits[:2]] == ["y", "z"]
    assert [(one.part, one.rank) for one in hits[0].explanation] == [
        ("text: x", 1),
        ("words: dog", 1),
        ("dog", None),
    ]


def test_words_alone_are_averaged() -> None:
    """Without a vector, a score is the mean of the shares by weight."""
    hits = reciprocal_rank_fusion(None, [having("ab", "dog"), having("bc", "sea", weight=3)])
    assert {h.id: h.score for h in hits} == pytest.approx({"a": 0.25, "b": 1.0, "c": 0.75})
    assert hits[0].id == "b"
