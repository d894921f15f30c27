"""Indexes encoded anew by another model: equal to a fresh ingest, ended and gone on with, refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import esclip
from esclip import (
    CancelToken,
    ConfigError,
    ImageIndex,
    IndexExists,
    IndexMismatch,
    IndexNotFound,
    Space,
    Store,
)
from esclip._core.types import Pixels, Vectors, unit_rows
from esclip._ingest.reencoding import find_target
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.lance.store import LanceStore
from esclip.stores.memory import MemoryStore
from tests.command_line import Esclip
from tests.servers import PictureServer, body
from tests.unit.unsplash_tables import photo, write

COUNT = 30


class TurnedPalette(PaletteEncoder):
    """Another model, with another text tower and more dimensions, which can ask a run to stop."""

    def __init__(self, stop: CancelToken | None = None, after: int = 0) -> None:
        super().__init__()
        self.images, self._stop, self._after = 0, stop, after

    @property
    def space(self) -> Space:
        return replace(super().space, model="turned", text_model="turned", weights="turned", dim=13)

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        self.images += len(batch)
        if self._stop and self.images >= self._after:
            self._stop.request()
        return self._turn(super().encode_images(batch))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self._turn(super().encode_texts(texts))

    def _turn(self, vectors: Vectors) -> Vectors:
        return unit_rows(np.hstack([vectors[:, ::-1], np.full((len(vectors), 1), 0.5)]))


class ThirdPalette(PaletteEncoder):
    """A third model."""

    @property
    def space(self) -> Space:
        return replace(super().space, weights="third")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty pictures, two of the same bytes, some with captions; two texts."""
    folder = tmp_path_factory.mktemp("pictures")
    for n in range(COUNT - 1):
        image = Image.new("RGB", (100 + n, 90), (9 * n % 256, 255 - 5 * n, 40))
        image.paste((0, 0, 255 - 3 * n), (0, 0, 40, 40))
        image.save(folder / f"{n:02}.png")
        if n % 3 == 0:
            (folder / f"{n:02}.txt").write_text(f"a red thing, number {n}", "utf-8")
    (folder / "copy.png").write_bytes((folder / "04.png").read_bytes())
    return folder


