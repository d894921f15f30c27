"""Several indexes searched as one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import esclip
from esclip import ConfigError, ImageIndex, IndexMismatch, IndexNotFound, Query, TextRecord
from esclip._cli.app import app
from esclip._core.calibration import PERCENTS, Calibration, NullScores, merge_calibrations
from esclip.encoders.palette import PaletteEncoder
from tests.search_servers import searching

COLORS = {"summer": ("blue", "green", "cyan"), "winter": ("white", "red", "blue")}


class WidePalette(PaletteEncoder):
    """Another model of the same dimension."""

    @property
    def space(self) -> Any:
        from dataclasses import replace

        return replace(super().space, model="wide", weights="others")


def picture(color: str, **metadata: Any) -> dict[str, Any]:
    """A plain picture, named by its color."""
    return {"id": color, "image": Image.new("RGB", (40, 30), color), **metadata}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two indexes; both have a picture `blue`, one has texts, each a field of its own."""
    folder = tmp_path_factory.mktemp("several") / "store"
    for name, colors in COLORS.items():
        with esclip.open_index(folder, name, "palette") as index:
            shop = {"shop": name, f"of_{name}": True}
            assert index.add([picture(color, **shop) for color in colors]).written == 3
    with esclip.open_index(folder, "winter") as index:
        index.add([TextRecord(id="t-red", text="a red scarf")])
    return folder


@pytest.fixture
def both(folder: Path) -> Iterator[ImageIndex]:
    """Both indexes, as one."""
    with esclip.open_index(folder, "summer,winter") as index:
        yield index


def found(hits: Any) -> list[tuple[str, str | None]]:
    """Id and index of each hit."""
    return [(hit.id, hit.index) for hit in hits]


def test_hits_are_ranked_over_all_indexes(both: ImageIndex, folder: Path) -> None:
    """The scores are those of each index alone, the order is by them, and each hit names its index."""
    hits = both.search(Query("something red", k=10, targets=["pictures"]))
    apart: dict[tuple[str, str], float] = {}
    for name in COLORS:
        with esclip.open_index(folder, name) as one:
            query = Query("something red", k=10, targets=["pictures"])
            apart |= {(hit.id, name): hit.score for hit in one.search(query)}
    assert {(hit.id, hit.index): hit.score for hit in hits}.items() <= apart.items()
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert found(hits)[0] == ("red", "winter")
    assert sorted(hit.id for hit in hits) == ["blue", "cyan", "green", "red", "white"]


def test_pages_of_an_order_are_those_of_the_whole(both: ImageIndex) -> None:
    """Pages of any size, one after the other, give each document once, in the same order."""
    whole = found(both.search_text("green", k=9))
    for size in (1, 2, 4):
        pages = [both.search_text("green", k=size, offset=start) for start in range(0, 9, size)]
        assert [one for page in pages for one in found(page)] == whole


def test_filters_name_fields_that_one_index_has(both: ImageIndex) -> None:
    """A document of an index without the field has no value."""
    assert found(both.search_text("blue", where="of_summer=true", k=1)) == [("blue", "summer")]
    assert {i for _, i in found(both.search_text("blue", where="!exists(of_summer)"))} == {"winter"}


def test_documents_texts_and_facets(both: ImageIndex) -> None:
    """What is read, listed and counted is that of all, texts included."""
    assert len(both) == 7
    assert [*both] == ["blue", "cyan", "green", "red", "t-red", "white"]
    assert "red" in both
    assert "black" not in both
    assert [one.record.metadata["shop"] for one in both.get(["blue", "red"])] == ["summer", "winter"]
    assert (both.stats().texts, both.stats().index) == (1, "summer,winter")
    assert both.search_text("a scarf", k=9, targets=["texts"])[0].id == "t-red"
    counted = both.facets("shop")["shop"].values
    assert {one.value: one.count for one in counted} == {"summer": 3, "winter": 3}


def test_each_id_has_one_vector(both: ImageIndex) -> None:
    """A scan of vectors gives an id that both hold once, as the index named first has it."""
    pages = [*both.store.scan_vectors()]
    ids = [id for page, _ in pages for id in page]
    assert sorted(ids) == ["blue", "cyan", "green", "red", "white"]
    vectors = np.concatenate([rows for _, rows in pages])
    assert np.allclose(vectors[ids.index("blue")], both.get("blue")[0].vector)


@pytest.mark.parametrize(
    "write",
    [
        lambda index: index.add([picture("pink")]),
        lambda index: index.delete("blue"),
        lambda index: index.drop(),
        lambda index: index.ingest(Path(__file__).parent),
        lambda index: [*index.rejections()],
    ],
)
def test_several_indexes_are_not_written(both: ImageIndex, write: Any) -> None:
    """Writing is refused before anything happens, and no ledger is made."""
    with pytest.raises(ConfigError, match="several indexes"):
        write(both)
    assert len(both) == 7
    assert not [*Path(both.store.address).glob("*,*")]


