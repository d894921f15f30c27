"""Comparisons of two indexes: rank-biased overlap, what only one holds, figures, the command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import esclip
from esclip import ConfigError, ImageIndex, IndexNotFound, Space
from esclip._comparison.rank_biased import count_common, rank_biased_overlap
from esclip._core.types import Pixels, Vectors, unit_rows
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.memory import MemoryStore
from tests.command_line import Esclip


class SwappedPalette(PaletteEncoder):
    """Another model: it takes blue for red in texts, and answers as palette does otherwise."""

    @property
    def space(self) -> Space:
        return replace(super().space, weights="swapped")

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return super().encode_texts([text.replace("red", "blue") for text in texts])


class CoarsePalette(PaletteEncoder):
    """Another model: all pictures look alike to it, but for how dark they are."""

    @property
    def space(self) -> Space:
        return replace(super().space, weights="coarse")

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        vectors = np.ones((len(batch), 12))
        vectors[:, 0] += [pixels.mean() / 255 for pixels in batch]
        return unit_rows(vectors)


def fill(index: ImageIndex, count: int, first: int = 0) -> ImageIndex:
    index.add(
        {"id": f"{n:02}", "image": Image.new("RGB", (16, 16), (9 * n % 256, 0, 255 - 9 * n % 256))}
        for n in range(first, first + count)
    )
    return index


def opened(encoder: PaletteEncoder, count: int = 24, first: int = 0) -> ImageIndex:
    return fill(esclip.open_index(MemoryStore("photos"), encoder=encoder), count, first)


@pytest.fixture(scope="module")
def index() -> ImageIndex:
    return opened(PaletteEncoder())


def by_definition(first: str, second: str, p: float, depth: int = 4000) -> float:
    """Rank-biased overlap summed depth by depth, with rankings that go on at their last agreement."""
    short, long = sorted((first, second), key=len)
    s, l = len(short), len(long)  # noqa: E741

    def common(d: int) -> int:
        return len({*short[:d]} & {*long[:d]})

    total = 0.0
    for d in range(1, depth + 1):
        at_the_end = (common(l) - common(s)) / l + common(s) / s
        known = common(d) / d + (common(s) * (d - s) / (s * d) if d > s else 0)
        total += (known if d <= l else at_the_end) * p ** (d - 1)
    return (1 - p) * total


def test_rank_biased_overlap_of_cases_by_hand() -> None:
    """Sums that were written out, of rankings of one length and of two."""
    assert rank_biased_overlap("abc", "abc", 0.9) == pytest.approx(1)
    assert rank_biased_overlap("abc", "xyz", 0.9) == 0
    # depths 1, 2: X = 0, 2; (1-p)/p · (2/2 · p²) + 2/2 · p² with p = 0.5
    assert rank_biased_overlap("ab", "ba", 0.5) == pytest.approx(0.25 + 0.25)
    # X = 1, 1, 2; 1 · (0.5 + 1/2 · 0.25 + 2/3 · 0.125) + 2/3 · 0.125
    assert rank_biased_overlap("abc", "axb", 0.5) == pytest.approx(0.5 + 0.125 + 1 / 12 + 1 / 12)
    # s = 1, l = 2: X = 0, 1; 1 · (1/2 · 0.25 + 0) + ((1 - 0)/2 + 0) · 0.25
    assert rank_biased_overlap("b", "ab", 0.5) == pytest.approx(0.125 + 0.125)
    # s = 1, l = 2: X = 1, 1; 1 · (0.5 + 1/2 · 0.25 + 1·1/2 · 0.25) + (0 + 1) · 0.25: prefixes agree wholly
    assert rank_biased_overlap("a", "ab", 0.5) == pytest.approx(1)
    assert rank_biased_overlap("", "", 0.9) == 1
    assert rank_biased_overlap("", "a", 0.9) == rank_biased_overlap("a", "", 0.9) == 0


def test_rank_biased_overlap_is_the_sum_that_defines_it() -> None:
    """Of random rankings of any two lengths, in either order."""
    rng = np.random.default_rng(5)
    letters = list("abcdefghijklmnop")
    for _ in range(200):
        first, second = ("".join(rng.permutation(letters)[: rng.integers(1, 13)]) for _ in range(2))
        p = float(rng.choice([0.5, 0.9, 0.98]))
        wanted = by_definition(first, second, p)
        assert rank_biased_overlap(first, second, p) == pytest.approx(wanted, abs=1e-9)
        assert rank_biased_overlap(second, first, p) == pytest.approx(wanted, abs=1e-9)
        assert 0 <= wanted <= 1 + 1e-9


def test_common_hits() -> None:
    """Of the longer ranking; no hits at all are the same."""
    assert count_common("abc", "cxay") == (2, 4)
    assert count_common("", "") == (0, 0)


def test_an_index_is_like_itself(index: ImageIndex) -> None:
    """All answers are the same, with an interval that isn't certain of it."""
    comparison = esclip.compare(index, index, ["a red door"], queries=6)
    assert [(row.kind, row.queries) for row in comparison.rows if not row.script] == [
        ("text", 6),
        ("own", 1),
        ("picture", 6),
    ]
    assert {row.script for row in comparison.rows if row.kind == "text"} > {"", "latin"}
    for row in comparison.rows:
        assert row.overlap.mean == row.rbo.mean == pytest.approx(1)
        assert row.overlap.low < 1
        assert 0 < row.first_p50 <= row.first_p95
    assert (comparison.in_both, comparison.first.only_here, comparison.second.only_here) == (24, 0, 0)
    assert len(comparison.notes) == 1


