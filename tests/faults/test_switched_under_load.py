"""A service whose name is switched to another model's index: no request fails, no answer mixes models."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TypeAlias

import numpy as np
import pytest
from PIL import Image

import esclip
from esclip._server.http_server import HttpServer
from esclip._server.search_app import SearchApp
from scripts.make_models import make_clip
from tests.faults.target import Target
from tests.search_servers import ask, searching
from tests.sharing import make_once, session_folder

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]  # two models are made and exported

COLORS = ("red", "green", "blue", "white", "black", "orange")
TEXTS = ("a red door", "green grass", "the sea")

Answer: TypeAlias = list[tuple[list[str], list[float]]]
"""For each of the texts the ids and the scores of its hits."""


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two models of the same dimension: an index answers the queries of either."""

    def make(folder: Path) -> None:
        for seed in (1, 2):
            make_clip(folder / f"clip-{seed}", "tiny", seed)

    folder = make_once(session_folder(tmp_path_factory) / "two-models", make)
    return folder / "clip-1", folder / "clip-2"


@pytest.fixture
def indexes(target: Target, models: tuple[Path, Path]) -> Iterator[dict[str, Answer]]:
    """The answers of the target and of another model's index, by their names after the first switch."""
    answers: dict[str, Answer] = {}
    for number, model in enumerate(models, 1):
        name = target.index if number == 1 else f"{target.index}-{number}"
        with esclip.open_index(target.store, name, model) as index:
            index.add({"id": color, "image": Image.new("RGB", (40, 30), color)} for color in COLORS)
            hits = index.search_many([esclip.Query(esclip.Text(text)) for text in TEXTS])
        answers[f"{target.index}-{number}"] = [
            ([hit.id for hit in one], [hit.score for hit in one]) for one in hits
        ]
    yield answers
    for name in answers:
        replace(target, index=name).remove()


def searched(server: HttpServer[SearchApp]) -> tuple[int, Answer]:
    """The status of a request for all texts, and its answer."""
    queries = [{"parts": [{"text": text}]} for text in TEXTS]
    told = ask(server, "POST", "/v1/search/batch", {"queries": queries})
    found = [one["hits"] for one in told.json.get("results", [])]
    return told.status, [([hit["id"] for hit in one], [hit["score"] for hit in one]) for one in found]


def are_same(one: Answer, other: Answer) -> bool:
    """Whether the hits are the same, with the scores that their models give."""
    return [ids for ids, _ in one] == [ids for ids, _ in other] and all(
        np.allclose(scores, others, atol=1e-4) for (_, scores), (_, others) in zip(one, other, strict=True)
    )


def test_each_answer_is_of_one_model(target: Target, indexes: dict[str, Answer], tmp_path: Path) -> None:
    """There, back and there again under three threads of searches: each answer is one of the two."""
    first, second = indexes.values()
    assert not are_same(first, second)
    done = Event()
    with (
        searching(esclip.open_index(target.store, target.index), tmp_path / "cache") as server,
        ThreadPoolExecutor(3) as pool,
    ):
        server.app.follower.start(0.2)

        def search() -> list[tuple[int, Answer]]:
            answers = []
            while not done.is_set():
                answers.append(searched(server))
            return answers

        running = [pool.submit(search) for _ in range(3)]
        try:
            for to in (f"{target.index}-{number}" for number in (2, 1, 2)):
                time.sleep(0.3)
                assert esclip.switch_index(to, target.index, target.store).changed
                until = time.monotonic() + 60
                while not are_same(searched(server)[1], indexes[to]):
                    assert time.monotonic() < until, to
                    time.sleep(0.05)
        finally:
            done.set()
        answers = [answer for one in running for answer in one.result()]
    assert {status for status, _ in answers} == {200}
    neither = [
        answer for _, answer in answers if not are_same(answer, first) and not are_same(answer, second)
    ]
    assert neither == []
    assert all(any(are_same(answer, one) for _, answer in answers) for one in (first, second))
