"""What every store of esclip's own does when its indexes are listed, and a name is mistyped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

import esclip
from esclip import IndexNotFound, Store
from esclip._core.parts import PART_FIELDS, parts_index
from esclip.testing.documents import SCHEMA, axis, document
from tests.contracts.stores import OfAnyStore

__all__ = ["ListingContract"]


class ListingContract(OfAnyStore):
    @pytest.fixture
    def photos(self, store: Store) -> Iterator[Store]:
        """An index of two documents, with an index of parts and an empty one beside it."""
        parts = replace(SCHEMA, fields=(*SCHEMA.fields, *PART_FIELDS))
        store.ensure_index(replace(SCHEMA, parts=("crops",)))
        with store.bulk_load():
            store.upsert([document("a", axis(0)), document("b", axis(1))])
        others = [store.open_other(parts_index(store.index)), store.open_other(f"{store.index}-empty")]
        for other, schema in zip(others, (parts, SCHEMA), strict=True):
            other.ensure_index(schema)
        yield store
        for other in others:
            other.drop()
            other.close()

    def test_all_but_parts_are_listed(self, photos: Store) -> None:
        """By name, with documents and encoder; what holds the parts of another index is none by itself."""
        listed = {stats.index: stats for stats in esclip.list_indexes(photos)}
        beside = {name: stats for name, stats in listed.items() if name.startswith(photos.index)}
        assert [*beside] == [photos.index, f"{photos.index}-empty"]
        assert [stats.documents for stats in beside.values()] == [2, 0]
        assert listed[photos.index].encoder == SCHEMA.space.model
        assert listed[photos.index].engine == esclip.open_index(photos).stats().engine
        assert listed[photos.index].store == photos.address

    def test_a_mistyped_index_is_answered_with_the_near_one(self, photos: Store) -> None:
        """The error of a name that isn't there has the one that it resembles, and never one of parts."""
        for name in (f"{photos.index}-emtpy", f"{parts_index(photos.index)}x"):
            with photos.open_other(name) as mistyped, pytest.raises(IndexNotFound) as raised:
                esclip.open_index(mistyped, encoder="palette").search_text("red")
            meant = str(raised.value).partition("did you mean ")[2]
            assert meant.startswith((f"'{photos.index}'?", f"'{photos.index}-empty'?"))
