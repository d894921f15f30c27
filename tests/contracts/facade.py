"""What the facade does, of an index in this process and of one behind a search service alike."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from PIL import Image

import esclip
from esclip import (
    Client,
    Documents,
    GeoPoint,
    ImageIndex,
    ImageQuery,
    IndexNotFound,
    Keywords,
    Prefix,
    Query,
    SimilarTo,
    Text,
    VectorQuery,
)
from esclip._core.types import unit_rows
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.memory import MemoryStore
from esclip.testing.pictures import PLAIN, draw_photos

__all__ = ["Facade", "FacadeContract", "Serve"]

Facade: TypeAlias = ImageIndex | Client
Serve: TypeAlias = Callable[[ImageIndex], Facade]

AT = datetime(2024, 5, 1, 12, tzinfo=UTC)
RED, DIM = "red.png", PaletteEncoder().space.dim


def ids(documents: Documents) -> list[str]:
    """The documents' ids."""
    return [document.record.id for document in documents]


def names(hits: esclip.Hits) -> list[str]:
    """The colours of the pictures found."""
    return [str(hit.metadata["file_name"]).removesuffix(".png") for hit in hits]


def plain(color: str, side: int = 8) -> Image.Image:
    """A picture of one colour."""
    return Image.new("RGB", (side, side), color)


