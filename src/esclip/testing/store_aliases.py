"""What every store promises of aliases: names that point to an index, and are pointed elsewhere at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from esclip._core.filters import Condition
from esclip._core.schema import Field, FieldType
from esclip._core.searches import KnnSearch
from esclip._errors import IndexExists, IndexNotFound
from esclip._protocols import Store
from esclip.testing.documents import SCHEMA, axis, document, nearest
from esclip.testing.store_case import StoreCase, count


class StoreAliases(StoreCase):
    """Aliases, of stores that do not leave `point_alias` as it is."""

    @pytest.fixture
    def named(self, prepared: Store) -> Iterator[tuple[Store, Store, Store]]:
        """Stores of two indexes, one with the document `a`, one with `b`, and of a name that is free."""
        if type(prepared).point_alias is Store.point_alias:
            pytest.skip("this store has no aliases")
        stores = [prepared.open_other(f"{prepared.index}{suffix}") for suffix in ("-1", "-2", "-alias")]
        one, two, alias = stores
        for store, id in ((one, "a"), (two, "b")):
            store.ensure_index(SCHEMA)
            with store.bulk_load():
                store.upsert([document(id)])
        yield one, two, alias
        for store in (one, two):
            if store.index in prepared.list_indexes():
                store.drop()
        for store in stores:
            store.close()

    def test_a_name_points_to_one_index_and_then_to_another(self, named: tuple[Store, Store, Store]) -> None:
        """An alias resolves to the index that it was pointed to last; both indexes stay as they are."""
        one, two, alias = named
        assert alias.alias_target() is None
        for store, id in ((one, "a"), (two, "b"), (two, "b"), (one, "a")):
            alias.point_alias(store.index)
            assert alias.alias_target() == store.index
            with alias.resolve_alias() as resolved:
                assert resolved.index == store.index
                assert [hit.id for hit in nearest(resolved, axis(0), 9)] == [id]
        assert (count(one), count(two)) == (1, 1)

    def test_an_index_knows_its_aliases(self, named: tuple[Store, Store, Store]) -> None:
        """The names that point to an index are told by it, and where indexes are listed, without aliases."""
        one, two, alias = named
        alias.point_alias(one.index)
        infos = one.list_indexes()
        assert one.aliases() == infos[one.index].aliases == (alias.index,)
        assert two.aliases() == infos[two.index].aliases == ()
        assert alias.index not in infos

    def test_an_index_is_no_alias(self, named: tuple[Store, Store, Store]) -> None:
        """The name of an index resolves to its own store, and can't be made an alias."""
        one, two, _ = named
        assert one.alias_target() is None
        assert one.resolve_alias() is one
        with pytest.raises(IndexExists, match=one.index):
            one.point_alias(two.index)
        assert one.schema() == SCHEMA

    def test_an_alias_is_no_index(self, named: tuple[Store, Store, Store]) -> None:
        """A store opened by the name of an alias refuses, rather than use what that points to now."""
        one, two, alias = named
        alias.point_alias(one.index)
        calls: list[Callable[[], object]] = [
            alias.schema,
            alias.info,
            alias.drop,
            lambda: alias.ensure_index(SCHEMA),
            lambda: alias.upsert([document("c")]),
            lambda: nearest(alias, axis(0), 1),
            lambda: two.open_other("another").point_alias(alias.index),
        ]
        for call in calls:
            with pytest.raises(IndexExists, match=f"alias of index '{one.index}'"):
                call()
        assert count(one) == 1

    def test_an_alias_points_to_an_index_that_is_there(self, named: tuple[Store, Store, Store]) -> None:
        """An alias is not pointed to what does not exist, and stays as it was."""
        one, _, alias = named
        with pytest.raises(IndexNotFound, match="nowhere"):
            alias.point_alias("nowhere")
        assert alias.alias_target() is None
        alias.point_alias(one.index)
        with pytest.raises(IndexNotFound, match="nowhere"):
            alias.point_alias("nowhere")
        assert alias.alias_target() == one.index

    def test_an_alias_goes_with_its_index(self, named: tuple[Store, Store, Store]) -> None:
        """A dropped index takes its aliases with it: the name is free."""
        one, _, alias = named
        alias.point_alias(one.index)
        one.drop()
        assert alias.alias_target() is None
        assert alias.schema() is None

    def test_an_index_is_renamed(self, named: tuple[Store, Store, Store]) -> None:
        """A renamed index is found by its new name, with what belongs to it; the old one is its alias."""
        one, two, free = named
        schema = replace(SCHEMA, runtimes=("torch on cpu",), fields=(*SCHEMA.fields, _MORE))
        two.ensure_index(schema)
        two.rename(free.index, {one.index: f"{free.index}-beside", "nowhere": f"{free.index}-nowhere"})
        with free.open_other(f"{free.index}-beside") as beside:
            assert two.alias_target() == free.index
            assert free.schema() == schema
            assert free.documents(["b"]).keys() == {"b"}
            assert [hit.id for hit in nearest(free, axis(0), 9)] == ["b"]
            assert beside.fingerprints(["a"]).keys() == {"a"}
            assert one.schema() is None
            with free.bulk_load():
                assert free.upsert([document("c", axis(1))]) == []
            assert {hit.id for hit in nearest(free, axis(0), 9)} == {"b", "c"}
            beside.drop()
            free.drop()

    def test_a_name_becomes_an_alias_during_a_search(self, named: tuple[Store, Store, Store]) -> None:
        """The hits are of the index whose schema was read, or the search fails: none is of another one."""
        one, two, free = named
        switched: list[str] = []

        class Switching(tuple[Condition, ...]):
            """No conditions, which switch the name when they are looked at, after the schema was read."""

            def __iter__(self) -> Iterator[Condition]:
                if not switched:
                    switched.append(one.index)
                    with one.open_other(one.index) as same:
                        same.rename(free.index, {})
                        same.point_alias(two.index)
                return iter(())

        with suppress(IndexExists, IndexNotFound):
            assert [hit.id for hit in nearest(one, axis(0), 9)] == ["a"]
            (hits,) = one.search(KnnSearch(axis(0), 9, Switching()))
            assert [hit.id for hit in hits] == ["a"]
        assert switched
        assert one.alias_target() == two.index
        free.drop()

    def test_an_index_is_renamed_only_to_a_free_name(self, named: tuple[Store, Store, Store]) -> None:
        """A name that an index or an alias has stays what it is."""
        one, two, alias = named
        alias.point_alias(two.index)
        for taken in (two.index, alias.index):
            with pytest.raises(IndexExists):
                one.rename(taken, {})
        assert (count(one), count(two), alias.alias_target()) == (1, 1, two.index)


_MORE = Field("colour", FieldType.KEYWORD)
