"""An index that somebody removes in the middle of an ingest."""

from __future__ import annotations

import pytest

from esclip import open_index
from esclip._errors import IndexNotFound
from tests.faults.material import Dataset, SketchEncoder, ingest
from tests.faults.target import AssertWhole, Target

pytestmark = pytest.mark.fault


def test_a_removed_index_is_made_again_by_the_next_run(
    assert_whole: AssertWhole, target: Target, dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    """The run ends with an error that says so and makes no index by guess; the next writes everything."""

    def drop() -> None:
        with open_index(target.store, target.index) as other:
            other.drop()

    with pytest.raises(IndexNotFound, match=target.index):
        ingest(dataset, target, SketchEncoder({1000: drop}))
    assert not [record for record in caplog.records if record.name == "esclip"]
    with open_index(target.store, target.index) as index, pytest.raises(IndexNotFound):
        index.stats()
    report = ingest(dataset, target, SketchEncoder())
    assert (report.written, report.rejected) == (len(dataset.records), 0)
    assert_whole(target, dataset.records, SketchEncoder())
