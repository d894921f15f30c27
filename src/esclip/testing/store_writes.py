"""What every store promises of writing: read back around the store."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any

import numpy as np
import pytest

from esclip._core.filters import Range
from esclip._core.rejections import Rejection, Stage
from esclip._core.types import MetadataValue
from esclip._errors.reasons import Reason
from esclip._protocols import Store
from esclip.testing.documents import (
    EVERYTHING,
    FIELDS,
    axis,
    document,
    nearest,
    random_vectors,
    record,
    where,
)
from esclip.testing.store_case import StoreCase, count, ids_where, reasons


class StoreWrites(StoreCase):
    """Documents written by the store."""

    def test_upsert_writes_everything(self, prepared: Store) -> None:
        """What is written is what was given: own fields, vector and metadata."""
        vector = random_vectors(1, 1)[0]
        written = document("a", vector, EVERYTHING)
        assert prepared.upsert([written]) == []
        raw = self.peek(prepared, "a")
        assert raw is not None
        np.testing.assert_allclose(raw["vector"], vector, atol=1e-6)
        assert raw["location"] == written.record.location
        assert raw["page"] == written.record.page
        assert raw["description"] == written.record.description
        assert raw["pixels_fingerprint"] == written.record.fingerprint.pixels
        assert raw["record_fingerprint"] == written.record.fingerprint.record
        assert raw["country"] == EVERYTHING["country"]
        assert raw["likes"] == EVERYTHING["likes"]
        assert tuple(raw["colors"]) == EVERYTHING["colors"]

    def test_upsert_replaces_by_id(self, prepared: Store) -> None:
        """A second document with an id replaces the first, whole."""
        prepared.upsert([document("a", axis(0), {"country": "Chile"}), document("b")])
        assert prepared.upsert([document("a", axis(1), {"likes": 1})]) == []
        raw = self.peek(prepared, "a")
        assert raw is not None
        np.testing.assert_allclose(raw["vector"], axis(1), atol=1e-6)
        assert raw.get("country") is None
        assert raw["likes"] == 1
        assert count(prepared) == 2

    def test_upsert_keeps_the_last_of_an_id(self, prepared: Store) -> None:
        """Of documents with one id in one call, the last is written, once."""
        with prepared.bulk_load():
            assert prepared.upsert([document("a", axis(i)) for i in range(4)]) == []
        assert count(prepared) == 1
        np.testing.assert_allclose(prepared.documents(["a"])["a"].vector, axis(3), atol=1e-6)
        assert [hit.id for hit in nearest(prepared, axis(0), 9)] == ["a"]

    def test_upsert_of_nothing(self, prepared: Store) -> None:
        """Writing no documents, or updating no records, is allowed and does nothing."""
        assert prepared.upsert([]) == []
        assert prepared.update([]) == []
        assert prepared.fingerprints([]) == {}
        assert count(prepared) == 0

    @pytest.mark.parametrize(
        "vector",
        [np.full_like(axis(0), np.nan), np.full_like(axis(0), np.inf), axis(0) * 0, axis(0, dim=8)],
        ids=["nan", "infinite", "zero", "short"],
    )
    def test_upsert_rejects_bad_vectors(self, prepared: Store, vector: Any) -> None:
        """A vector that can't be compared is rejected, and the documents beside it are written."""
        rejected = prepared.upsert([document("good"), document("bad", vector), document("fine")])
        assert reasons(rejected) == [("bad", Stage.WRITE, Reason.WRITE_REJECTED)]
        assert rejected[0].detail
        assert rejected[0].location == record("bad").location
        assert set(prepared.fingerprints(["good", "bad", "fine"])) == {"good", "fine"}

    @pytest.mark.parametrize(
        "metadata",
        [{"likes": "many"}, {"likes": 2**63}, {"aperture": float("nan")}, {"caption": "half \ud83d"}],
        ids=["type", "range", "nan", "surrogate"],
    )
    def test_upsert_rejects_bad_metadata(self, prepared: Store, metadata: dict[str, MetadataValue]) -> None:
        """A value that its field can't hold is rejected, and the documents beside it are written."""
        rejected = prepared.upsert([document("good"), document("bad", metadata=metadata), document("fine")])
        assert reasons(rejected) == [("bad", Stage.WRITE, Reason.WRITE_REJECTED)]
        assert set(prepared.fingerprints(["good", "bad", "fine"])) == {"good", "fine"}

    def test_update_keeps_the_vector(self, prepared: Store) -> None:
        """An update replaces all of a document but its vector; metadata that vanished is removed."""
        prepared.upsert([document("a", axis(2), EVERYTHING), document("b", axis(3), {"likes": 1})])
        changed = record("a", {"country": "Chile"}, page=None, description="new", image_version="2")
        assert prepared.update([changed]) == []
        raw = self.peek(prepared, "a")
        assert raw is not None
        np.testing.assert_allclose(raw["vector"], axis(2), atol=1e-6)
        assert raw["description"] == "new"
        assert raw.get("page") is None
        assert raw["country"] == "Chile"
        assert [name for name in EVERYTHING if raw.get(name) is not None] == ["country"]
        assert prepared.fingerprints(["a"]) == {"a": changed.fingerprint}
        assert prepared.documents(["b"])["b"].record.metadata == {"likes": 1}

    def test_update_can_be_searched(self, prepared: Store) -> None:
        """After an update, filters see the new metadata and not the old."""
        with prepared.bulk_load():
            prepared.upsert([document("a", metadata={"likes": 1}), document("b", metadata={"likes": 1})])
        with prepared.bulk_load():
            assert prepared.update([record("a", {"likes": 2}), record("a", {"likes": 3})]) == []
        found = {likes: ids_where(prepared, where("likes", likes)) for likes in (1, 2, 3)}
        assert found == {1: ["b"], 2: [], 3: ["a"]}

    def test_update_of_unknown_ids(self, prepared: Store) -> None:
        """An update of an id that isn't held is rejected and adds nothing; the others are made."""
        prepared.upsert([document("a")])
        rejected = prepared.update([record("a", {"likes": 1}), record("ghost")])
        assert reasons(rejected) == [("ghost", Stage.WRITE, Reason.WRITE_REJECTED)]
        assert rejected[0].location == record("ghost").location
        assert count(prepared) == 1
        assert prepared.documents(["a"])["a"].record.metadata == {"likes": 1}

    def test_delete(self, prepared: Store) -> None:
        """Deleted documents are gone, by every way to look; the others stay, and so does what isn't held."""
        with prepared.bulk_load():
            prepared.upsert([document(id, axis(i)) for i, id in enumerate(["a", "b'c", "d e", "f"])])
        with prepared.bulk_load():
            prepared.delete(["b'c", "f", "ghost"])
            prepared.delete([])
        assert count(prepared) == 2
        assert set(prepared.fingerprints(["a", "b'c", "d e", "f"])) == {"a", "d e"}
        assert sorted(hit.id for hit in nearest(prepared, axis(1), 9)) == ["a", "d e"]
        assert self.peek(prepared, "f") is None
        assert prepared.upsert([document("f", axis(9))]) == []
        np.testing.assert_allclose(prepared.documents(["f"])["f"].vector, axis(9), atol=1e-6)

    def test_vectors_by_content(self, prepared: Store) -> None:
        """The vector of bytes that are held is given, once for each; what is new with them is not."""
        written = [
            replace(document(id, axis(i)), content=content)
            for i, (id, content) in enumerate([("a", "aa"), ("b", "bb"), ("c", "cc"), ("d", "")])
        ] + [replace(document("copy", axis(0)), content="aa")]
        with prepared.bulk_load():
            assert prepared.upsert(written) == []
        raw = self.peek(prepared, "b")
        assert raw is not None
        assert raw["content_fingerprint"] == "bb"
        found = prepared.vectors_by_content(["aa", "cc", "zz", "it's"])
        assert set(found) == {"aa", "cc"}
        np.testing.assert_allclose(found["aa"], axis(0), atol=1e-6)
        np.testing.assert_allclose(found["cc"], axis(2), atol=1e-6)
        assert prepared.vectors_by_content([]) == {}
        assert prepared.vectors_by_content(["zz"]) == {}

    def test_update_keeps_the_content(self, prepared: Store) -> None:
        """New metadata leaves the fingerprint of the picture's bytes as it was."""
        with prepared.bulk_load():
            prepared.upsert([replace(document("a", axis(3)), content="aa")])
            prepared.update([record("a", {"likes": 2})])
        assert prepared.documents(["a"])["a"].content == "aa"
        assert set(prepared.vectors_by_content(["aa"])) == {"aa"}

    def test_locations(self, prepared: Store) -> None:
        """Every document is listed with its location, once, whatever its id."""
        assert list(prepared.scan_locations()) == []
        ids = [f"{i}" for i in range(30)] + ["-x", "é/?", "Z"]
        with prepared.bulk_load():
            prepared.upsert([document(id) for id in ids])
            prepared.upsert([document("7")])
        listed = list(prepared.scan_locations())
        assert sorted(listed) == sorted((id, record(id).location) for id in ids)

    def test_vectors(self, prepared: Store) -> None:
        """The vector of every document is listed, once, in the same order again; or of those that match."""
        assert list(prepared.scan_vectors()) == []
        vectors = {f"{n}": row for n, row in enumerate(random_vectors(30, 5))}
        with prepared.bulk_load():
            prepared.upsert([document(id, axis(0), {"likes": int(id)}) for id in vectors])
            prepared.upsert([document(id, row, {"likes": int(id)}) for id, row in vectors.items()])
        listed = [pair for ids, rows in prepared.scan_vectors() for pair in zip(ids, rows, strict=True)]
        assert sorted(id for id, _ in listed) == sorted(vectors)
        for id, row in listed:
            np.testing.assert_allclose(row, vectors[id], atol=self.tolerance)
        assert [id for ids, _ in prepared.scan_vectors() for id in ids] == [id for id, _ in listed]
        likes = next(field for field in FIELDS if field.name == "likes")
        few = [id for ids, _ in prepared.scan_vectors([Range(likes, at_least=28)]) for id in ids]
        assert sorted(few) == ["28", "29"]

    def test_loading_makes_writes_searchable(self, prepared: Store) -> None:
        """After loading, all that was written is found, and what was replaced isn't."""
        with prepared.bulk_load():
            prepared.upsert([document("a", axis(0)), document("b", axis(1))])
        with prepared.bulk_load():
            prepared.upsert([document("b", axis(2)), document("c", axis(3))])
        found = {
            id: round(nearest(prepared, axis(i), 1)[0].score) for i, id in ((0, "a"), (2, "b"), (3, "c"))
        }
        assert found == {"a": 1, "b": 1, "c": 1}
        assert nearest(prepared, axis(1), 1)[0].score == pytest.approx(0, abs=self.tolerance)

    def test_loading_left_by_an_error(self, prepared: Store) -> None:
        """An error passes through loading unchanged, and what was written before it is found."""

        def fail_midway() -> None:
            with prepared.bulk_load():
                prepared.upsert([document("a")])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail_midway()
        assert [hit.id for hit in nearest(prepared, axis(0), 3)] == ["a"]

    def test_bulk_load_cancelled(self, prepared: Store) -> None:
        """A bulk load that is cancelled, before or while it runs, ends within seconds, and all is found."""
        for turn, early in enumerate((True, False)):
            cancelled = Event()
            if early:
                cancelled.set()
            with prepared.bulk_load(cancelled):
                assert prepared.upsert([document(f"{turn}{i}", axis(i)) for i in range(3)]) == []
                cancelled.set()
                before = time.monotonic()
            assert time.monotonic() - before < 30
            assert len(nearest(prepared, axis(0), 9)) == 3 * (turn + 1)
        with prepared.bulk_load():
            prepared.delete(["00"])
        assert len(nearest(prepared, axis(0), 9)) == 5

    def test_bulk_load_cancelled_and_left_by_an_error(self, prepared: Store) -> None:
        """An error passes through a cancelled bulk load unchanged, and what was written is found."""
        cancelled = Event()

        def fail() -> None:
            with prepared.bulk_load(cancelled):
                prepared.upsert([document("a")])
                cancelled.set()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert [hit.id for hit in nearest(prepared, axis(0), 3)] == ["a"]

    def test_threads_lose_and_duplicate_nothing(self, prepared: Store) -> None:
        """Several threads that write the same ids and search meanwhile leave each document once."""

        def write(thread: int) -> list[Rejection]:
            rejected = []
            for turn in range(6):
                numbers = range(turn * 8, turn * 8 + 20)
                rejected += prepared.upsert([document(f"{i}", axis(thread)) for i in numbers])
                nearest(prepared, axis(0), 3)
            return rejected

        with ThreadPoolExecutor(4) as threads, prepared.bulk_load():
            assert list(threads.map(write, range(4))) == [[], [], [], []]
        ids = {f"{i}" for i in range(60)}
        assert count(prepared) == 60
        assert set(prepared.fingerprints(sorted(ids))) == ids
        assert sorted(hit.id for hit in nearest(prepared, axis(0), 200)) == sorted(ids)
