"""What every store does with text documents beside pictures: kept apart, found together.

Through the facade, with the palette encoder: plain pictures, and sentences about colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from PIL import Image

import esclip
from esclip import Hit, ImageIndex, Query, Store, Text, TextRecord
from tests.contracts.parts import CountingPalette
from tests.contracts.stores import OfAnyStore

PICTURES = ("blue", "green", "red")
TEXTS: list[dict[str, Any]] = [
    {"id": "t-door", "text": "a red door", "shop": "bergen", "year": 2020},
    {"id": "t-sky", "text": "blue sky, blue sea", "shop": "oslo", "page": "https://example.org/sky"},
]


def pictures() -> list[dict[str, Any]]:
    """A plain picture of each colour, in a shop."""
    return [{"id": c, "image": Image.new("RGB", (64, 64), c), "shop": "oslo"} for c in PICTURES]


def ids(hits: Sequence[Hit]) -> list[str]:
    """The ids, best first."""
    return [hit.id for hit in hits]


class TextsContract(OfAnyStore):
    """What differs between stores."""

    @pytest.fixture
    def encoder(self) -> CountingPalette:
        """What encodes."""
        return CountingPalette()

    @pytest.fixture
    def index(self, store: Store, encoder: CountingPalette) -> ImageIndex:
        """The index, with three pictures."""
        index = esclip.open_index(store, encoder=encoder)
        assert index.add(pictures()).written == 3
        return index

    @pytest.fixture
    def mixed(self, index: ImageIndex) -> ImageIndex:
        """The index with pictures and texts."""
        assert index.add([*pictures(), *TEXTS]).written == 2
        return index

    def test_texts_are_found_beside_pictures(self, mixed: ImageIndex) -> None:
        """Each kind is ranked apart, and both are fused by rank; scores stay cosines of their kind."""
        hits = mixed.search_text("red", 9)
        assert ids(hits) == ["red", "t-door", "blue", "t-sky", "green"]
        assert [hit.kind for hit in hits] == ["picture", "text", "picture", "text", "picture"]
        assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5]
        assert [round(hit.score, 3) for hit in hits] == [1, 1, 0, 0, 0]
        text = hits[1]
        assert (text.description, text.location) == ("a red door", "memory:t-door")
        assert text.metadata == {"shop": "bergen", "year": 2020}
        assert text.to_json()["kind"] == "text"
        assert "kind" not in hits[0].to_json()
        assert ids(mixed.search_text("red", 2, offset=1)) == ["t-door", "blue"]

    def test_texts_are_found_by_pictures_and_texts(self, mixed: ImageIndex) -> None:
        """A picture finds texts that say what it shows, and a text those that say the like."""
        picture = Image.new("RGB", (32, 32), "blue")
        assert ids(mixed.search_image(picture, 2)) == ["blue", "t-sky"]
        assert ids(mixed.similar("t-sky", 2)) == ["blue", "t-door"]
        assert ids(mixed.similar("red", 2)) == ["blue", "t-door"]
        assert ids(mixed.search(Query(Text("red"), Text("blue", -0.1), k=2))) == ["red", "t-door"]

    def test_filters_hold_for_both(self, mixed: ImageIndex) -> None:
        """A filter leaves pictures and texts that fulfil it; alone it lists both by id."""
        assert ids(mixed.search_text("red", 9, "shop=bergen")) == ["t-door"]
        assert ids(mixed.search_text("blue", 2, "shop=oslo")) == ["blue", "t-sky"]
        assert ids(mixed.search(Query(where="shop=oslo,bergen", k=4))) == ["blue", "green", "red", "t-door"]
        assert ids(mixed.search(Query(where="year>=2000"))) == ["t-door"]
        assert "did you mean" in str(mixed.search_text("red", 9, "shop=osl").note)
        mixed.add({"id": "w", "image": Image.new("RGB", (9, 9), "red"), "width": 9})
        assert ids(mixed.search_text("red", 9, "width=9")) == ["w"]  # a field that came later

    def test_words_find_texts(self, mixed: ImageIndex) -> None:
        """Keyword search knows the words of texts, alone and beside vectors."""
        assert ids(mixed.search(esclip.Keywords("doors"))) == ["t-door"]
        assert ids(mixed.search_text("red door", 2, hybrid=1.0)) == ["red", "t-door"]
        assert ids(mixed.search_text("sky", 2, hybrid=1.0, targets="texts")) == ["t-sky", "t-door"]
        assert ids(mixed.search(Query(where="words~door"))) == ["t-door"]

    def test_reads_know_both_kinds(self, mixed: ImageIndex) -> None:
        """Counts add up; documents of both kinds are given by id, listed and iterated over."""
        every = [*PICTURES, "t-door", "t-sky"]
        assert (len(mixed), list(mixed)) == (5, every)
        assert [document.record.id for document in mixed.peek(4)] == every[:4]
        got = mixed.get(["t-sky", "red", "none"])
        assert [document.record.kind for document in got] == ["text", "picture"]
        assert got[0].record.description == "blue sky, blue sea"
        assert got[0].record.page == "https://example.org/sky"
        assert got.missing == ("none",)
        assert "t-door" in mixed
        assert mixed.search_text("red", 1, targets="texts")[0] in mixed
        stats = mixed.stats()
        assert (stats.documents, stats.texts) == (5, 2)
        assert stats.to_json()["texts"] == 2
        assert "5 documents" in repr(mixed)

    def test_unchanged_texts_are_skipped(self, mixed: ImageIndex, encoder: CountingPalette) -> None:
        """What is held is not encoded again; other metadata is updated, and another text encoded."""
        encoder.texts.clear()
        report = mixed.add(TEXTS)
        assert (report.skipped, report.written, encoder.texts) == (2, 0, [])
        assert mixed.add(TEXTS[0] | {"shop": "oslo"}).written == 1
        assert encoder.texts == []
        assert mixed.get("t-door")[0].record.metadata["shop"] == "oslo"
        assert mixed.add(TEXTS[0] | {"text": "a blue door"}).written == 1
        assert encoder.texts == ["a blue door"]
        assert ids(mixed.search_text("blue", 1, targets="texts", where="year=2020")) == ["t-door"]
        assert len(mixed) == 5

    def test_a_text_with_the_id_of_a_picture_replaces_it(self, mixed: ImageIndex, store: Store) -> None:
        """An id is of one document, whichever kind was added last; what a kill left doubly is put right."""
        assert mixed.add({"id": "red", "text": "crimson red"}).written == 1
        assert (len(mixed), mixed.stats().texts) == (5, 3)
        assert mixed.get("red")[0].record.kind == "text"
        assert mixed.add(pictures()).written == 1
        assert (len(mixed), mixed.stats().texts) == (5, 2)
        assert mixed.get("red")[0].record.kind == "picture"
        with store.open_other(f"{store.index}_texts").bulk_load():
            store.open_other(f"{store.index}_texts").upsert(list(store.documents(["red"]).values()))
        assert len(mixed) == 6
        assert mixed.add(pictures()).written == 1
        assert (len(mixed), mixed.stats().texts) == (5, 2)

    def test_deletion(self, mixed: ImageIndex) -> None:
        """Texts are removed by id and by filter, as pictures are."""
        assert mixed.delete(["t-door", "green"]) == 2
        assert list(mixed) == ["blue", "red", "t-sky"]
        assert mixed.delete(where="shop=oslo") == 3
        assert len(mixed) == 0
        with pytest.raises(esclip.IndexNotFound, match="is empty"):
            mixed.search_text("red")

    def test_drop(self, mixed: ImageIndex, store: Store) -> None:
        """Dropped with its pictures, an index has no texts when it is filled again."""
        mixed.drop()
        assert store.open_other(f"{store.index}_texts").schema() is None
        assert mixed.add(pictures()).written == 3
        assert ids(mixed.search_text("red", 9)) == ["red", "blue", "green"]


class TextsInDepth(TextsContract):
    """And what does not: on the stores that need no server."""

    def test_targets(self, mixed: ImageIndex) -> None:
        """Either kind can be searched alone."""
        assert ids(mixed.search_text("red", 9, targets="pictures")) == ["red", "blue", "green"]
        assert ids(mixed.search_text("red", 9, targets=["texts"])) == ["t-door", "t-sky"]
        assert ids(mixed.search_text("red", 2, targets=["texts", "pictures"])) == ["red", "t-door"]
        many = mixed.search_many([Query("blue", k=1, targets=t) for t in ("texts", "pictures")])
        assert [ids(hits) for hits in many] == [["t-sky"], ["blue"]]

    def test_an_index_without_texts(self, index: ImageIndex, store: Store) -> None:
        """It answers as before, knows no texts to look in, and has no index beside it."""
        assert ids(index.search_text("red", 9)) == ["red", "blue", "green"]
        with pytest.raises(esclip.ConfigError, match="no texts to look in"):
            index.search_text("red", targets=["texts"])
        assert store.open_other(f"{store.index}_texts").schema() is None
        assert index.stats().texts == 0

    def test_pictures_are_not_changed_by_texts(self, mixed: ImageIndex) -> None:
        """Groups of duplicates, and what pictures score, know nothing of texts."""
        again = {"id": "t-copy", "text": "red"}
        assert mixed.add([again, {"id": "t-other", "text": "red"}]).written == 2
        assert mixed.duplicates() == []
        hits = mixed.search_text("red", 9, collapse=0.9)
        assert ids(hits) == ["red", "t-copy", "blue", "t-door", "green", "t-other", "t-sky"]
        assert not any(hit.duplicates for hit in hits)

    def test_explanations(self, mixed: ImageIndex) -> None:
        """Of a text it is said what the clauses add to its cosine, and its rank among texts."""
        query = Query(Text("red"), Text("blue", 0.5), k=4, explain=True)
        found = {hit.id: hit.explanation for hit in mixed.search(query)}
        for id, kind in (("red", "pictures"), ("t-door", "texts")):
            parts = {detail.part: detail for detail in found[id]}
            assert parts.keys() == {"text: red", "text: blue", kind}
            assert parts["text: red"].score == pytest.approx(1, abs=1e-3)
            assert parts[kind].rank == 1

    def test_listing_of_indexes(self, mixed: ImageIndex, store: Store) -> None:
        """The index of texts is none of its own: it is counted with its pictures."""
        listed = {stats.index: stats for stats in esclip.list_indexes(store)}
        assert (listed[store.index].documents, listed[store.index].texts) == (5, 2)
        assert f"{store.index}_texts" not in listed
        other = esclip.open_index(store.open_other(f"{store.index}_texts"), encoder="palette")
        with pytest.raises(esclip.IndexExists, match=f"holds the texts of '{store.index}'"):
            other.add(pictures())

    def test_texts_alone(self, store: Store) -> None:
        """An index may have texts only, of records without an id, too."""
        index = esclip.open_index(store, encoder="palette")
        assert index.add(iter([TextRecord("a red rose"), TextRecord("blue", metadata={"n": 1})])).written == 2
        assert [hit.description for hit in index.search_text("red", 2)] == ["a red rose", "blue"]
        assert index.search_text("red", 2).matched is None
        assert index.add([TextRecord("a red rose")]).skipped == 1
        assert len(index) == 2

    def test_lost_texts(self, mixed: ImageIndex, store: Store) -> None:
        """Without its index of texts, an index says so; pictures are found, and texts can be added again."""
        store.open_other(f"{store.index}_texts").drop()
        assert len(mixed) == 3
        with pytest.raises(esclip.IndexNotFound, match="has lost its texts"):
            mixed.search_text("red")
        assert ids(mixed.search_text("red", 1, targets="pictures")) == ["red"]
        assert mixed.add(TEXTS).written == 2
        assert ids(mixed.search_text("red", 2)) == ["red", "t-door"]

    def test_an_index_that_has_the_name_of_the_texts(self, index: ImageIndex, store: Store) -> None:
        """Where an index of pictures has that name, texts are refused, and nothing is changed."""
        other = esclip.open_index(store.open_other(f"{store.index}_texts"), encoder="palette")
        other.add(pictures())
        with pytest.raises(esclip.IndexExists, match=f"{store.index}_texts.*where the texts"):
            index.add(TEXTS)
        assert ids(index.search_text("red", 1)) == ["red"]

    def test_parts_and_labels_are_of_pictures(self, index: ImageIndex, encoder: CountingPalette) -> None:
        """Texts get neither, and adding them to an index does not touch its texts."""
        index.add(TEXTS)
        encoder.texts.clear()
        report = index.add([*pictures(), *TEXTS], parts=["crops", "captions"], labels="red,blue")
        assert (report.skipped, report.written) == (2, 3)
        assert "a red door" not in encoder.texts
        assert index.search_text("red", 1, "label=red")[0].id == "red"
        assert ids(index.search_text("red", 2, targets=["crops", "captions", "texts"])) == ["red", "t-door"]
        assert "label" not in index.get("t-door")[0].record.metadata