def test_a_mistyped_name_is_told_with_the_right_one(folder: Path) -> None:
    """The index that is missing is named, not all of them."""
    with (
        esclip.open_index(folder, "summer,wintre") as index,
        pytest.raises(
            IndexNotFound, match=r"index 'wintre' does not exist in .* \(did you mean 'winter'\?\)"
        ),
    ):
        index.search_text("red")


@pytest.mark.parametrize("name", ["summer,", ",summer", "a,,b", "summer,No Index"])
def test_a_name_that_is_none_is_refused(folder: Path, name: str) -> None:
    """Each name is checked as one alone is."""
    with pytest.raises(ConfigError, match="index name"):
        esclip.open_index(folder, name)


def test_vectors_of_two_models_are_not_compared(folder: Path, tmp_path: Path) -> None:
    """Both models are named; a field with two types is refused likewise."""
    with esclip.open_index(tmp_path, "a", "palette") as index:
        index.add([picture("red", size=1)])
    with esclip.open_index(tmp_path, "b", WidePalette()) as index:
        index.add([picture("red")])
    with esclip.open_index(tmp_path, "c", "palette") as index:
        index.add([picture("red", size="large")])
    for names, why in (("a,b", r"palette.* and of wide"), ("a,c", "its field size")):
        with esclip.open_index(tmp_path, names) as index, pytest.raises(IndexMismatch, match=why):
            index.search_text("red")


def test_from_the_command_line(folder: Path) -> None:
    """Hits of a program name their index."""
    args = ["search-text", "red", "--store", str(folder), "--index", "summer,winter", "--json", "-k", "2"]
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0, result.output
    hits = [json.loads(line) for line in result.stdout.splitlines() if line.strip()]
    hits = hits[0] if len(hits) == 1 and isinstance(hits[0], list) else hits
    assert hits[0]["index"] == "winter"


def test_over_http(folder: Path, both: ImageIndex, tmp_path: Path) -> None:
    """A service of several indexes answers as they do."""
    served = esclip.open_index(folder, "summer,winter")
    with searching(served, tmp_path) as server, esclip.Client(server.address) as client:
        assert found(client.search_text("red", k=3)) == found(both.search_text("red", k=3))


def test_a_null_score_of_both_is_the_larger_one() -> None:
    """Of two equal indexes the best null score is 1/sqrt(pi) deviations higher; quantiles stay the same."""
    quantiles = [number / 1000 for number in range(len(PERCENTS))]
    one = NullScores.of("Latin", quantiles, 0.25, 0.02)
    calibration = Calibration("m", 100, (one,))
    merged = merge_calibrations([calibration, calibration])
    assert merged is not None
    assert merged.documents == 200
    (scores,) = merged.null_scores
    assert scores.mean == pytest.approx(0.25 + 0.02 / np.sqrt(np.pi), abs=1e-4)
    assert scores.deviation == pytest.approx(0.02 * np.sqrt(1 - 1 / np.pi), abs=1e-4)
    assert scores.quantiles == one.quantiles
    assert merge_calibrations([calibration, None]) is None
    assert merge_calibrations([calibration, Calibration("n", 1, (one,))]) is None


def test_quantiles_of_both_are_those_of_all_cosines() -> None:
    """An index nine times as large weighs nine times as much."""
    rng = np.random.default_rng(5)
    small, large = rng.normal(0.1, 0.02, 20_000), rng.normal(0.2, 0.02, 180_000)
    calibrations = []
    for cosines in (small, large):
        quantiles = np.percentile(cosines, PERCENTS).tolist()
        scores = NullScores.of("Latin", quantiles, 0.3, 0.01)
        calibrations.append(Calibration("m", len(cosines), (scores,)))
    merged = merge_calibrations(calibrations)
    assert merged is not None
    expected = np.percentile(np.concatenate([small, large]), PERCENTS)
    assert merged.null_scores[0].quantiles[2:] == pytest.approx(expected[2:], abs=0.01)


def test_parts_are_looked_in_where_all_have_them(folder: Path, tmp_path: Path) -> None:
    """A caption finds its picture in the right index; an index without captions refuses for both."""
    for name, color in (("a", "red"), ("b", "blue")):
        with esclip.open_index(tmp_path, name, "palette") as index:
            described = picture(color) | {"description": f"a {color} wall"}
            index.add([described], parts=["captions"])
    with esclip.open_index(tmp_path, "a,b") as index:
        assert index.stats().parts == ("captions",)
        assert found(index.search_text("blue", k=1, targets=["captions"])) == [("blue", "b")]
    with esclip.open_index(tmp_path, "c", "palette") as index:
        index.add([picture("red")])
    with esclip.open_index(tmp_path, "a,c") as index, pytest.raises(ConfigError, match="no captions"):
        index.search_text("blue", targets=["captions"])
