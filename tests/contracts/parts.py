"""What every store does with parts of pictures: made by ingests, kept in step, looked at by searches.

Through the facade, with the palette encoder: a picture whose corner is blue, and others with blue all over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

import esclip
from esclip import Box, ImageIndex, Query, Store, Text
from esclip._core.parts import GRID
from esclip._core.types import Pixels, Vectors
from esclip.encoders.palette import PaletteEncoder
from tests.contracts.stores import OfAnyStore

__all__ = ["CountingPalette", "PartsContract", "names", "paint"]

SIDE = 128


class CountingPalette(PaletteEncoder):
    """The palette encoder, counting what it encodes."""

    def __init__(self) -> None:
        self.images = 0
        self.texts: list[str] = []

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        self.images += len(batch)
        return super().encode_images(batch)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        return super().encode_texts(texts)


def paint(file: Path, ground: str, *spots: tuple[str, tuple[int, int, int, int]], side: int = SIDE) -> None:
    """A square picture with spots at (left, top, right, bottom)."""
    picture = Image.new("RGB", (side, side), ground)
    for color, box in spots:
        picture.paste(color, box)
    picture.save(file)


def names(hits: Sequence[esclip.Hit]) -> list[str]:
    """The hits' file names without suffix."""
    return [str(hit.metadata["file_name"]).split(".")[0] for hit in hits]


def stripes(color: str, of_ten: int) -> list[tuple[str, tuple[int, int, int, int]]]:
    """Lines that cover so many tenths of a picture, and of each of its parts about as much."""
    return [(color, (0, y, SIDE, y + 1)) for y in range(SIDE) if y % 10 < of_ten]


