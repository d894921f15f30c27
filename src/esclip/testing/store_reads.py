"""What every store promises of reading: planted around the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np

from esclip._core.document_tables import document_table, table_documents
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.types import Fingerprint, StoredDocument
from esclip._protocols import Store
from esclip.testing.documents import (
    EVERYTHING,
    SCHEMA,
    SPACE,
    axis,
    document,
    nearest,
    random_vectors,
    record,
    where,
)
from esclip.testing.store_case import StoreCase, assert_same, ids_where


class StoreReads(StoreCase):
    """Documents planted around the store, and got."""

    def test_get(self, prepared: Store) -> None:
        """A document comes back with all that it holds, in the same Python types."""
        vector = random_vectors(1, 2)[0]
        planted = document("a", vector, EVERYTHING)
        self.plant(prepared, [planted, document("b", axis(1))])
        got = prepared.documents(["a"])["a"]
        np.testing.assert_allclose(got.vector, vector, atol=1e-6)
        assert got.vector.dtype == np.float32
        assert (got.record.id, got.record.location) == ("a", planted.record.location)
        assert (got.record.page, got.record.description) == (planted.record.page, planted.record.description)
        assert_same(got.record.metadata, EVERYTHING)

    def test_documents_that_are_held(self, prepared: Store) -> None:
        """Of many ids, those that are held come back, each with its own vector; an id may be given twice."""
        vectors = random_vectors(30, 12)
        self.plant(prepared, [document(f"{i}", vectors[i]) for i in range(30)])
        found = prepared.documents([*(f"{i}" for i in range(10, 40)), "12"])
        assert sorted(found) == [f"{i}" for i in range(10, 30)]
        for id, got in found.items():
            assert got.record.id == id
            np.testing.assert_allclose(got.vector, vectors[int(id)], atol=1e-6)
        assert prepared.documents([]) == prepared.documents(["ghost"]) == {}

    def test_search_gives_metadata(self, prepared: Store) -> None:
        """A hit has every field in the same Python type; what a document lacks is absent."""
        bare = StoredDocument(record("bare", page=None, description=""), axis(1))
        self.plant(prepared, [document("a", axis(0), EVERYTHING), bare])
        first, second = nearest(prepared, axis(0), 2)
        assert_same(first.metadata, EVERYTHING)
        assert (first.id, first.location) == ("a", record("a").location)
        assert (first.page, first.description) == (record("a").page, record("a").description)
        assert (second.page, second.description, dict(second.metadata)) == (None, "", {})

    def test_written_metadata_comes_back(self, prepared: Store) -> None:
        """What the store itself wrote comes back equal from get and from search."""
        with prepared.bulk_load():
            prepared.upsert([document("a", metadata=EVERYTHING)])
        assert_same(prepared.documents(["a"])["a"].record.metadata, EVERYTHING)
        assert_same(nearest(prepared, axis(0), 1)[0].metadata, EVERYTHING)

    def test_dates_are_kept_in_utc_to_the_millisecond(self, prepared: Store) -> None:
        """A date of any zone or age comes back as the same instant in UTC, cut to the millisecond."""
        zone = timezone(timedelta(hours=5, minutes=30))
        dates = {
            "now": datetime(2024, 2, 29, 1, 2, 3, 456_789, tzinfo=zone),
            "past": datetime(1901, 1, 1, 0, 0, 0, 1_999, tzinfo=zone),
        }
        with prepared.bulk_load():
            prepared.upsert([document(id, metadata={"taken_at": date}) for id, date in dates.items()])
        for id, date in dates.items():
            cut = date.replace(microsecond=date.microsecond // 1000 * 1000)
            kept = prepared.documents([id])[id].record.metadata["taken_at"]
            assert isinstance(kept, datetime)
            assert (kept, kept.utcoffset()) == (cut, timedelta(0))
            assert ids_where(prepared, where("taken_at", cut)) == [id]

    def test_whole_documents_are_handed_over(self, prepared: Store) -> None:
        """A scan of tables gives every document once, with all that the store holds of it."""
        vectors = random_vectors(3, 5)
        bare = StoredDocument(record("c", page=None, description=""), vectors[2], "sha")
        planted = [document("a", vectors[0], EVERYTHING), document("b", vectors[1]), bare]
        with prepared.bulk_load():
            prepared.upsert(planted)
        got = {
            one.record.id: one for table in prepared.scan_tables() for one in table_documents(table, SCHEMA)
        }
        assert sorted(got) == ["a", "b", "c"]
        for one in planted:
            back, stored = got[one.record.id], prepared.documents([one.record.id])[one.record.id]
            assert (back.fingerprint, back.content) == (one.record.fingerprint, one.content)
            assert replace(back.record, picture="", image_version="") == replace(
                stored.record, picture="", image_version=""
            )
            assert_same(back.record.metadata, one.record.metadata)
            np.testing.assert_array_equal(back.vector, stored.vector)

    def test_documents_of_another_store_keep_their_fingerprints(self, prepared: Store) -> None:
        """What is written as a table is held as it was there: the same fingerprints, contents and values."""
        known = Fingerprint("pixels", "record+caption")
        plain = document("a", random_vectors(1, 6)[0], EVERYTHING)
        given = replace(plain, record=replace(plain.record, stored_as=known), content="sha")
        with prepared.bulk_load():
            assert prepared.upsert_table(document_table([given], SCHEMA)) == []
        assert prepared.fingerprints(["a"]) == {"a": known}
        stored = prepared.documents(["a"])["a"]
        assert stored.content == "sha"
        assert_same(stored.record.metadata, EVERYTHING)
        assert_same(nearest(prepared, given.vector, 1)[0].metadata, EVERYTHING)
        np.testing.assert_allclose(stored.vector, given.vector, atol=1e-6)
        prepared.update([record("a")])
        assert prepared.fingerprints(["a"]) == {"a": record("a").fingerprint}

    def test_a_table_may_have_other_fields(self, prepared: Store) -> None:
        """Fields that the index lacks are left out; those that the table lacks are missing."""
        fields = (Field("likes", FieldType.INTEGER), Field("content", FieldType.KEYWORD))
        given = document("a", axis(3), {"likes": 3, "content": "x"})
        with prepared.bulk_load():
            assert prepared.upsert_table(document_table([given], IndexSchema(SPACE, fields))) == []
        assert_same(prepared.documents(["a"])["a"].record.metadata, {"likes": 3})
        assert nearest(prepared, axis(3), 1)[0].description == "picture a"