def test_another_model_answers_otherwise(index: ImageIndex) -> None:
    """Texts by another text tower, pictures by another one of pictures; the most different come first."""
    swapped = esclip.compare(index, opened(SwappedPalette()), ["red", "green"], queries=3, k=5)
    own = {query.query: query for query in swapped.queries if query.kind == "own"}
    assert own["green"].rbo == pytest.approx(1)
    assert own["red"].overlap == len({*own["red"].first} & {*own["red"].second}) / 5 < 1
    (row,) = (row for row in swapped.rows if row.kind == "own")
    assert row.overlap.mean == pytest.approx((1 + own["red"].overlap) / 2)
    assert row.rbo.mean == pytest.approx((1 + own["red"].rbo) / 2)
    assert swapped.most_different(1)[0].rbo == min(query.rbo for query in swapped.queries)
    assert len(swapped.most_different(0)) == 0
    (pictures,) = (row for row in swapped.rows if row.kind == "picture")
    assert pictures.overlap.mean == 1
    coarse = esclip.compare(index, opened(CoarsePalette()), queries=20, k=5)
    (pictures,) = (row for row in coarse.rows if row.kind == "picture")
    assert pictures.overlap.mean < 0.9
    assert pictures.overlap.low < pictures.overlap.mean < pictures.overlap.high


def test_what_only_one_holds(index: ImageIndex) -> None:
    """It is counted and named, and pictures that both hold are searched for, drawn by the seed."""
    other = opened(PaletteEncoder(), 20, first=10)
    comparison = esclip.compare(index, other, queries=4)
    assert (comparison.in_both, comparison.first.only_here, comparison.second.only_here) == (14, 10, 6)
    for one, ids in ((comparison.first, range(10)), (comparison.second, range(24, 30))):
        assert len(one.examples) == 5
        assert {*one.examples} <= {f"{n:02}" for n in ids}
    drawn = [query.query for query in comparison.queries if query.kind == "picture"]
    assert len(drawn) == 4
    assert all("10" <= id <= "23" for id in drawn)
    assert drawn != [
        query.query
        for query in esclip.compare(index, other, queries=4, seed=1).queries
        if query.kind == "picture"
    ]
    assert "10 pictures of 'photos' are not in 'photos'" in comparison.notes[0]
    apart = esclip.compare(index, opened(PaletteEncoder(), 5, first=50), queries=4)
    assert {query.kind for query in apart.queries} == {"text"}
    assert any("no picture is in both" in note for note in apart.notes)


def test_what_cannot_be_compared(index: ImageIndex, tmp_path: Path) -> None:
    """What is no index, is not there, or is empty; texts and numbers that are none."""
    with (
        esclip.open_index(tmp_path, encoder="palette") as missing,
        pytest.raises(IndexNotFound, match="does not exist"),
    ):
        esclip.compare(index, missing)
    with pytest.raises(ConfigError, match="an index is"):
        esclip.compare(index, "photos")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="empty"):
        esclip.compare(index, index, [" "])
    with pytest.raises(ValueError, match="p is 1"):
        esclip.compare(index, index, p=1)


def test_the_command(quick_esclip: Esclip, tmp_path: Path) -> None:
    """Figures as lines and JSON, what differs on stderr; a name that is none."""
    for name, count in (("photos-1", 8), ("photos-2", 6)):
        with esclip.open_index(tmp_path, name, encoder="palette") as index:
            fill(index, count)
    (tmp_path / "mine.txt").write_text("red\n\nblue\n", "utf-8")
    options = ("--store", tmp_path, "--queries", "3", "-k", "4")
    ran = quick_esclip("compare", "photos-1", "photos-2", *options, "--texts", tmp_path / "mine.txt")
    header, *lines = [line.split("\t") for line in ran.out.splitlines()]
    assert header[:6] == ["queries", "number", "overlap", "low", "high", "rbo"]
    assert {line[0] for line in lines} >= {"text", "own", "picture"}
    assert "first: index 'photos-1', 8 documents by palette, 2 only here, as 0" in ran.err
    assert "6 pictures in both" in ran.err
    assert "differs: " in ran.err
    answer = quick_esclip("compare", "photos-1", "photos-2", *options, "--json").json
    assert answer["first"]["only_here"] == 2
    assert len(answer["queries"]) == sum(row["queries"] for row in answer["rows"] if not row["script"])
    wrong = quick_esclip("compare", "photos-1", "photo-2", "--store", tmp_path, status=1).err
    assert "photos-2" in wrong
