"""The metrics of an evaluation, beside ranx's figures and a second implementation; and its statistics."""

from __future__ import annotations

import json

import numpy as np
import pytest

from esclip._evaluation.metrics import METRICS, score_ranking
from esclip._evaluation.statistics import compare_systems, summarize
from scripts.keep_ranx_figures import FIGURES, random_rankings


def second_opinion(ids: list[str], gains: dict[str, int]) -> list[float]:
    """The same metrics in another way: by arrays of gains and of relevance."""
    found = np.array([gains.get(id, 0) for id in ids], dtype=float)
    ideal = np.sort(np.array([*gains.values()], dtype=float))[::-1]

    def gain(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        top = np.zeros(10)
        top[: min(10, len(values))] = values[:10]
        return float(np.dot(top, np.log(2) / np.log(np.arange(2, 12))))

    hits = np.flatnonzero(found[:100])
    relevant = np.count_nonzero(ideal)
    best = gain(ideal)
    return [
        gain(found) / best if best else 0.0,
        1 / (1 + hits[0]) if len(hits) else 0.0,
        len(hits) / relevant if relevant else 0.0,
        float(np.mean(np.isin(ids[:10], [*gains]))),
    ]


def test_metrics_are_those_of_ranx() -> None:
    """A thousand random rankings, judged with gains of 0 to 4, have ranx 0.3.21's figures to 1e-9."""
    kept = json.loads(FIGURES.read_text("utf-8"))
    ours = [score_ranking(ids, gains)[:3] for ids, gains in random_rankings()]
    assert np.abs(np.array(ours) - np.array(kept)).max() < 1e-9
    assert len({tuple(row) for row in kept}) > 500


def test_metrics_are_those_of_a_second_implementation() -> None:
    """And the same by arrays, judged@10 among them, whose definition is that of ir-measures."""
    for ids, gains in random_rankings():
        assert score_ranking(ids, gains) == pytest.approx(second_opinion(ids, gains), abs=1e-9)


def test_metrics_of_odd_rankings() -> None:
    """Nothing found, nothing relevant, an id that comes twice, gains that are no whole numbers."""
    assert [*METRICS] == ["ndcg@10", "mrr", "recall@100", "judged@10"]
    assert score_ranking([], {"a": 1}) == (0, 0, 0, 0)
    assert score_ranking(["a"], {"a": 0}) == (0, 0, 0, 1)
    assert score_ranking(["b", "b", "a"], {"a": 0.5}) == score_ranking(["b", "a"], {"a": 2})
    assert score_ranking(["x"] * 200 + ["a"], {"a": 1}) == score_ranking(["x", "a"], {"a": 1})
    assert score_ranking([*map(str, range(100)), "a"], {"a": 1}) == (0, 0, 0, 0)


class TestStatistics:
    def test_the_same_twice(self) -> None:
        """Intervals and p are those of the seed, and others with another one."""
        first, second = np.random.default_rng(1).random((2, 40, 4))
        assert summarize(first, 3) == summarize(first, 3) != summarize(first, 4)
        assert compare_systems(first, second, 3) == compare_systems(first, second, 3)

    def test_a_difference_that_is_there_and_one_that_is_not(self) -> None:
        """The same values differ by nothing; a steady gain is no chance; noise is."""
        rng = np.random.default_rng(2)
        values = rng.random((60, 1))
        (none,) = compare_systems(values, values, 0)
        assert (none.mean, none.low, none.high, none.p) == (0, 0, 0, 1)
        (steady,) = compare_systems(values, values + 0.1, 0)
        assert steady.mean == pytest.approx(0.1)
        assert steady.p < 0.001
        (noise,) = compare_systems(values, values + rng.normal(0, 0.2, (60, 1)), 0)
        assert noise.p > 0.05
        assert noise.low < 0 < noise.high

    def test_p_of_few_queries_is_that_of_all_exchanges(self) -> None:
        """Of four queries with the same sign, two of sixteen exchanges are as extreme."""
        differences = np.array([[0.1], [0.2], [0.3], [0.4]])
        (difference,) = compare_systems(np.zeros((4, 1)), differences, 0)
        assert difference.p == pytest.approx(2 / 16, abs=0.015)

    def test_an_interval_has_the_mean_of_all_in_about_95_of_100_samples(self) -> None:
        """Of a hundred samples of a known mean."""
        rng = np.random.default_rng(5)
        figures = [summarize(rng.random((50, 1)), seed)[0] for seed in range(40)]
        assert sum(figure.low <= 0.5 <= figure.high for figure in figures) >= 35
        assert all(figure.high - figure.low == pytest.approx(0.16, abs=0.04) for figure in figures)
