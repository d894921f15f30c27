"""Parts of pictures on the stores that need no server, and what goes wrong while they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import esclip
from esclip import Query, Rejection, Store, StoredDocument, Text
from esclip._core.parts import GRID, caption_id, crops_of, part_ids
from esclip._core.types import Pixels, Vectors
from esclip._errors.reasons import Reason
from esclip._ingest.parts import PartsStore
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import axis
from esclip.testing.store import StoreContract
from tests.contracts.parts import CountingPalette, PartsContract, names, paint
from tests.contracts.stores import OfLance, OfMemory
from tests.refusing_stores import RefusingStore, StoreBeside
from tests.unit import test_memory_store


class FittingEncoder(PaletteEncoder):
    """Texts into whatever space the store has."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        schema = self.store.schema()
        dim = schema.space.dim if schema else 1
        return np.stack([axis(len(text) % dim, dim=dim) for text in texts])


class TestPartedStore(StoreContract):
    """To who has it, a store with parts is any other store."""

    @pytest.fixture
    def store(self) -> PartsStore:
        inner = MemoryStore("pictures")
        return PartsStore(inner, inner.open_other("pictures_parts"), FittingEncoder(inner), ["captions"], 32)

    def inner(self, store: Store) -> MemoryStore:
        """The store of the pictures."""
        assert isinstance(store, PartsStore)
        assert isinstance(store.store, MemoryStore)
        return store.store

    def plant(self, store: Store, documents: Sequence[StoredDocument]) -> None:
        test_memory_store.TestMemoryStore().plant(self.inner(store), documents)

    def peek(self, store: Store, id: str) -> dict[str, Any] | None:
        return test_memory_store.TestMemoryStore().peek(self.inner(store), id)

    def plant_words(self, store: Store, id: str, words: Sequence[str]) -> None:
        test_memory_store.TestMemoryStore().plant_words(self.inner(store), id, words)

    def plant_schema(self, store: Store, schema: Mapping[str, Any]) -> None:
        test_memory_store.TestMemoryStore().plant_schema(self.inner(store), schema)

    def peek_schema(self, store: Store) -> Mapping[str, Any]:
        return test_memory_store.TestMemoryStore().peek_schema(self.inner(store))


class TestPartsInMemory(OfMemory, PartsContract):
    pass


class TestPartsInLance(OfLance, PartsContract):
    pass


class Breaking(MemoryStore):
    """A store that fails at its first write of documents."""

    broken = True

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        if self.broken:
            raise esclip.StoreUnavailable("gone")
        return super().upsert(documents)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, one with a caption."""
    folder = tmp_path / "two"
    folder.mkdir()
    paint(folder / "a.png", "red")
    paint(folder / "b.png", "blue")
    (folder / "a.png.txt").write_text("orange", encoding="utf-8")
    return folder


def test_an_ingest_that_breaks_between_parts_and_pictures(folder: Path) -> None:
    """The next one does all of it again, and nothing is there twice."""
    store = Breaking("pictures")
    index = esclip.open_index(store, encoder="palette")
    with pytest.raises(esclip.StoreUnavailable):
        index.ingest(folder, captions="sidecar", parts=["captions", "crops"])
    store.broken = False
    assert index.ingest(folder, captions="sidecar").written == 2
    info = store.open_other("pictures_parts").info()
    assert info is not None
    assert info.documents == 2 * len(GRID) + 1


def test_parts_of_a_picture_that_never_came(folder: Path) -> None:
    """Left by an ingest that broke, of a picture that has gone since, they are pruned with the others."""
    store = Breaking("pictures")
    index = esclip.open_index(store, encoder="palette")
    with pytest.raises(esclip.StoreUnavailable):
        index.ingest(folder, parts=["crops"])
    store.broken = False
    (folder / "a.png").unlink()
    index.ingest(folder)
    assert names(index.search_text("red", targets=["crops"])) == ["a", "b"]
    assert index.ingest(folder, prune=True).pruned == 1
    assert names(index.search_text("red", targets=["crops"])) == ["b"]
    assert index.ingest(folder, prune=True).pruned == 0


def test_a_part_that_is_refused(folder: Path) -> None:
    """Its picture is rejected, and is written by a retry once the store takes it, with its caption."""
    parts = RefusingStore(
        "pictures_parts", lambda d: d.record.id.endswith("#3") and "a.png" in d.record.location
    )
    store = StoreBeside("pictures", parts)
    index = esclip.open_index(store, encoder="palette")
    report = index.ingest(folder, captions="sidecar", parts=["captions", "crops"], max_rejection_rate=1)
    assert (report.written, report.rejections) == (1, {Reason.WRITE_REJECTED: 1})
    (kept,) = index.rejections()
    assert kept.location.endswith("a.png")
    assert names(index.search_text("red", targets=["captions", "crops"])) == ["b"]
    parts.is_refusing = False
    assert index.retry().written == 1
    assert names(index.search_text("orange", 1, targets=["captions"])) == ["a"]
    assert index.ingest(folder, captions="sidecar").skipped == 2


def test_parts_left_by_an_index_that_is_gone(folder: Path, tmp_path: Path) -> None:
    """A new index of the same name doesn't find them."""
    store = MemoryStore("pictures")
    index = esclip.open_index(store, encoder="palette")
    index.ingest(folder, parts=["crops"])
    store.drop()
    (folder / "b.png").unlink()
    index.ingest(folder, parts=["crops"])
    assert names(index.search_text("blue", targets=["crops"])) == ["a"]


