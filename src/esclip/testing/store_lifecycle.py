"""What every store promises of its index: made, extended, refused, dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._errors import IndexMismatch, IndexNotFound
from esclip._protocols import Store
from esclip.testing.documents import FIELDS, SCHEMA, SPACE, axis, document, nearest, record, where
from esclip.testing.store_case import StoreCase


class StoreLifecycle(StoreCase):
    """An index as a whole."""

    def test_no_index_has_no_info(self, store: Store) -> None:
        """Of an index that isn't there, info and schema say so instead of raising."""
        assert store.info() is None
        assert store.schema() is None

    def test_no_index_raises(self, store: Store) -> None:
        """All that needs an index raises IndexNotFound without one, naming it."""
        calls: list[Callable[[], object]] = [
            lambda: nearest(store, axis(0), 3),
            lambda: store.fingerprints(["a"]),
            lambda: store.upsert([document("a")]),
            lambda: store.update([record("a")]),
            lambda: store.documents(["a"])["a"],
            lambda: store.drop(),
        ]
        for call in calls:
            with pytest.raises(IndexNotFound, match=store.index):
                call()
        assert store.info() is None

    def test_prepare_makes_an_empty_index(self, store: Store) -> None:
        """A prepared index remembers its schema, holds nothing and finds nothing."""
        store.ensure_index(SCHEMA)
        info = store.info()
        assert info is not None
        assert info.schema == store.schema() == SCHEMA
        assert info.documents == 0
        assert info.engine
        assert nearest(store, axis(0), 3) == []

    def test_prepare_twice_changes_nothing(self, prepared: Store) -> None:
        """Preparing an index that is there keeps its documents and schema."""
        prepared.upsert([document("a")])
        prepared.ensure_index(SCHEMA)
        info = prepared.info()
        assert info is not None
        assert (info.schema, info.documents) == (SCHEMA, 1)

    def test_an_index_remembers_what_it_was_made_of(self, store: Store) -> None:
        """The index of another model whose documents it has, also after an ingest, which names none."""
        store.ensure_index(replace(SCHEMA, reencoded_from="photos"))
        store.ensure_index(SCHEMA)
        assert store.schema() == replace(SCHEMA, reencoded_from="photos")

    def test_prepare_adds_fields(self, store: Store) -> None:
        """An index gets fields that it lacks, keeps the others and can filter by both."""
        first, second = IndexSchema(SPACE, FIELDS[:1]), IndexSchema(SPACE, FIELDS[1:])
        store.ensure_index(first)
        with store.bulk_load():
            store.upsert([document("old", metadata={"country": "Chile"})])
        store.ensure_index(second)
        with store.bulk_load():
            store.upsert([document("new", metadata={"country": "Chile", "likes": 3})])
        info = store.info()
        assert info is not None
        assert set(info.schema.fields) == set(FIELDS)
        assert {hit.id for hit in nearest(store, axis(0), 9, [where("country", "Chile")])} == {"old", "new"}
        assert [hit.id for hit in nearest(store, axis(0), 9, [where("likes", 3)])] == ["new"]
        assert store.documents(["old"])["old"].record.metadata == {"country": "Chile"}

    def test_prepare_adds_runtimes(self, store: Store) -> None:
        """An index remembers each runtime that it was prepared for, once, in their order."""
        for runtime in ("torch on cpu", "OpenVINO bf16 on cpu", "torch on cpu"):
            store.ensure_index(replace(SCHEMA, runtimes=(runtime,)))
        store.ensure_index(SCHEMA)
        kept = ("torch on cpu", "OpenVINO bf16 on cpu")
        assert self.peek_schema(store)["runtimes"] == list(kept)
        info = store.info()
        assert info is not None
        assert info.schema == replace(SCHEMA, runtimes=kept)

    def test_an_index_made_before_runtimes_were_kept(self, prepared: Store) -> None:
        """A schema without the key is read as one without runtimes, and gets those of later ingests."""
        kept = dict(self.peek_schema(prepared))
        del kept["runtimes"]
        self.plant_schema(prepared, kept)
        info = prepared.info()
        assert info is not None
        assert info.schema == SCHEMA
        prepared.ensure_index(replace(SCHEMA, runtimes=("torch on cpu",)))
        assert self.peek_schema(prepared)["runtimes"] == ["torch on cpu"]

    @pytest.mark.parametrize(
        "schema",
        [
            IndexSchema(SPACE, (Field("likes", FieldType.KEYWORD),)),
            IndexSchema(replace(SPACE, dim=SPACE.dim * 2), FIELDS),
        ],
        ids=["type", "dimension"],
    )
    def test_prepare_refuses_changes(self, prepared: Store, schema: IndexSchema) -> None:
        """Another type of a field or another dimension is refused, and nothing changes."""
        with pytest.raises(IndexMismatch, match=prepared.index):
            prepared.ensure_index(schema)
        info = prepared.info()
        assert info is not None
        assert info.schema == SCHEMA

    def test_prepare_refuses_reserved_names(self, store: Store) -> None:
        """A metadata field can't be called as one of a document's own fields."""
        with pytest.raises(ValueError, match="vector"):
            store.ensure_index(IndexSchema(SPACE, (Field("vector", FieldType.FLOAT),)))

    def test_an_index_is_listed_while_it_is_there(self, store: Store) -> None:
        """A store lists its index with schema and documents, from its making until it is dropped."""
        assert store.index not in store.list_indexes()
        store.ensure_index(SCHEMA)
        with store.bulk_load():
            store.upsert([document("a")])
        info = store.list_indexes()[store.index]
        assert (info.schema, info.documents) == (SCHEMA, 1)
        assert info.engine
        store.drop()
        assert store.index not in store.list_indexes()

    def test_what_is_listed_can_be_opened(self, prepared: Store) -> None:
        """Each name that a store lists is that of an index of esclip's, with the schema that is listed."""
        with prepared.open_other(f"{prepared.index}_2") as other:
            other.ensure_index(SCHEMA)
            listed = {
                name: info
                for name, info in prepared.list_indexes().items()
                if name.startswith(prepared.index)
            }
            for name, info in listed.items():
                with prepared.open_other(name) as opened:
                    assert opened.schema() == info.schema
            other.drop()

    def test_drop(self, prepared: Store) -> None:
        """A dropped index is gone with its documents, and can be made anew."""
        prepared.upsert([document("a")])
        prepared.drop()
        assert prepared.info() is None
        with pytest.raises(IndexNotFound, match=prepared.index):
            prepared.drop()
        prepared.ensure_index(SCHEMA)
        assert prepared.fingerprints(["a"]) == {}

    def test_close_twice(self, prepared: Store) -> None:
        """Closing a closed store does no harm."""
        prepared.close()
        prepared.close()
