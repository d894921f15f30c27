"""Keep what ranx says of random rankings, for `tests/unit/test_metrics.py`.

    python -m scripts.keep_ranx_figures     in an environment with ranx 0.3.21

ranx brings numba, matplotlib and others along: too much for an environment that only compares numbers.
"""

from __future__ import annotations

import json
import random
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["FIGURES", "Ranking", "main", "random_rankings"]

FIGURES = Path(__file__).parent.parent / "tests" / "fixtures" / "ranx_figures.json"
METRICS = ("ndcg@10", "mrr", "recall@100")
RANKINGS = 1000


class Ranking(NamedTuple):
    """Ids, best first, and gains by id."""

    ids: list[str]
    gains: dict[str, int]


def random_rankings() -> list[Ranking]:
    """The same ones each time: of one to a hundred documents, with gains from 0 to 4, some not found."""
    rng = random.Random(15)
    return [_random_ranking(rng) for _ in range(RANKINGS)]


def _random_ranking(rng: random.Random) -> Ranking:
    pool = [f"d{n}" for n in range(1 + int(rng.random() * 300))]
    order = sorted(pool, key=lambda _: rng.random())
    judged = sorted(pool, key=lambda _: rng.random())[: 1 + int(rng.random() ** 3 * len(pool))]
    gains = {id: int(rng.random() * 5) for id in judged}
    gains |= {f"absent{n}": 1 for n in range(int(rng.random() * 3))}
    return Ranking(order[: 1 + int(rng.random() * 100)], gains)


def main() -> None:
    """Write the figures of each ranking."""
    ranx: Any = import_module("ranx")
    rankings = {f"q{n:04}": ranking for n, ranking in enumerate(random_rankings())}
    qrels = ranx.Qrels({name: ranking.gains for name, ranking in rankings.items()})
    run = ranx.Run(
        {
            name: {id: float(-rank) for rank, id in enumerate(ranking.ids)}
            for name, ranking in rankings.items()
        }
    )
    columns = [ranx.evaluate(qrels, run, metric, return_mean=False).tolist() for metric in METRICS]
    lines = [json.dumps(list(row)) for row in zip(*columns, strict=True)]
    FIGURES.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
