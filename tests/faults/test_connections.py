"""Connections between an ingest and its engine that break, stall and lie."""

from __future__ import annotations

import random
from contextlib import closing

import pytest

from esclip._concurrency.retry import StoreTimeouts
from esclip.stores.engine.store import EngineStore
from esclip.testing.documents import SCHEMA, document
from tests.faults.material import Dataset, SketchEncoder, ingest
from tests.faults.proxy import Fault, Harm, Proxy, plan
from tests.faults.target import AssertWhole, Target

pytestmark = [pytest.mark.engine, pytest.mark.fault]

FAULTS = 30


def test_broken_connections_lose_nothing(
    assert_whole: AssertWhole, engine_target: Target, dataset: Dataset, seed: int
) -> None:
    """An ingest over connections that are cut, refused, delayed and garbled writes every document once."""
    target = engine_target
    with Proxy(target.store, plan(seed, FAULTS)) as proxy:
        report = ingest(dataset, target, SketchEncoder(), through=proxy.address)
    assert (report.written, report.rejected) == (len(dataset.records), 0)
    assert proxy.done.total() > FAULTS / 2
    assert_whole(target, dataset.records, SketchEncoder())
    with Proxy(target.store, plan(seed + 1000, FAULTS)) as proxy:
        again = ingest(dataset, target, SketchEncoder(), through=proxy.address)
    assert (again.skipped, again.written) == (len(dataset.records), 0)


@pytest.mark.parametrize("harm", [Harm.CUT_RESPONSE, Harm.GARBLE], ids=["cut", "garbled"])
def test_an_answer_that_ends_anywhere_is_asked_for_again(
    engine_target: Target, harm: Harm, seed: int
) -> None:
    """An answer that breaks off, or turns into garbage, at whichever byte is never taken for a whole one."""
    chance = random.Random(seed)
    with (
        Proxy(engine_target.store, []) as proxy,
        closing(EngineStore(proxy.address, engine_target.index, StoreTimeouts(backoff=0.01))) as store,
    ):
        store.ensure_index(SCHEMA)
        for number in range(75):
            after = chance.randrange(chance.choice([200, 3000]))
            proxy.faults.append(Fault(harm, after, garbage=chance.choice([b"x", b" ", b"\xff"])))
            id = f"{number}"
            match number % 3:
                case 0:
                    assert store.upsert([document(id)]) == []
                case 1:
                    assert store.upsert([document(id)]) == []
                    assert list(store.fingerprints([id, "none"])) == [id]
                case _:
                    assert store.info() is not None
        assert proxy.done[harm] > 60
        assert len(store.fingerprints([f"{number}" for number in range(75)])) == 50
