"""Crops where a detector finds something, in the place of the grid's: cut, searched, kept, and made anew."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import esclip
from esclip import ConfigError, EncoderError, ImageIndex, Reason
from esclip._core.outcomes import Result
from esclip._core.parts import GRID
from esclip._core.schema import Space
from esclip._core.types import Box
from esclip._ingest.detection import MAX_BOXES, open_detector
from esclip._search.retriever import Retriever
from esclip.encoders.palette import PaletteEncoder


class OtherPalette(PaletteEncoder):
    """Another model, with the same vectors."""

    @property
    def space(self) -> Space:
        return replace(super().space, weights="other")


class Spotter:
    """Finds the pixels that aren't white, as one box, and remembers what it was shown."""

    def __init__(self, name: str = "spotter", fails: bool = False) -> None:
        self.name, self.fails = name, fails
        self.seen = 0

    def __call__(self, picture: Any) -> Any:
        if self.fails:
            raise ValueError("no\nidea")
        self.seen += 1
        rows, columns = np.nonzero((picture < 128).any(axis=2))
        yield columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two white pictures, with a blue and a red square each in a corner."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, at in (("blue", (20, 30)), ("red", (150, 100))):
        picture = Image.new("RGB", (200, 160), "white")
        picture.paste(name, (*at, at[0] + 40, at[1] + 40))
        picture.save(folder / f"{name}.png")
    return folder


BLUE = Box(0.1, 0.1875, 0.3, 0.4375)


def best(index: ImageIndex, color: str) -> tuple[str, Box | None]:
    hit = index.search_text(color, targets=["crops"], k=1)[0]
    return Path(hit.location).stem, hit.box


def crops(index: ImageIndex) -> int | None:
    info = index._stores.parts().info()
    return info.documents if info else None


def test_crops_are_found_kept_and_made_anew_by_another_detector(index: ImageIndex, folder: Path) -> None:
    """A hit has the box; ingests without a detector keep the crops, also where other things have changed."""
    spotter = Spotter()
    index.ingest(folder, detector=spotter, parts=["crops"])
    assert (best(index, "blue"), best(index, "red")[0]) == (("blue", BLUE), "red")
    assert (spotter.seen, crops(index)) == (2, 2)
    for options in ({"detector": spotter}, {}):
        assert index.ingest(folder, **options).skipped == 2  # type: ignore[arg-type]
    results: list[Result] = []
    told = {"captions": {str(folder / "blue.png"): "mine"}}
    index.ingest(folder, **told, on_outcome=lambda outcome: results.append(outcome.result))  # type: ignore[arg-type]
    assert sorted(result.value for result in results) == ["unchanged", "updated"]
    assert best(index, "blue") == ("blue", BLUE)

    other = Spotter("other")
    assert index.ingest(folder, detector=other).written == 2
    assert (spotter.seen, other.seen, crops(index)) == (2, 2, 2)
    assert index.ingest(folder, detector="").written == 2
    assert (best(index, "blue")[1] in GRID, crops(index)) == (True, 2 * len(GRID))
    assert index.ingest(folder, detector=spotter).written == 2
    assert (best(index, "blue"), crops(index)) == (("blue", BLUE), 2)


def test_a_new_picture_gets_the_crops_of_the_grid_without_a_detector(
    memory: ImageIndex, folder: Path
) -> None:
    """A copy of a picture shares the crops that its own ingest wants, and none of the others."""
    memory.ingest(folder, detector=Spotter(), parts=["crops"])
    (folder / "copy.png").write_bytes((folder / "blue.png").read_bytes())
    memory.ingest(folder)
    assert crops(memory) == 2 + len(GRID)
    assert memory.ingest(folder, detector=Spotter()).written == 1
    assert crops(memory) == 3
    memory.delete([document.record.id for document in memory.peek(3)])
    assert crops(memory) == 0