@pytest.fixture(params=["memory", "lance"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store of an index called photos."""
    opened = MemoryStore("photos") if request.param == "memory" else LanceStore(tmp_path / "store", "photos")
    yield opened
    opened.close()


OPTIONS: dict[str, Any] = {
    "captions": "sidecar",
    "labels": ["red", "blue"],
    "parts": ["captions", "crops"],
    "max_rejection_rate": 1,
}
TEXTS = [{"id": "t1", "text": "a green field", "shop": "oslo"}, {"id": "t2", "text": "white snow"}]


def fill(index: ImageIndex, pictures: Path) -> ImageIndex:
    """Pictures with captions, labels, crops; texts."""
    index.ingest(pictures, **OPTIONS)
    index.add(TEXTS)
    return index


def open_beside(store: Store, name: str, encoder: PaletteEncoder) -> ImageIndex:
    return esclip.open_index(store.open_other(name), encoder=encoder)


def columns_of(index: ImageIndex) -> dict[str, Any]:
    """All that an index holds, with what is beside it, by id; vectors apart."""
    stores = {"": index.store, "parts": index._stores.parts(), "texts": index._stores.texts()}
    found: dict[str, Any] = {}
    for name, store in stores.items():
        if store.schema() is not None:
            table = pa.concat_tables(store.scan_tables()).sort_by("id")
            vectors = np.stack(table["vector"].to_pylist())
            found[name] = (table.drop_columns(["vector"]).to_pylist(), vectors.round(6).tolist())
    return found


def test_it_equals_a_fresh_ingest(store: Store, pictures: Path) -> None:
    """Ended in the middle and gone on with: every column, of pictures, parts and texts; then skipped."""
    with (
        fill(esclip.open_index(store, encoder="palette"), pictures) as old,
        fill(open_beside(store, "fresh", TurnedPalette()), pictures) as fresh,
    ):
        before, stop = columns_of(old), CancelToken()
        with open_beside(store, "photos-2", TurnedPalette(stop, after=60)) as new:
            first = new.reencode(old, batch_size=28, stop=stop)
            assert first.stopped
            assert 0 < first.written < COUNT
        encoder = TurnedPalette()
        with open_beside(store, "photos-2", encoder) as new:
            assert new.reencode(old, dry_run=True).dry_run is not None
            second = new.reencode(old)
            assert (second.read, second.rejected, second.skipped) == (COUNT + 2, 0, first.written)
            assert second.read == second.skipped + second.written + second.rejected
            assert columns_of(new) == columns_of(fresh)
            assert columns_of(old) == before
            encoded = encoder.images
            assert new.reencode(old).skipped == COUNT + 2
            assert new.ingest(pictures, **OPTIONS).skipped == COUNT
            assert new.add(TEXTS).skipped == 2
            assert encoder.images == encoded
            schema, made = new.store.schema(), fresh.store.schema()
            assert schema
            assert made
            assert replace(schema, reencoded_from="", calibration=None) == replace(made, calibration=None)
            assert schema.reencoded_from == "photos"


def test_it_is_kept_up(store: Store, tmp_path: Path) -> None:
    """What the old index got, changed and lost since; a file that has changed since is rejected."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for n, color in enumerate(("red", "green", "blue", "white")):
        Image.new("RGB", (16, 16), color).save(folder / f"{n}.png")
    encoder = TurnedPalette()
    with (
        esclip.open_index(store, encoder="palette") as old,
        open_beside(store, "photos-2", encoder) as new,
    ):
        old.ingest(folder)
        assert new.reencode(old, limit=3).written == 3
        assert new.reencode(old).written == 1
        Image.new("RGB", (16, 16), "pink").save(folder / "4.png")
        old.ingest(folder, captions={str(folder / "1.png"): "a green square"})
        old.delete(paths=folder / "0.png")
        Image.new("RGB", (17, 17), "brown").save(folder / "2.png")
        (folder / "3.png").unlink()
        encoded = encoder.images
        report = new.reencode(old, keep_deleted=True)
        assert (report.read, report.written, report.skipped, report.pruned) == (4, 2, 2, None)
        assert encoder.images == encoded + 1
        report = new.reencode(old)
        assert (report.written, report.pruned) == (0, 1)
        assert sorted(new.ids()) == sorted(old.ids())
        assert [hit.description for hit in new.search_text("green", k=1)] == ["a green square"]
    with open_beside(store, "photos-3", ThirdPalette()) as third:
        report = third.reencode(old_index := esclip.open_index(store, encoder="palette"))
        assert {reason.value: n for reason, n in report.rejections.items()} == {
            "changed_file": 1,
            "file_not_found": 1,
        }
        assert len([*third.rejections()]) == 2
        assert third.retry().rejected == 2  # also by itself, a file that has changed isn't taken
        old_index.ingest(folder)
        assert third.reencode(old_index).rejections.keys() == {esclip.Reason.FILE_NOT_FOUND}
        old_index.ingest(folder, prune=True)
        assert third.reencode(old_index).rejected == 0
        assert [*third.rejections()] == []


def test_pictures_that_nobody_has(store: Store, tmp_path: Path) -> None:
    """Those of a program's memory, of a location that is none, of a host that isn't asked."""
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (8, 8), "red").save(images / "web.jpg")
    red = Image.new("RGB", (8, 8), "red")
    with (
        esclip.open_index(store, encoder="palette") as old,
        open_beside(store, "photos-2", TurnedPalette()) as new,
    ):
        old.add({"id": "memory", "image": red})
        old.add({"id": "shelf", "image": red, "location": "shelf 3"})
        old.add({"id": "web", "image": red, "location": "https://example.invalid/web.jpg"})
        old.add({"id": "../images/web", "image": red, "location": "https://example.invalid/up.jpg"})
        report = new.reencode(old, max_rejection_rate=1, images=images)
        assert (report.read, report.written, report.rejected) == (4, 1, 3)
        assert {r.id: r.reason.value for r in new.rejections()} == {
            "memory": "file_not_found",
            "shelf": "bad_url",
            "../images/web": "bad_url",
        }


def test_photos_of_the_dataset_come_from_the_cache(tmp_path: Path) -> None:
    """They were fetched in a smaller size, by another URL than their location: nothing is fetched again."""
    colors = {"a": "red", "b": "green", "c": "blue"}
    data: dict[str, bytes] = {}
    for id, color in colors.items():
        Image.new("RGB", (30, 20), color).save(tmp_path / f"{id}.png")
        data[f"/{id}"] = (tmp_path / f"{id}.png").read_bytes()
    (folder := tmp_path / "dataset").mkdir()
    store, encoder = MemoryStore("photos"), TurnedPalette()
    with PictureServer({path: body(one) for path, one in data.items()}) as server:
        rows = [
            photo(
                id,
                photo_image_url=server.url(f"/{id}"),
                photo_url=f"https://unsplash.com/photos/{id}",
                photo_width="3000",
                photo_height="2000",
            )
            for id in colors
        ]
        write(folder / "photos.tsv000", rows)
        options: dict[str, Any] = {"allow_hosts": [server.host], "cache": tmp_path / "cache"}
        with esclip.open_index(store, encoder="palette") as old:
            assert old.ingest(folder, **options).written == 3
            fetched = sum(server.requests.values())
            with open_beside(store, "photos-2", encoder) as new:
                assert new.reencode(old, **options).written == 3
                assert sum(server.requests.values()) == fetched
                assert new.ingest(folder, **options).skipped == 3


def test_an_index_names_no_file_of_others(store: Store, tmp_path: Path) -> None:
    """A file is encoded where the index knows its bytes, or where it is trusted: it may name any."""
    secret, encoder = tmp_path / "secret.png", TurnedPalette()
    Image.new("RGB", (8, 8), "red").save(secret)
    with (
        esclip.open_index(store, encoder="palette") as old,
        open_beside(store, "photos-2", encoder) as new,
    ):
        old.add({"id": "s", "path": secret})
        (document,) = store.documents(["s"]).values()
        store.upsert([replace(document, content="")])
        report = new.reencode(old, max_rejection_rate=1)
        assert (report.rejected, encoder.images) == (1, 0)
        assert new.retry().rejected == 1
        assert new.reencode(old, dry_run=True, max_rejection_rate=1).rejected == 1
        assert new.reencode(old, trust=True).written == 1


def test_documents_that_nothing_is_known_of_keep_their_fingerprints(store: Store) -> None:
    """Of a source with facts of its own, or of an older version: the new index has them as the old one."""
    with (
        esclip.open_index(store, encoder="palette") as old,
        open_beside(store, "photos-2", TurnedPalette()) as new,
    ):
        old.add([{"id": "t", "text": "red"}])
        texts = old._stores.texts()
        (document,) = texts.documents(["t"]).values()
        known = esclip.Fingerprint("pixels of old", "record of old")
        texts.upsert([replace(document, record=replace(document.record, stored_as=known))])
        assert new.reencode(old).written == 1
        assert new._stores.texts().fingerprints(["t"]) == {"t": known}
        assert new.reencode(old).skipped == 1


def test_what_is_refused(store: Store, pictures: Path) -> None:
    """The same model, the same index, one of something else, of a third model, in use, missing, several."""
    with esclip.open_index(store, encoder="palette") as old:
        with open_beside(store, "photos-2", TurnedPalette()) as new:
            with pytest.raises(IndexNotFound, match="'photos' does not exist"):
                new.reencode(old)
            old.ingest([*pictures.glob("0*.png")])
            with pytest.raises(ConfigError, match="an open index"):
                new.reencode(store)  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="rate goes with dry_run"):
                new.reencode(old, rate=1)
            new.reencode(old, limit=2)
            with pytest.raises(ConfigError, match="into itself"):
                old.reencode(old)
            with open_beside(store, "photos-2", ThirdPalette()) as third, pytest.raises(IndexMismatch):
                third.reencode(old)
            store.open_other("current").point_alias("photos-2")
            with pytest.raises(IndexExists, match="in use: 'current' points to it"):
                new.reencode(old)
            with esclip.open_index(store.open_other("current")) as alias:
                assert find_target(alias.store, ThirdPalette().space) == "photos-3"
        with open_beside(store, "same", PaletteEncoder()) as same:
            with pytest.raises(ConfigError, match="nothing to encode anew"):
                same.reencode(old)
            assert same.store.schema() is None
        with open_beside(store, "other", TurnedPalette()) as other:
            other.ingest([*pictures.glob("1*.png")])
            with pytest.raises(IndexExists, match="not made of the documents of 'photos'"):
                other.reencode(old)


