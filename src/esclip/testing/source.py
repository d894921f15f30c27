"""What every source promises, as tests that each source's test class inherits.

class TestMySource(SourceContract):
    fixture origin     writes what the source reads: at least three good records and a broken one
    open(origin)       a fresh source that reads it
    change(origin)     changes what is known of, or in, one record or more; which, by id
"""

from __future__ import annotations

import tempfile
import threading
from concurrent.futures import CancelledError
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import orjson
import pytest

from esclip._concurrency.streams import owned
from esclip._core.rejections import Rejection, Stage
from esclip._core.schema import FieldType
from esclip._core.types import GeoPoint, ImageRecord, json_metadata
from esclip._errors.reasons import Reason
from esclip._protocols import Source

PYTHON_TYPES: dict[FieldType, type] = {
    FieldType.KEYWORD: str,
    FieldType.KEYWORDS: tuple,
    FieldType.TEXT: str,
    FieldType.INTEGER: int,
    FieldType.FLOAT: float,
    FieldType.BOOLEAN: bool,
    FieldType.DATE: datetime,
    FieldType.GEO_POINT: GeoPoint,
}


def records_of(source: Source) -> list[ImageRecord]:
    """The source's records, without its rejections."""
    return [record for record in source.records(Event()) if isinstance(record, ImageRecord)]


def rejections_of(source: Source) -> list[Rejection]:
    """The source's rejections."""
    return [record for record in source.records(Event()) if isinstance(record, Rejection)]


class SourceContract:
    """The promises of `Source`."""

    @pytest.fixture
    def origin(self, tmp_path: Path) -> Path:
        """Where the records are read from."""
        raise NotImplementedError

    def open(self, origin: Path) -> Source:
        """A fresh source that reads `origin`."""
        raise NotImplementedError

    def change(self, origin: Path) -> set[str]:
        """Change records in `origin`; returns the ids of those changed."""
        raise NotImplementedError

    @pytest.fixture
    def temporary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The folder that temporary files go to."""
        folder = tmp_path / "temporary"
        folder.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        return folder

    def test_gives_the_same_records_in_the_same_order_each_time(self, origin: Path) -> None:
        """Neither reading twice nor opening anew changes what comes, or in which order."""
        source = self.open(origin)
        first = list(source.records(Event()))
        assert len(first) >= 4
        assert list(source.records(Event())) == first
        assert list(self.open(origin).records(Event())) == first

    def test_says_how_many_records_come(self, origin: Path) -> None:
        """The total, where it is known, counts records and rejections, before and after they are read."""
        source = self.open(origin)
        before, count = source.total(), sum(1 for _ in source.records(Event()))
        assert before in (None, count)
        assert source.total() in (None, count)

    def test_a_broken_record_is_a_rejection_and_the_others_come(self, origin: Path) -> None:
        """What can't be read is told with its place, and costs nothing else."""
        rejections = rejections_of(self.open(origin))
        assert rejections
        for rejection in rejections:
            assert rejection.stage is Stage.READ
            assert isinstance(rejection.reason, Reason)
            assert rejection.location
            assert rejection.detail
            assert "\n" not in rejection.detail
        assert len(records_of(self.open(origin))) >= 3

    def test_covers_its_own_records(self, origin: Path) -> None:
        """Where its records are is its own, or nothing is; another folder, or a file beside it, is not."""
        source = self.open(origin)
        assert len({source.covers(record.location) for record in records_of(source)}) == 1
        others = ("/", "/nowhere/a.jpg", f"{origin}x", f"{origin}x/a.jpg", str(origin.parent), "")
        assert not any(source.covers(other) for other in others)

    def test_ids_can_be_stored(self, origin: Path) -> None:
        """An id is neither empty nor longer than 512 bytes, and can be printed."""
        for record in records_of(self.open(origin)):
            assert record.id.strip()
            assert len(record.id.encode()) <= 512
            assert record.id.isprintable()

    def test_metadata_is_as_declared(self, origin: Path) -> None:
        """A record has declared fields only, each with a value of its type and none empty."""
        source = self.open(origin)
        types = {field.name: field.type for field in source.fields}
        assert len(types) == len(source.fields)
        for record in records_of(source):
            assert record.metadata
            assert set(record.picture_fields) <= types.keys()
            for name, value in record.metadata.items():
                assert type(value) is PYTHON_TYPES[types[name]], name
                assert value not in ("", ())

    def test_dates_are_in_utc_to_the_millisecond(self, origin: Path) -> None:
        """A date says the same wherever it is read, and loses nothing in a store."""
        dates = [v for r in records_of(self.open(origin)) for v in r.metadata.values()]
        dates = [date for date in dates if isinstance(date, datetime)]
        assert dates
        for date in dates:
            assert isinstance(date, datetime)
            assert date.utcoffset() == timedelta(0)
            assert date.microsecond % 1000 == 0

    def test_records_can_be_written_as_json(self, origin: Path) -> None:
        """Every text of a record is text that JSON can hold."""
        for record in records_of(self.open(origin)):
            orjson.dumps([record.id, record.location, record.image_version, record.page, record.description])
            orjson.dumps(json_metadata(record.metadata))
        for rejection in rejections_of(self.open(origin)):
            orjson.dumps(rejection.to_json())

    def test_only_a_changed_record_has_another_fingerprint(self, origin: Path) -> None:
        """A fingerprint stays when nothing happened, and changes when the record did."""
        before = {record.id: record.fingerprint for record in records_of(self.open(origin))}
        changed = self.change(origin)
        after = {record.id: record.fingerprint for record in records_of(self.open(origin))}
        assert changed
        assert {id for id in before if after[id] != before[id]} == changed

    def test_closing_early_leaves_nothing_behind(self, origin: Path, temporary: Path) -> None:
        """Who stops after one record leaves no thread and no temporary file."""
        threads = threading.active_count()
        with owned(self.open(origin).records(Event())) as records:
            next(records)
        assert threading.active_count() <= threads
        assert list(temporary.iterdir()) == []

    def test_reading_to_the_end_leaves_nothing_behind(self, origin: Path, temporary: Path) -> None:
        """Nor does who reads all."""
        assert sum(1 for _ in self.open(origin).records(Event())) >= 4
        assert list(temporary.iterdir()) == []

    def test_cancelled_it_leaves_nothing_behind(self, origin: Path, temporary: Path) -> None:
        """Cancelled before its first record, it ends, maybe by a `CancelledError`, and no thread stays."""
        threads, cancelled = threading.active_count(), Event()
        cancelled.set()
        with suppress(CancelledError), owned(self.open(origin).records(cancelled)) as records:
            list(records)
        assert threading.active_count() <= threads
        assert list(temporary.iterdir()) == []
