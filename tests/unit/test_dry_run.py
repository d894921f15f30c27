"""Dry runs of an ingest: the numbers are those of the ingest that follows, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import esclip
from esclip import CancelToken, ImageIndex, IngestReport, RecordOutcome
from esclip._core.dry_run import DryRun
from esclip._core.outcomes import Result
from esclip._core.types import Pixels, Vectors
from esclip.stores.memory import MemoryStore
from tests.servers import PictureServer, body
from tests.unit.test_ingest import CountingEncoder
from tests.unit.unsplash_tables import photo, write

COUNTS = ("read", "skipped", "written", "rejected", "rejections", "pruned", "unpruned", "passed_over")


class Rehearsal:
    """An index in which each ingest is first run dry, and the numbers of both are compared."""

    def __init__(self) -> None:
        self.encoder = CountingEncoder()
        self.index: ImageIndex = esclip.open_index(MemoryStore("i"), encoder=self.encoder)

    def ingest(self, *paths: Path, rate: float | None = None, **options: Any) -> DryRun:
        """Run dry, then ingest; returns what the dry run said beside the counts of both."""
        before, encoded = self._state(), self.encoder.images
        outlook, foreseen = self._run(*paths, dry_run=True, rate=rate, **options)
        assert (self._state(), self.encoder.images) == (before, encoded), "a dry run has done something"
        report, outcomes = self._run(*paths, **options)
        assert {name: getattr(outlook, name) for name in COUNTS} == {
            name: getattr(report, name) for name in COUNTS
        }
        assert foreseen == outcomes
        assert report.dry_run is None
        said = outlook.dry_run
        assert said is not None
        assert said.new + said.changed + said.updated == report.written
        assert said.updated == sum(n for (_, result), n in outcomes.items() if result is Result.UPDATED)
        return said

    def _state(self) -> object:
        with_texts = [self.index.store, self.index._stores.texts()]
        stored = [store._documents for store in with_texts if isinstance(store, MemoryStore)]
        ids = [{id: document.record.fingerprint for id, document in one.items()} for one in stored]
        return ids, [store.schema() for store in with_texts], self.index._stores.ledger.counts()

    def _run(self, *paths: Path, **options: Any) -> tuple[IngestReport, Counter[tuple[str, Result]]]:
        outcomes: list[RecordOutcome] = []
        report = self.index.ingest(*paths, on_outcome=outcomes.append, max_rejection_rate=1, **options)
        return report, Counter((one.id, one.result) for one in outcomes)


class StoppingEncoder(CountingEncoder):
    """An encoder that asks its run to stop when it has encoded eight pictures."""

    def __init__(self, stop: CancelToken) -> None:
        super().__init__()
        self._stop = stop

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        vectors = super().encode_images(batch)
        if self.images >= 8:
            self._stop.request()
        return vectors


@pytest.fixture
def rehearsal() -> Rehearsal:
    """An empty index."""
    return Rehearsal()


def draw(path: Path, color: str, size: int = 32) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), color).save(path)
    return path


def test_a_folder_through_its_life(tmp_path: Path, rehearsal: Rehearsal) -> None:
    """New, copied, broken, touched, changed, gone: each time the ingest does what the dry run has said."""
    folder = tmp_path / "photos"
    for color in ("red", "green", "blue", "white"):
        draw(folder / f"{color}.png", color)
    shutil.copy(folder / "red.png", folder / "copy.png")
    (folder / "page.jpg").write_text("<html>")
    Image.effect_noise((200, 200), 50).save(folder / "half.jpg")
    os.truncate(folder / "half.jpg", 4000)
    (folder / "a.cr2").write_text("raw")
    (folder / "note.txt").write_text("a red door")
    first = rehearsal.ingest(folder)
    assert first == DryRun(new=5, changed=0, updated=0, encoded=4, copied=1, fetched=0)
    assert rehearsal.encoder.images == first.encoded

    os.utime(folder / "blue.png", (1, 1))
    draw(folder / "red.png", "red", size=48)
    (folder / "green.png").unlink()
    again = rehearsal.ingest(folder, prune=True, texts=True, rate=2)
    assert again == DryRun(new=1, changed=2, updated=0, encoded=2, copied=1, fetched=0, hours=2 / 2 / 3600)
    captions = {"red.png": "the red one"}
    assert rehearsal.ingest(folder, captions={str(folder / n): t for n, t in captions.items()}).updated == 1
    labelled = rehearsal.ingest(folder, labels="red, blue", parts=["crops"])
    assert (labelled.changed, labelled.encoded) == (4, 4)
    assert rehearsal.ingest(folder, labels="red, green").updated == 4
    shutil.rmtree(folder)
    folder.mkdir()
    rehearsal.ingest(folder, prune=True)
    rehearsal.ingest(folder, prune=True, confirm=lambda path, documents: True)


def test_a_dataset_with_its_pictures_on_disk(tmp_path: Path, rehearsal: Rehearsal) -> None:
    """Broken rows, repeated ids and missing files are rejected in both; new metadata is an update."""
    rows = [photo(id, photo_description=id) for id in ("a", "b", "c", "b", "gone")]
    table = write(tmp_path / "photos.tsv000", rows)
    with table.open("a") as file:
        file.write("x\ty\tz\tzz\n\t\t\n")
    for id, color in (("a", "red"), ("b", "red"), ("c", "blue")):
        draw(tmp_path / "images" / f"{id}.jpg", color)
    first = rehearsal.ingest(tmp_path, images=tmp_path / "images")
    assert first == DryRun(new=3, changed=0, updated=0, encoded=2, copied=1, fetched=0)
    write(table, [photo("a", photo_description="another"), photo("c", photo_description="c")])
    assert rehearsal.ingest(tmp_path, images=tmp_path / "images", prune=True).updated == 1


def test_nothing_is_fetched(tmp_path: Path, rehearsal: Rehearsal) -> None:
    """Pictures of the web are counted, and no server is asked for them; those in the cache are read."""
    image = draw(tmp_path / "red.png", "red").read_bytes()
    with PictureServer({f"/{id}": body(image) for id in "abc"}) as server:
        rows = [photo(id, photo_image_url=server.url(f"/{id}")) for id in "abc"]
        write(tmp_path / "photos.tsv000", [*rows, photo("d", photo_image_url="https://example.org/d")])
        options: dict[str, Any] = {"allow_hosts": [server.host], "cache": tmp_path / "cache"}
        said = rehearsal.index.ingest(tmp_path, dry_run=True, picture_bytes=1000, **options)
        assert not server.requests
        assert said.dry_run == DryRun(3, 0, 0, encoded=3, copied=0, fetched=3, fetched_bytes=3000)
        assert {reason.value: n for reason, n in said.rejections.items()} == {"bad_url": 1}
        rehearsal.index.ingest(tmp_path, **options)
        assert Rehearsal().ingest(tmp_path, **options) == DryRun(3, 0, 0, encoded=1, copied=2, fetched=0)


def test_an_interrupted_ingest_goes_on(tmp_path: Path, rehearsal: Rehearsal) -> None:
    """After an ingest that was stopped on the way, the dry run says what is left."""
    for n in range(40):
        draw(tmp_path / f"{n}.png", f"rgb({6 * n}, 0, {n})")
    stop = CancelToken()
    store = rehearsal.index.store
    with esclip.open_index(store, encoder=StoppingEncoder(stop)) as index:
        index.ingest(tmp_path, stop=stop, batch_size=4)
    assert 0 < rehearsal.ingest(tmp_path).new < 40


def test_a_dry_run_can_be_stopped(tmp_path: Path, rehearsal: Rehearsal) -> None:
    """Its report says that it was."""
    draw(tmp_path / "red.png", "red")
    stop = CancelToken()
    stop.request()
    report = rehearsal.index.ingest(tmp_path, dry_run=True, stop=stop)
    assert (report.stopped, report.read) == (True, 0)


def test_options_of_a_dry_run_alone(tmp_path: Path, rehearsal: Rehearsal) -> None:
    """A rate without a dry run is an error, and so is a dry run of other methods."""
    with pytest.raises(ValueError, match="rate goes with dry_run"):
        rehearsal.index.ingest(draw(tmp_path / "red.png", "red"), rate=10)
    with pytest.raises(TypeError, match="dry_run"):
        rehearsal.index.add([], dry_run=True)  # type: ignore[call-arg]