def test_names_of_new_indexes(store: Store, pictures: Path) -> None:
    """The one that was begun with the model, else the next free number."""
    turned = TurnedPalette().space
    with esclip.open_index(store, encoder="palette") as old:
        with pytest.raises(IndexNotFound):
            find_target(store, turned)
        old.ingest([*pictures.glob("0*.png")])
        assert find_target(store, turned) == "photos-2"
        with open_beside(store, "photos-2", TurnedPalette()) as new:
            new.reencode(old, limit=2)
        assert find_target(store, turned) == "photos-2"
        assert find_target(store, ThirdPalette().space) == "photos-3"
        with open_beside(store, "photos-3", ThirdPalette()) as new:
            new.ingest([*pictures.glob("0*.png")])
        assert find_target(store, ThirdPalette().space) == "photos-4"
        assert find_target(store.open_other("photos-2"), ThirdPalette().space) == "photos-4"


def test_the_command(quick_esclip: Esclip, pictures: Path, tmp_path: Path) -> None:
    """What it refuses before a model is loaded."""
    where = ("--store", tmp_path / "store", "--index", "photos")
    assert "--encoder" in quick_esclip("reencode", *where, status=2).err
    missing = quick_esclip("reencode", *where, "--encoder", "palette", status=1).err
    assert "'photos' does not exist" in missing
    quick_esclip("ingest", pictures, *where, "--encoder", "palette")
    same = quick_esclip("reencode", *where, "--encoder", "palette", status=1).err
    assert "has the vectors of palette already" in same
    wrong = quick_esclip("reencode", *where, "--encoder", "palette", "--to", "A B", status=1).err
    assert "can't be used" in wrong
    idle = quick_esclip("reencode", *where, "--encoder", "palette", "--rate", "3", status=2).err
    assert "--rate goes with --dry-run" in idle
    dry = quick_esclip(
        "reencode", *where, "--encoder", "clip-ViT-B-16", "--dry-run", "--json", ESCLIP_INDEX="x"
    ).json
    assert (dry["index"], dry["read"]) == ("photos-2", COUNT)