class FacadeContract:
    """Inherit, and give the fixture `serve`: what makes the facade of an index."""

    @pytest.fixture(scope="class")
    @classmethod
    def photos(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A folder with a plain picture of each colour that `palette` knows."""
        return draw_photos(tmp_path_factory.mktemp("facade") / "photos")

    @pytest.fixture(scope="class")
    @classmethod
    def own(cls, photos: Path) -> Iterator[ImageIndex]:
        """An index of these pictures, in this process."""
        with esclip.open_index(MemoryStore("colors"), encoder="palette") as index:
            index.ingest(photos)
            yield index

    @pytest.fixture(scope="class")
    @classmethod
    def index(cls, own: ImageIndex, serve: Serve) -> Facade:
        """The facade of it."""
        return serve(own)

    @pytest.fixture(scope="class")
    @classmethod
    def own_documents(cls) -> Iterator[ImageIndex]:
        """An index of three pictures with metadata of all kinds, in this process."""
        with esclip.open_index(MemoryStore("documents"), encoder="palette") as index:
            index.add(
                [
                    {"id": "b", "image": plain("blue"), "at": AT, "tags": ["x", "y"]},
                    {"id": "a", "image": plain("red"), "description": "a red one", "n": 2**62},
                    {"id": "ü", "image": plain("green"), "place": GeoPoint(60.0, 10.5), "f": 0.5},
                ]
            )
            yield index

    @pytest.fixture(scope="class")
    @classmethod
    def documents(cls, own_documents: ImageIndex, serve: Serve) -> Facade:
        """The facade of it."""
        return serve(own_documents)

    @pytest.fixture(scope="class")
    @classmethod
    def nothing(cls, serve: Serve) -> Facade:
        """The facade of an index that does not exist."""
        return serve(esclip.open_index(MemoryStore("none"), encoder="palette"))

    @pytest.fixture
    def written(self, serve: Serve) -> Facade:
        """The facade of an index that is written to."""
        return serve(esclip.open_index(MemoryStore("written"), encoder="palette"))

    def test_hits_are_those_of_the_index(self, index: Facade, own: ImageIndex, photos: Path) -> None:
        """Whatever is asked, hits are equal to those in the process, with all that they say."""
        (red,) = own.search_text("red", 1)
        queries: list[Any] = [
            "red",
            Query("red and blue", k=4, offset=2),
            Query(Text("red"), Text("blue", -0.5), k=5, explain=True),
            Query("red", k=5, where="file_name!=red.png & width>=1"),
            Query("red", k=5, where={"file_name": [RED, "blue.png"], "width": 40}),
            Query("red", k=5, where={"file_name": Prefix("b")}),
            Query("red", k=5, where={"modified": own.get(red)[0].record.metadata["modified"]}),
            Query("red", k=5, where=["exists(width)", "file_name!=x"], min_score=0.1),
            Query(where="exists(width)", k=3, sort="-file_name"),
            Query("red", k=4, sort="file_name"),
            Query(Keywords("red"), k=3),
            Query(Text("red"), Keywords("red"), k=3, explain=True),
            Query(SimilarTo(red.id), k=3),
            Query(VectorQuery(own.get(red)[0].vector), k=2),
            Query(ImageQuery(photos / RED), Text("blue", 0.2), k=3, exact=True, collapse=0.9),
        ]
        for query in queries:
            there, here = index.search(query), own.search(query)
            assert there == here
            assert (there.matched, there.note) == (here.matched, here.note)
        assert index.search_many(queries) == own.search_many(queries)
        assert set(index.search("red").took) == {"encode", "store"}

    def test_a_query_picture_may_be_a_path_bytes_or_an_image(self, index: Facade, photos: Path) -> None:
        """All ways to give a picture find the same."""
        path = photos / RED
        ways: list[str | Path | bytes | Image.Image] = [str(path), path, path.read_bytes(), Image.open(path)]
        found = [index.search_image(way, 3) for way in ways]
        assert found[0][0].metadata["file_name"] == RED
        assert all(hits == found[0] for hits in found)

    def test_a_query_image_is_turned_upright_and_put_on_white(self, index: Facade) -> None:
        """A PIL image is prepared like a file's: what is transparent counts as white."""
        (hit,) = index.search_image(Image.new("RGBA", (9, 9), (255, 0, 0, 0)), 1)
        assert hit.metadata["file_name"] == "white.png"

    def test_similar_leaves_itself_out_and_ranks_from_one(self, index: Facade) -> None:
        """Neighbours are k others, whatever the order of equals."""
        (red,) = index.search_text("red", 1)
        others = index.similar(red.id, 4)
        assert [hit.rank for hit in others] == [1, 2, 3, 4]
        assert red.id not in [hit.id for hit in others]
        for nobody in ("nobody", "\ud800", "x" * 600):
            with pytest.raises(esclip.DocumentNotFound, match="no document "):
                index.similar(nobody)
        with pytest.raises(esclip.DocumentNotFound, match="nobody"):
            index.similar("nobody")

    def test_filters_narrow_the_search(self, index: Facade) -> None:
        """Only documents that fulfil the filter are found, however far away; a wrong one is told."""
        hits = index.search_text("red", where={"file_name": "green.png"})
        assert [hit.metadata["file_name"] for hit in hits] == ["green.png"]
        none = index.search_text("red", where={"file_name": "Red.png"})
        assert len(none) == 0
        assert "did you mean file_name=red.png" in str(none.note)
        told = r"^filter file_nam: the index has no such field; did you mean 'file_name'\?$"
        with pytest.raises(esclip.ConfigError, match=told):
            index.search_text("red", where="file_nam=x")

    @pytest.mark.parametrize(
        "bad",
        [
            lambda index: index.search_text(" "),
            lambda index: index.search_text("red", k=0),
            lambda index: index.search(Query(VectorQuery([1.0, 0.0]))),
            lambda index: index.peek(0),
            lambda index: index.duplicates(2),
        ],
    )
    def test_wrong_calls_are_value_errors(self, index: Facade, bad: Callable[[Facade], object]) -> None:
        """A programming error stays a built-in one."""
        with pytest.raises(ValueError, match=r"empty|k is 0|shape|n is 0|threshold is 2"):
            bad(index)

    def test_nothing_to_search_is_an_error(self, nothing: Facade) -> None:
        """An index that is not there says how to fill it; it has no documents and no members."""
        calls: list[Callable[[], object]] = [
            lambda: nothing.search_text("red"),
            lambda: nothing.similar("x"),
            nothing.stats,
            nothing.peek,
            lambda: nothing.get("a"),
            lambda: nothing.get([]),
            lambda: list(nothing.ids()),
        ]
        for call in calls:
            with pytest.raises(IndexNotFound, match="fill it by an ingest"):
                call()
        assert (len(nothing), list(nothing), "a" in nothing, bool(nothing)) == (0, [], False, True)

    def test_searches_from_many_threads_agree(self, index: Facade) -> None:
        """Every thread gets the same hits."""
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: index.search_text("red", 5), range(40)))
        assert all(hits == found[0] for hits in found)

    def test_a_picture_that_is_none_is_named(self, index: Facade, tmp_path: Path) -> None:
        """The error says which picture it was."""
        with pytest.raises(esclip.DecodeError, match="not_an_image"):
            index.search_image(b"<html>")
        with pytest.raises(esclip.FetchError, match="gone"):
            index.search_image(tmp_path / "gone.jpg")
        file = io.BytesIO()
        Image.new("RGB", (40, 40), "red").save(file, "PNG")
        (tmp_path / "cut.png").write_bytes(file.getvalue()[:40])
        with pytest.raises(esclip.DecodeError, match=r"cut\.png"):
            index.search_image(tmp_path / "cut.png")

    def test_parts_are_added_by_weight(self, index: Facade, photos: Path) -> None:
        """Two texts find what shows both, more of the heavier; a weight below zero leads away."""
        both = index.search(Query(Text("red"), Text("blue", 0.5), k=2))
        assert names(both) == ["red", "blue"]
        assert both[0].score > both[1].score > 0.4
        mixed = index.search(Query(ImageQuery(photos / RED, 0.4), Text("green"), k=2))
        assert names(mixed) == ["green", "red"]
        assert names(index.search(Query(Text("red", -1), k=len(PLAIN))))[-1] == "red"

    def test_a_sum_is_a_vector_of_unit_length(self, index: Facade) -> None:
        """Scores are cosines with the direction of the sum, whatever the weights."""
        red, blue = PaletteEncoder().encode_texts(["red", "blue"])
        (direction,) = unit_rows([3 * red - 0.5 * blue])
        hits = index.search(Query(Text("red", 3), Text("blue", -0.5), k=3))
        given = index.search(Query(VectorQuery(direction * 7), k=3))
        assert [hit.id for hit in hits] == [hit.id for hit in given]
        np.testing.assert_allclose([h.score for h in hits], [h.score for h in given], atol=1e-6)

    def test_stored_pictures_are_left_out(self, index: Facade) -> None:
        """What was asked by id is no hit, and k others are found."""
        red, blue, green = (index.search_text(color, k=1)[0].id for color in ("red", "blue", "green"))
        hits = index.search(Query(SimilarTo(red), SimilarTo(blue), SimilarTo(green, -0.2), k=4))
        assert [hit.rank for hit in hits] == [1, 2, 3, 4]
        liked = index.recommend([red, blue], [green], k=3)
        for found in (hits, liked):
            assert {red, blue, green}.isdisjoint(hit.id for hit in found)

    @pytest.mark.parametrize(
        "parts",
        [
            (Text("red"), Text("red", -1)),
            (VectorQuery(np.zeros(DIM)),),
            (VectorQuery(np.full(DIM, np.nan)),),
            (Text("red", 0.0),),
        ],
    )
    def test_what_has_no_direction_is_told(self, index: Facade, parts: tuple[Any, ...]) -> None:
        """Parts that cancel out are an error, not hits of rounding errors."""
        with pytest.raises(esclip.EncoderError, match="no direction"):
            index.search(Query(*parts))

    def test_pages_neither_repeat_nor_skip(self, index: Facade) -> None:
        """Pages laid end to end are the whole list, ranks included; beyond it there is nothing."""
        whole = index.search_text("red and blue", k=len(PLAIN))
        offsets = range(0, len(PLAIN), 3)
        pages = [hit for offset in offsets for hit in index.search_text("red and blue", 3, offset=offset)]
        assert pages == list(whole)
        assert len(index.search_text("red and blue", 3, offset=100)) == 0

    def test_many_queries_find_what_each_finds(self, index: Facade) -> None:
        """A batch finds what its queries find one by one, also more than fit into one request."""
        texts = ["red", "blue", "red", "something green"] * 20
        many = index.search_texts(texts, k=3)
        assert many[:4] == [index.search_text(text, k=3) for text in texts[:4]]
        assert many[4:] == many[:4] * 19
        assert index.search_texts([]) == index.search_many([]) == []

    def test_duplicates_are_grouped(self, written: Facade) -> None:
        """Pictures that show nearly the same, the largest first."""
        for name, side, color in (("small", 8, "red"), ("large", 90, "red"), ("other", 8, "blue")):
            written.add({"id": name, "image": plain(color, side), "width": side, "height": side})
        told: list[int] = []
        (group,) = written.duplicates(0.9, on_progress=told.append)
        assert [hit.id for hit in group.hits] == ["large", "small"]
        assert [hit.rank for hit in group.hits] == [1, 2]
        assert group.lowest == pytest.approx(1, abs=1e-5)
        assert not group.exact
        assert told
        assert written.duplicates(0.9, where={"width": 8}) == []

    def test_stats(self, index: Facade, own: ImageIndex) -> None:
        """Counts, model and fields are those of the index, wherever it is."""
        there, here = index.stats(), own.stats()
        assert here.runtimes
        assert replace(there, store=here.store, access=here.access) == here

    def test_facets(
        self, index: Facade, own: ImageIndex, documents: Facade, own_documents: ImageIndex
    ) -> None:
        """Counts, ranges and their types are those of the index; a field that isn't there is told."""
        assert index.facets() == own.facets()
        some = index.facets(["file_name", "modified"], {"file_name": [RED, "blue.png"]}, limit=1)
        assert some == own.facets(["file_name", "modified"], {"file_name": [RED, "blue.png"]}, limit=1)
        assert (some.documents, some["file_name"].others) == (2, 1)
        assert documents.facets() == own_documents.facets()
        with pytest.raises(esclip.FieldNotFound, match="file_name"):
            index.facets("file_nam")

    def test_documents_come_in_the_order_asked(self, documents: Facade) -> None:
        """As often as they are asked for, by ids or hits; the missing ones are named, each once."""
        got = documents.get(["ü", "gone", "a", "gone", "a", "\ud800", ""])
        assert (ids(got), got.missing) == (["ü", "a", "a"], ("gone", "\ud800", ""))
        assert repr(got) == r"<3 documents: ü, a, a; missing: gone, \ud800, >"
        assert ids(documents.get(documents.search_text("blue", k=1))) == ids(documents.get("b")) == ["b"]
        (document,) = documents.get("a")
        assert (document.record.description, document.record.metadata["n"]) == ("a red one", 2**62)
        assert repr(documents.get([])) == "<0 documents>"

    def test_documents_are_those_of_the_index(self, documents: Facade, own_documents: ImageIndex) -> None:
        """With their vectors and metadata of each type, in tables as in JSON."""
        there, here = documents.peek(), own_documents.peek()
        assert [document.content for document in there] == [document.content for document in here]
        assert [document.record.metadata for document in there] == [d.record.metadata for d in here]
        assert there.to_dicts(vectors=True) == here.to_dicts(vectors=True)
        assert there.to_arrow(vectors=True) == here.to_arrow(vectors=True)

    def test_an_index_is_a_collection_of_ids(self, documents: Facade) -> None:
        """It has a length, members and an order, and is true."""
        assert len(documents) == 3
        assert list(documents) == ["a", "b", "ü"]
        assert list(documents.ids(after="a")) == ["b", "ü"]
        assert ids(documents.peek(2)) == ["a", "b"]
        assert documents.search_text("red", k=1)[0] in documents
        assert "ü" in documents
        for other in ("gone", "", "\ud800", "x" * 600, "\0", None, 3, Path("a"), b"a"):
            assert other not in documents

    def test_records_are_written(self, written: Facade, photos: Path) -> None:
        """Pictures of all kinds, with metadata of their types; the same again changes nothing."""
        records: list[dict[str, Any]] = [
            {"id": "memory", "image": plain("red"), "at": AT, "price": 9.5, "tags": ["x"]},
            {"id": "file", "path": photos / RED},
            {"id": "text", "text": "something green"},
        ]
        first, second = written.add(records), written.add(records)
        assert (first.read, first.written, first.rejected) == (3, 3, 0)
        assert (second.read, second.written, second.skipped) == (3, 0, 3)
        assert (first.index, first.encoder) == ("written", "palette")
        assert list(written) == ["file", "memory", "text"]
        (document,) = written.get("memory")
        assert document.record.metadata["at"] == AT
        assert document.record.metadata["tags"] == ("x",)
        assert [hit.id for hit in written.search_text("red", where="price<10", targets=["pictures"])] == [
            "memory"
        ]
        (text,) = written.search_text("green", targets=["texts"])
        assert (text.kind, text.description) == ("text", "something green")
        assert [hit.kind for hit in written.search_text("green", k=2)] == ["picture", "text"]
        assert (written.stats().documents, written.stats().texts) == (3, 1)

    def test_bad_records_are_rejected_alone(self, written: Facade, tmp_path: Path) -> None:
        """What can't be used is counted and told, and does not keep the others away."""
        rejected: list[esclip.Rejection] = []
        gone, good = tmp_path / "gone.png", plain("red")
        records: list[Any] = [{"id": "a", "image": good}, b"no picture", gone, {"id": "b"}, good]
        report = written.add(records, on_rejection=rejected.append, max_rejection_rate=1.0)
        assert (report.read, report.written, report.rejected) == (5, 2, 3)
        assert {one.reason.value for one in rejected} == {"not_an_image", "file_not_found", "bad_row"}
        assert report.rejections == {one.reason: 1 for one in rejected}
        with pytest.raises(esclip.TooManyRejections) as raised:
            written.add([b"no picture"])
        assert raised.value.report.rejected == 1

    def test_documents_are_deleted(self, written: Facade) -> None:
        """By id, by hit and by filter; ids that aren't there are an error where there is no other."""
        colors = {"a": "red", "b": "blue", "c": "green", "d": "white"}
        written.add({"id": id, "image": plain(color), "n": n} for n, (id, color) in enumerate(colors.items()))
        assert written.delete(["a", "nobody"]) == 1
        assert written.delete(written.search_text("blue", k=1)) == 1
        assert written.delete(where={"n": 2}) == 1
        assert list(written) == ["d"]
        with pytest.raises(esclip.DocumentNotFound, match="nobody"):
            written.delete("nobody")
        with pytest.raises(esclip.ConfigError, match="nothing to delete"):
            written.delete()