def test_parts_that_were_lost(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An ingest tells how to have them again."""
    store = MemoryStore("pictures")
    index = esclip.open_index(store, encoder="palette")
    index.ingest(folder, parts=["crops"])
    store.open_other("pictures_parts").drop()
    index.ingest(folder)
    assert "lost pictures_parts" in caplog.text


def test_a_crop_without_direction(folder: Path) -> None:
    """It is left out, and its picture has all other parts."""

    class Blind(CountingPalette):
        def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
            vectors = super().encode_images(batch)
            vectors[3] = np.nan
            return vectors

    store = MemoryStore("pictures")
    index = esclip.open_index(store, encoder=Blind())
    assert index.ingest(folder / "a.png", parts=["crops"]).written == 1
    info = store.open_other("pictures_parts").info()
    assert info is not None
    assert info.documents == len(GRID) - 1


def test_batches_stay_small(folder: Path) -> None:
    """Crops count: no more is encoded at once than the batch size says, and a picture's crops."""

    class Watching(CountingPalette):
        largest = 0

        def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
            self.largest = max(self.largest, len(batch))
            return super().encode_images(batch)

    for number in range(6):
        paint(folder / f"{number}.png", "green")
    encoder = Watching()
    esclip.open_index(MemoryStore("p"), encoder=encoder).ingest(folder, parts=["crops"], batch_size=32)
    assert encoder.largest <= 32


def test_captions_are_encoded_by_the_batch_size(folder: Path) -> None:
    """No more captions are encoded at once than the batch size says."""

    class Watching(CountingPalette):
        largest = 0

        def encode_texts(self, texts: Sequence[str]) -> Vectors:
            self.largest = max(self.largest, len(texts))
            return super().encode_texts(texts)

    for number in range(6):
        paint(folder / f"{number}.png", "green")
    captions = {str(file): f"green {file.name}" for file in folder.glob("[0-9].png")}
    encoder, index = Watching(), MemoryStore("p")
    esclip.open_index(index, encoder=encoder).ingest(
        folder, captions=captions, parts=["captions"], batch_size=2
    )
    assert (encoder.largest, len(encoder.texts)) == (2, len(captions))


def test_the_grid() -> None:
    """Crops overlap, lie inside, and cover the picture; of one that is too small there are fewer, or none."""
    assert len(GRID) == len(set(GRID)) == 13
    for left, top, right, bottom in GRID:
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
    assert [crop.size for _, crop in crops_of(Image.new("RGB", (300, 150)))][:5] == [(200, 100)] * 4 + [
        (150, 75)
    ]
    assert [number for number, _ in crops_of(Image.new("RGB", (60, 50)))] == [0, 1, 2, 3]
    assert not list(crops_of(Image.new("RGB", (2000, 40))))


def test_ids_of_parts() -> None:
    """They differ from picture to picture, and are no longer than an engine allows."""
    assert part_ids("a", ("captions", "crops"))[:2] == ["a#caption", "a#0"]
    longest = [caption_id("ü" * 255 + end) for end in "ab"]
    assert len(set(longest)) == 2
    assert all(len(id.encode()) <= 512 for id in longest)


@pytest.mark.parametrize("targets", [(), ("faces",), "faces"])
def test_places_that_are_none(targets: Sequence[str]) -> None:
    """They are a programming error."""
    with pytest.raises(ValueError, match="one or more of pictures, captions, crops"):
        Query(Text("blue"), targets=targets)
    with pytest.raises(ValueError, match="parts is nothing, not one or more"):
        esclip.open_index(MemoryStore("p"), encoder="palette").ingest(".", parts=["nothing"])
