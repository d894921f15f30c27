"""The facade, on the in-memory store with the palette encoder: what it finds, and what it refuses."""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lance
import pytest
from PIL import Image

import esclip
from esclip import ImageIndex, Keywords, Query
from esclip._core.types import MetadataValue, Pixels, Vectors
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import axis
from esclip.testing.pictures import PLAIN


@pytest.fixture
def index(photos: Path) -> ImageIndex:
    """An index of a plain picture of each colour."""
    index = esclip.open_index(MemoryStore("colors"), encoder="palette")
    index.ingest(photos)
    return index


def test_a_query_picture_may_be_a_path_bytes_or_an_image(index: ImageIndex, photos: Path) -> None:
    """All ways to give a picture find the same."""
    path = photos / "red.png"
    ways: list[str | Path | bytes | Image.Image] = [str(path), path, path.read_bytes(), Image.open(path)]
    found = [index.search_image(way, 3) for way in ways]
    assert found[0][0].metadata["file_name"] == "red.png"
    assert all(hits == found[0] for hits in found)


def test_a_query_image_is_turned_upright_and_put_on_white(index: ImageIndex) -> None:
    """A PIL image is prepared like a file's: what is transparent counts as white."""
    (hit,) = index.search_image(Image.new("RGBA", (9, 9), (255, 0, 0, 0)), 1)
    assert hit.metadata["file_name"] == "white.png"


def test_similar_leaves_itself_out_and_ranks_from_one(index: ImageIndex) -> None:
    """Neighbours are k others, whatever the order of equals."""
    (red,) = index.search_text("red", 1)
    others = index.similar(red.id, 4)
    assert [hit.rank for hit in others] == [1, 2, 3, 4]
    assert red.id not in [hit.id for hit in others]
    with pytest.raises(esclip.DocumentNotFound, match="nobody"):
        index.similar("nobody")


def test_filters_narrow_the_search(index: ImageIndex) -> None:
    """Only documents that fulfil the filter are found, however far away."""
    hits = index.search_text("red", where={"file_name": "green.png"})
    assert [hit.metadata["file_name"] for hit in hits] == ["green.png"]
    assert len(index.search_text("red", where={"file_name": "no such"})) == 0


def test_words_of_an_older_index_are_brought_up_to_date(photos: Path, tmp_path: Path) -> None:
    """What an older version wrote is found as then; an ingest folds its words, and encodes nothing."""

    class Counting(PaletteEncoder):
        encoded = 0

        def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
            self.encoded += len(batch)
            return super().encode_images(batch)

    (photos / "red.png").rename(photos / "Tromsø.png")
    encoder = Counting()
    index = esclip.open_index(tmp_path / "store", encoder=encoder)
    written = index.ingest(photos).written
    encoded = encoder.encoded
    dataset = lance.dataset(tmp_path / "store" / "image_search.lance")
    older = {"words": "['tromsø', 'png']", "record_fingerprint": "'as an older version had it'"}
    dataset.update(older, where="location LIKE '%Troms%'")

    def found(words: str) -> list[MetadataValue]:
        return [hit.metadata["file_name"] for hit in index.search(Query(Keywords(words)))]

    assert (found("Tromsø"), found("tromso")) == (["Tromsø.png"], [])
    report = index.ingest(photos)
    assert (report.written, report.skipped) == (1, written - 1)
    assert encoder.encoded == encoded
    assert (found("Tromsø"), found("tromso")) == (["Tromsø.png"], ["Tromsø.png"])


@pytest.mark.parametrize("bad", [lambda i: i.search_text(" "), lambda i: i.search_text("red", k=0)])
def test_wrong_calls_are_value_errors(index: ImageIndex, bad: object) -> None:
    """A programming error stays a built-in one."""
    with pytest.raises(ValueError, match=r"empty|k is 0"):
        bad(index)  # type: ignore[operator]