def test_the_life_of_a_name(store: Store, tmp_path: Path) -> None:
    """Three models: what was begun is found after a switch; what was left is brought up to date again."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    encoders = {"photos-2": TurnedPalette(), "photos-3": ThirdPalette()}
    named: dict[str, Any] = {
        "store": store if isinstance(store, MemoryStore) else store.address,
        "index": "photos",
    }

    def opened(name: str) -> ImageIndex:
        return open_beside(store, name, encoders.get(name, PaletteEncoder()))

    def ingest(name: str, color: str) -> None:
        Image.new("RGB", (9, 9), color).save(folder / f"{color}.png")
        with opened(name) as index:
            assert index.ingest(folder, parts=["crops"]).written == 1

    def reencode(name: str, to: str) -> int:
        with opened(name) as old, opened(to) as new:
            assert find_target(old.store, new.load_encoder().space) == to
            return new.reencode(old).written

    ingest("photos", "red")
    assert reencode("photos", "photos-2") == 1
    with opened("photos-2") as new, opened("photos") as old, pytest.raises(IndexExists, match="not made of"):
        old.reencode(new)  # searches use it, by its own name
    assert esclip.switch_index("photos-2", **named).previous == "photos-1"
    with opened("photos-1") as old:
        assert find_target(old.store, TurnedPalette().space) == "photos-2"
        with opened("photos-2") as new, pytest.raises(IndexExists, match="'photos' points to it"):
            new.reencode(old)
    ingest("photos-2", "green")
    assert reencode("photos-2", "photos-3") == 2
    with pytest.raises(ConfigError, match="1 document fewer"):
        esclip.switch_index("photos-1", **named)
    assert reencode("photos-2", "photos-1") == 1
    assert esclip.switch_index("photos-1", **named).changed
    ingest("photos-1", "blue")
    assert reencode("photos-1", "photos-3") == 1
    assert esclip.switch_index("photos-3", **named).previous == "photos-1"
    with opened("photos-1") as old:
        old.drop()
    assert reencode("photos-3", "photos-2") == 1
    with opened("photos-3") as one, pytest.raises(ConfigError, match="nothing to encode anew"):
        open_beside(store, find_target(one.store, ThirdPalette().space), ThirdPalette()).reencode(one)
