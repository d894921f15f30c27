"""The facade, on the in-memory store with the palette encoder: what it finds, and what it refuses."""

from __future__ import annotations

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
from tests.contracts.facade import FacadeContract, Serve


@pytest.fixture
def index(photos: Path) -> ImageIndex:
    """An index of a plain picture of each colour."""
    index = esclip.open_index(MemoryStore("colors"), encoder="palette")
    index.ingest(photos)
    return index


class TestImageIndex(FacadeContract):
    @pytest.fixture(scope="class")
    @classmethod
    def serve(cls) -> Serve:
        """The index itself."""
        return lambda index: index


def test_a_loaded_encoder_is_shared(index: ImageIndex) -> None:
    """The encoder is loaded once by whichever thread is first; every thread gets the same hits."""
    fresh = esclip.open_index(index.store)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: fresh.search_text("red", 5), range(40)))
    assert all(hits == found[0] for hits in found)


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