class PartsContract(OfAnyStore):
    @pytest.fixture
    def encoder(self) -> CountingPalette:
        """What encodes."""
        return CountingPalette()

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Pictures: one with a blue corner, one with blue stripes, one without any blue; one is described."""
        folder = tmp_path / "pictures"
        folder.mkdir()
        paint(folder / "corner.png", "red", ("blue", (SIDE // 2, SIDE // 2, SIDE, SIDE)))
        paint(folder / "stripes.png", "white", *stripes("blue", 5))
        paint(folder / "plain.png", "yellow")
        (folder / "plain.txt").write_text("nothing blue in here", encoding="utf-8")
        return folder

    @pytest.fixture
    def index(self, store: Store, encoder: CountingPalette) -> ImageIndex:
        """The index, with nothing in it."""
        return esclip.open_index(store, encoder=encoder)

    @pytest.fixture
    def filled(self, index: ImageIndex, folder: Path) -> ImageIndex:
        """The index with all parts of the pictures."""
        report = index.ingest(folder, captions="sidecar", parts=("captions", "crops"))
        assert (report.written, report.rejected) == (3, 0)
        return index

    def test_a_crop_is_found_with_its_box(self, filled: ImageIndex) -> None:
        """What fills a corner is found by the crop that shows it, though the picture as a whole isn't."""
        assert names(filled.search_text("blue", 3)) == ["stripes", "corner", "plain"]
        best, *others = filled.search_text("blue", 3, targets=("crops",))
        assert names([best, *others]) == ["corner", "stripes", "plain"]
        assert best.box == Box(0.5, 0.5, 1.0, 1.0)
        assert best.score == pytest.approx(1, abs=1e-3)
        assert set(best.metadata) == {
            *("file_name", "folder", "folders", "file_size", "modified"),
            *("width", "height", "orientation", "color", "format"),
        }
        assert best.location.endswith("corner.png")
        assert best.to_json()["box"] == {"left": 0.5, "top": 0.5, "right": 1.0, "bottom": 1.0}

    def test_crops_and_pictures_have_the_better_score(self, filled: ImageIndex) -> None:
        """One hit a picture, ranked from 1; without a box where the whole is not worse than its best crop."""
        hits = filled.search_text("blue", 10, targets=("pictures", "crops"))
        assert names(hits) == ["corner", "stripes", "plain"]
        assert [hit.rank for hit in hits] == [1, 2, 3]
        (yellow,) = filled.search_text("yellow", 1, targets=("crops", "pictures"))
        assert (names([yellow]), yellow.box) == (["plain"], None)

    def test_many_crops_of_one_picture_take_no_other_pictures_place(
        self, index: ImageIndex, tmp_path: Path
    ) -> None:
        """k pictures come back when there are k, however many crops of each are nearer."""
        for number in range(4):
            paint(tmp_path / f"{number}.png", "blue", *stripes("red", number))
        index.ingest(tmp_path, parts=["crops"])
        assert names(index.search_text("blue", 4, targets=["crops"])) == ["0", "1", "2", "3"]
        assert names(index.search_text("blue", 2, targets=["crops"])) == ["0", "1"]
        assert names(index.search_text("blue", 2, offset=2, targets=["crops"])) == ["2", "3"]

    def test_filters_hold_for_parts(self, filled: ImageIndex) -> None:
        """A filter is about the picture, wherever is looked."""
        for targets in ("crops", "captions", "pictures,crops,captions"):
            hits = filled.search_text("blue", where="file_name=plain.png", targets=targets.split(","))
            assert names(hits) == ["plain"], targets

    def test_a_gallery_shows_the_picture(self, filled: ImageIndex) -> None:
        """Whatever part of it was found: the picture's own bytes are known."""
        for targets in ("pictures", "crops", "captions", "pictures,captions"):
            hits = filled.search_text("blue", targets=targets.split(","))
            assert len(hits) > 0
            assert hits._repr_html_().count("data:image/jpeg") == len(hits), targets

    def test_similar_pictures_by_their_crops(self, filled: ImageIndex) -> None:
        """What is asked for by its id is left out, with its parts."""
        (corner,) = filled.search_text("red", 1)
        hits = filled.similar(corner.id, targets=["crops"])
        assert sorted(names(hits)) == ["plain", "stripes"]

    def test_captions_alone(self, filled: ImageIndex) -> None:
        """Their score is the cosine of query and caption; a picture without one is not found."""
        (hit,) = filled.search_text("blue", targets=["captions"])
        assert (names([hit]), hit.description, hit.box) == (["plain"], "nothing blue in here", None)
        assert hit.score == pytest.approx(1, abs=1e-3)

    def test_captions_beside_pictures_are_fused_by_rank(self, filled: ImageIndex) -> None:
        """First by the caption beats second by what is to be seen, which is what the scores are of."""
        hits = filled.search_text("blue", targets=["pictures", "captions"])
        assert names(hits) == ["plain", "stripes", "corner"]
        assert [hit.rank for hit in hits] == [1, 2, 3]
        seen = {hit.id: hit.score for hit in filled.search_text("blue")}
        assert {hit.id: hit.score for hit in hits} == pytest.approx(seen, abs=1e-6)

    def test_what_is_explained_is_what_was_found(self, filled: ImageIndex) -> None:
        """What the parts of a query add to a crop's or a caption's hit is its score; fused ranks are told."""
        for targets in ("pictures", "crops", "captions", "pictures,crops"):
            query = Query(Text("blue"), Text("red", -0.5), targets=targets.split(","), explain=True)
            for hit in filled.search(query):
                assert [one.part for one in hit.explanation] == ["text: blue", "text: red"]
                assert sum(one.adds for one in hit.explanation) == pytest.approx(hit.score, abs=1e-3)
        best = filled.search(Query(Text("blue"), targets=["crops", "captions"], explain=True))[0]
        ranks = {one.part: one.rank for one in best.explanation}
        assert ranks == {"crops": 3, "captions": 1}

    def test_words_beside_crops(self, filled: ImageIndex) -> None:
        """What words alone find has the score and the box of its best crop."""
        hits = filled.search_text("blue nothing", targets=["crops"], hybrid=2)
        assert names(hits)[0] == "plain"
        assert all(hit.box for hit in hits)
        assert hits[0].score == pytest.approx(0, abs=0.1)
        assert not math.isnan(filled.search_text("grey nothing", 1, targets=["captions"], hybrid=1)[0].score)

    def test_pages_of_fused_rankings(self, filled: ImageIndex) -> None:
        """They end at the window, as all fused rankings do."""
        targets = ["pictures", "captions"]
        pages = [filled.search_text("blue", 1, offset=at, targets=targets) for at in range(3)]
        assert [hit for page in pages for hit in page] == list(filled.search_text("blue", targets=targets))
        with pytest.raises(esclip.ConfigError, match="window"):
            filled.search_text("blue", 5, rank_window_size=4, targets=targets)

    def test_many_queries_each_where_it_looks(self, filled: ImageIndex) -> None:
        """Queries that are asked together look in places of their own."""
        looks = (["crops"], ["pictures"], ["captions"], ["captions", "crops"])
        together = filled.search_many([Query(Text("blue"), targets=targets) for targets in looks])
        assert together == [filled.search_text("blue", targets=targets) for targets in looks]

    def test_parts_are_no_pictures(self, filled: ImageIndex) -> None:
        """They are not counted, and not found where only pictures are looked at."""
        assert filled.stats().documents == 3
        assert filled.stats().parts == ("captions", "crops")
        assert len(filled.search_text("blue", 50)) == 3

    def test_a_second_ingest_skips_all(
        self, filled: ImageIndex, folder: Path, encoder: CountingPalette
    ) -> None:
        """Parts that are there are not made again, and needn't be asked for again."""
        before = encoder.images
        assert before == 3 * (1 + len(GRID))
        report = filled.ingest(folder, captions="sidecar")
        assert (report.skipped, report.written) == (3, 0)
        assert encoder.images == before

    def test_crops_for_an_index_without(
        self, index: ImageIndex, folder: Path, encoder: CountingPalette
    ) -> None:
        """Asked for later, they are cut from every picture that the index holds."""
        index.ingest(folder)
        with pytest.raises(esclip.ConfigError, match=r"no crops to look in.*parts=\['crops'\]"):
            index.search_text("blue", targets=["crops"])
        report = index.ingest(folder, parts=["crops"])
        assert report.written == 3
        assert names(index.search_text("blue", 1, targets=["crops"])) == ["corner"]

    def test_captions_for_an_index_without(
        self, index: ImageIndex, folder: Path, encoder: CountingPalette
    ) -> None:
        """Asked for later, they are encoded, and no picture is."""
        index.ingest(folder, captions="sidecar")
        images = encoder.images
        report = index.ingest(folder, captions="sidecar", parts=["captions"])
        assert (report.written, encoder.images) == (3, images)
        assert encoder.texts == ["nothing blue in here"]
        assert names(index.search_text("blue", targets=["captions"])) == ["plain"]

    def test_a_caption_that_changes(self, filled: ImageIndex, folder: Path, encoder: CountingPalette) -> None:
        """It alone is encoded; one that is gone is found no more, by its vector or its words."""
        images, side = encoder.images, folder / "plain.txt"
        side.write_text("green", encoding="utf-8")
        (folder / "corner.txt").write_text("grey", encoding="utf-8")
        assert filled.ingest(folder, captions="sidecar").written == 2
        assert encoder.images == images
        assert encoder.texts[-2:] in (["grey", "green"], ["green", "grey"])
        (hit,) = filled.search_text("green", 1, targets=["captions"])
        assert names([hit]) == ["plain"]
        assert hit.score == pytest.approx(1, abs=1e-3)
        crop = filled.search_text("yellow", 1, targets=["crops"])[0]
        assert crop.description == "green"
        side.unlink()
        assert filled.ingest(folder, captions="sidecar").written == 1
        assert names(filled.search_text("green", targets=["captions"])) == ["corner"]

    def test_a_picture_that_changes(self, filled: ImageIndex, folder: Path) -> None:
        """Its parts are those of the new picture, also where it is too small to be cut as often."""
        paint(folder / "corner.png", "green", side=50)
        assert filled.ingest(folder, captions="sidecar").written == 1
        assert names(filled.search_text("blue", 1, targets=["crops"])) == ["stripes"]
        (green,) = filled.search_text("green", 1, targets=["crops"])
        assert (names([green]), green.box) == (["corner"], GRID[0])
        paint(folder / "corner.png", "green", side=20)
        assert filled.ingest(folder, captions="sidecar").written == 1
        assert "corner" not in names(filled.search_text("green", targets=["crops"]))

    def test_copies_have_parts(
        self, filled: ImageIndex, folder: Path, encoder: CountingPalette, tmp_path: Path
    ) -> None:
        """A picture of the same bytes has its own, whether both come at once or one after the other."""
        images = encoder.images
        data = (folder / "corner.png").read_bytes()
        (folder / "late.png").write_bytes(data)
        (folder / "later.png").write_bytes(data)
        assert filled.ingest(folder, captions="sidecar").written == 2
        assert sorted(names(filled.search_text("blue", 3, targets=["crops"]))) == ["corner", "late", "later"]
        assert encoder.images == images
        new = tmp_path / "new"
        new.mkdir()
        paint(new / "one.png", "white", ("green", (0, 0, SIDE // 2, SIDE // 2)))
        (new / "two.png").write_bytes((new / "one.png").read_bytes())
        filled.ingest(new)
        assert encoder.images == images + 1 + len(GRID)
        best = filled.search_text("green", 2, targets=["crops"])
        assert sorted(names(best)) == ["one", "two"]
        assert {hit.box for hit in best} == {Box(0.0, 0.0, 0.5, 0.5)}

    def test_pruned_pictures_leave_no_parts(self, filled: ImageIndex, folder: Path) -> None:
        """What has left the source is found neither by crops nor by captions."""
        (folder / "corner.png").unlink()
        (folder / "plain.png").unlink()
        assert filled.ingest(folder, captions="sidecar", prune=True).pruned == 2
        assert names(filled.search_text("blue", targets=["crops"])) == ["stripes"]
        assert names(filled.search_text("blue", targets=["captions", "crops"])) == ["stripes"]

    def test_dropped_with_the_index(self, filled: ImageIndex, store: Store, folder: Path) -> None:
        """Its parts go with it, and a new index of its name has none."""
        filled.drop()
        assert store.open_other(f"{store.index}_parts").schema() is None
        filled.ingest(folder)
        assert filled.stats().parts == ()

    def test_an_index_that_has_the_name_of_the_parts(
        self, store: Store, index: ImageIndex, folder: Path
    ) -> None:
        """It is somebody's pictures: neither written to nor removed."""
        other = esclip.open_index(store.open_other(f"{store.index}_parts"), encoder="palette")
        other.ingest(folder)
        with pytest.raises(esclip.IndexExists, match=f"{store.index}_parts.*another name"):
            index.ingest(folder, parts=["crops"])
        index.ingest(folder)
        index.drop()
        assert other.stats().documents == 3
        other.drop()

    def test_an_index_that_has_taken_the_name_of_lost_parts(
        self, filled: ImageIndex, store: Store, folder: Path
    ) -> None:
        """It is not searched, measured or dropped as if it held the parts."""
        store.open_other(f"{store.index}_parts").drop()
        other = esclip.open_index(store.open_other(f"{store.index}_parts"), encoder="palette")
        other.ingest(folder)
        with pytest.raises(esclip.IndexNotFound, match="lost its parts"):
            filled.search_text("blue", targets=["crops"])
        with pytest.raises(esclip.IndexExists, match="another name"):
            filled.ingest(folder, captions="sidecar")
        info = store.info()
        assert info is not None
        assert filled.stats().bytes == info.bytes
        filled.drop()
        assert other.stats().documents == 3
        other.drop()

    def test_parts_are_no_index_to_ingest_into(self, filled: ImageIndex, store: Store, folder: Path) -> None:
        """Pictures among them would be taken for parts, and be dropped with these."""
        parts = esclip.open_index(store.open_other(f"{store.index}_parts"), encoder="palette")
        held = parts.stats().documents
        with pytest.raises(esclip.IndexExists, match=f"parts of the pictures of '{store.index}'"):
            parts.ingest(folder)
        assert parts.stats().documents == held

    def test_parts_that_a_lost_index_has_left_are_dropped(
        self, filled: ImageIndex, store: Store, folder: Path
    ) -> None:
        """Also by a new index of its name, which has none."""
        store.drop()
        filled.ingest(folder)
        filled.drop()
        assert store.open_other(f"{store.index}_parts").schema() is None

    def test_captions_stay_until_they_are_taken_back(self, filled: ImageIndex, folder: Path) -> None:
        """An ingest that is given none keeps them, with their vectors, also where the picture is another."""
        (folder / "plain.txt").unlink()
        assert filled.ingest(folder).skipped == 3
        paint(folder / "plain.png", "green")
        assert filled.ingest(folder).written == 1
        (hit,) = filled.search_text("blue", targets=["captions"])
        assert (names([hit]), hit.description) == (["plain"], "nothing blue in here")
        assert filled.ingest(folder).skipped == 3
        assert filled.ingest(folder, captions="").written == 1
        assert names(filled.search_text("blue", targets=["captions"])) == []
        assert filled.ingest(folder).skipped == 3

    def test_labels_beside_parts(self, index: ImageIndex, folder: Path, encoder: CountingPalette) -> None:
        """Parts have their picture's labels, for filters; other labels are theirs too, without encoding."""
        index.ingest(folder, labels="red,yellow", parts=["crops", "captions"], captions="sidecar")
        images = encoder.images
        hits = index.search_text("blue", targets=["crops"], where="label=red")
        assert names(hits)[0] == "corner"
        assert index.ingest(folder, labels="green,yellow", captions="sidecar").written == 3
        assert encoder.images == images
        assert names(index.search_text("blue", targets=["crops"], where="label=red")) == []
        assert names(index.search_text("blue", targets=["captions"], where="label=yellow")) == ["plain"]
        assert index.ingest(folder, captions="sidecar").skipped == 3

    def test_captions_in_a_json_file(self, index: ImageIndex, folder: Path, tmp_path: Path) -> None:
        """Paths are relative to the file's folder, or absolute."""
        texts = {"pictures/corner.png": "a red thing", str(folder / "plain.png"): "a yellow thing"}
        (tmp_path / "captions.json").write_text(json.dumps(texts), encoding="utf-8")
        index.ingest(folder, captions=tmp_path / "captions.json", parts=["captions"])
        assert names(index.search_text("red", 1, targets=["captions"])) == ["corner"]
        assert names(index.search_text("yellow", 1, targets=["captions"])) == ["plain"]