def test_nothing_to_search_is_an_error() -> None:
    """No index, an empty one, and one that was dropped all say how to fill it."""
    index = esclip.open_index(MemoryStore("none"), encoder="palette")
    for search in (lambda: index.search_text("red"), lambda: index.similar("x"), index.stats):
        with pytest.raises(esclip.IndexNotFound, match="fill it by an ingest"):
            search()


class CountingStore(MemoryStore):
    """Counts how often it is asked for all about its index, which costs an engine three requests."""

    asked = 0

    def info(self) -> esclip.IndexInfo | None:
        self.asked += 1
        return super().info()


def test_a_search_asks_only_for_the_schema() -> None:
    """How many documents there are is asked when none was found; an empty index is then an error."""
    store = CountingStore("colors")
    store.ensure_index(esclip.IndexSchema(PaletteEncoder().space))
    index = esclip.open_index(store)
    with pytest.raises(esclip.IndexNotFound, match=r"is empty.*fill it by an ingest"):
        index.search_text("red")
    with pytest.raises(esclip.IndexNotFound, match=r"is empty.*fill it by an ingest"):
        index.similar("x")
    store.upsert([esclip.StoredDocument(esclip.ImageRecord("a", "/a", "/a", "1"), axis(0, dim=12))])
    asked = store.asked
    assert [hit.id for hit in index.search_text("black")] == ["a"]
    assert store.asked == asked


def test_an_index_remembers_its_encoder(photos: Path) -> None:
    """Opened again without naming one, it is searched and filled with the encoder that it was made with."""
    store = MemoryStore("colors")
    esclip.open_index(store, encoder="palette").ingest(photos)
    again = esclip.open_index(store)
    assert again.search_text("blue", 1)[0].metadata["file_name"] == "blue.png"
    assert again.ingest(photos).skipped == len(PLAIN)
    assert (again.stats().encoder, again.stats().dimension) == ("palette", 12)


def test_an_index_remembers_what_computed_its_vectors(photos: Path) -> None:
    """Encoders of one space share an index whatever they run on, and its stats name each runtime."""

    class ElsewherePalette(PaletteEncoder):
        runtime = "palette elsewhere"

    store = MemoryStore("colors")
    esclip.open_index(store, encoder="palette").ingest(photos)
    index = esclip.open_index(store, encoder=ElsewherePalette())
    assert index.ingest(photos).skipped == len(PLAIN)
    assert index.stats().runtimes == ("palette", "palette elsewhere")
    assert index.stats().to_json()["runtimes"] == ("palette", "palette elsewhere")


def test_a_search_sees_fields_that_a_later_ingest_added(index: ImageIndex, tmp_path: Path) -> None:
    """One index takes several sources; their fields can be filtered by at once."""
    folder = tmp_path / "unsplash"
    folder.mkdir()
    (folder / "photos.tsv").write_text(
        "photo_id\tphoto_image_url\tphoto_location_country\nabc\thttps://images.unsplash.com/x\tPeru\n"
    )
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (9, 9), "red").save(images / "abc.jpg")
    index.search_text("red")
    index.ingest(folder, images=images)
    (hit,) = index.search_text("red", where={"country": "Peru"})
    assert hit.id == "abc"


def test_searches_from_many_threads_agree(index: ImageIndex) -> None:
    """The encoder is loaded once and shared; every thread gets the same hits."""
    fresh = esclip.open_index(index._store)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: fresh.search_text("red", 5), range(40)))
    assert all(hits == found[0] for hits in found)


def test_a_picture_that_is_none_is_named(index: ImageIndex, tmp_path: Path) -> None:
    """The error says which picture it was."""
    with pytest.raises(esclip.DecodeError, match="not_an_image"):
        index.search_image(b"<html>")
    with pytest.raises(esclip.FetchError, match="gone"):
        index.search_image(tmp_path / "gone.jpg")
    (tmp_path / "cut.png").write_bytes(_png()[:40])
    with pytest.raises(esclip.DecodeError, match=r"cut\.png"):
        index.search_image(tmp_path / "cut.png")


def _png() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(data, "PNG")
    return data.getvalue()