def test_the_vector_of_a_hit_is_that_of_its_own_crop(memory: ImageIndex, folder: Path) -> None:
    """By which hits that are like one another are collapsed: its cosine with the query is the score."""
    memory.ingest(folder, detector=Spotter(), parts=["crops"])
    hits = memory.search_text("blue", targets=["crops"])
    vectors = Retriever(memory._stores.pictures, memory._stores.parts).vectors_of(list(hits), ("crops",))
    (query,) = PaletteEncoder().encode_texts(["blue"])
    assert [float(vectors[hit.id] @ query) for hit in hits] == [pytest.approx(hit.score) for hit in hits]


def test_a_picture_at_which_the_detector_fails(memory: ImageIndex, folder: Path) -> None:
    """It is rejected; a retry takes the crops of the grid, and the next ingest those of the detector."""
    options: dict[str, Any] = {"parts": ["crops"], "max_rejection_rate": 1.0}
    report = memory.ingest(folder, detector=Spotter(fails=True), **options)
    assert report.rejections == {Reason.DETECTION_FAILED: 2}
    assert {entry.detail for entry in memory.rejections()} == {"spotter: ValueError: no idea"}
    assert memory.ingest(folder, detector=Spotter()).written == 2
    assert crops(memory) == 2


WHOLE = (0, 0, 40, 20)
FOUND: dict[str, tuple[Any, list[Box]]] = {
    "nothing": ([], []),
    "beyond the picture": ([(-5, -5, 20, 99)], [Box(0, 0, 0.5, 1)]),
    "no area": ([(5, 5, 5, 9), (9, 5, 5, 9), (50, 0, 60, 9)], []),
    "no numbers": ([(math.nan, 0, 1, 1), (0, 0, math.inf, 9)], []),
    "twice": ([WHOLE, WHOLE], [Box(0, 0, 1, 1)]),
    "an array": (np.array([WHOLE], np.float32), [Box(0, 0, 1, 1)]),
    "many": ([(n, 0, 40, 20) for n in range(30)], [Box(n / 40, 0, 1, 1) for n in range(MAX_BOXES)]),
}


@pytest.mark.parametrize("name", FOUND)
def test_boxes(name: str) -> None:
    """They are within the picture, with an area, each once, and no more than the grid has."""
    given, boxes = FOUND[name]
    detector = open_detector(lambda picture: given, 0.5)
    assert detector
    assert detector.boxes(np.zeros((20, 40, 3), np.uint8)) == boxes


@pytest.mark.parametrize("given", [None, 5, [1, 2, 3, 4], [(1, 2, 3)], ["abcd"], [{"box": WHOLE}]])
def test_what_are_no_boxes(memory: ImageIndex, folder: Path, given: Any) -> None:
    """Ends the run, with an error that says what boxes are."""
    with pytest.raises(ConfigError, match="left, top, right and bottom"):
        memory.ingest(folder, detector=lambda picture: given, parts=["crops"])


def test_what_is_no_detector(memory: ImageIndex, folder: Path) -> None:
    """Another value, a model that isn't there, and a detector for an index without crops are errors."""
    with pytest.raises(ConfigError, match="function"):
        memory.ingest(folder, detector=5, parts=["crops"])  # type: ignore[arg-type]
    with pytest.raises(EncoderError, match="object-detection"):
        memory.ingest(folder, detector="./nothing", parts=["crops"])
    with pytest.raises(ConfigError, match="crops"):
        memory.ingest(folder, detector=Spotter())


def test_another_model_takes_captions_over_and_makes_crops_of_the_grid(
    memory: ImageIndex, folder: Path
) -> None:
    """Encoded anew, a machine's captions stay a machine's; the detector, given again, has its crops made."""

    def namer(pictures: Any) -> list[str]:
        return ["a thing"] * len(pictures)

    memory.ingest(folder, detector=Spotter(), captioner=namer, parts=["crops"])
    with esclip.open_index(memory._stores.pictures.open_other("y"), encoder=OtherPalette()) as other:
        assert other.reencode(memory).written == 2
        assert crops(other) == 2 * len(GRID)
        stored = other._stores.pictures.fingerprints([document.record.id for document in other.peek(2)])
        assert all(one.has_machine_caption for one in stored.values())
        assert {document.record.all_metadata["caption_by"] for document in other.peek(2)} == {"namer"}
        assert other.reencode(memory).skipped == 2
