"""Relevance: hits beside what meaningless sentences find, in an index where the truth is known."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import esclip
from esclip import ConfigError, ImageIndex, ImageQuery, Keywords, Phase, Progress, Query, SimilarTo, Text
from esclip._core.calibration import PERCENTS, Calibration, NullScores
from esclip._core.null_queries import NULL_QUERIES, is_null_query, script_of
from esclip._core.schema import IndexSchema
from esclip._core.searches import KnnSearch, Search
from esclip._core.settings import CALIBRATED_FROM
from esclip._core.types import Hit, StoredDocument, Vectors
from esclip._ingest.calibration import calibrate
from esclip._search.query import Clause
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.memory import MemoryStore
from esclip.stores.wrapper import StoreWrapper
from esclip.testing.documents import record
from esclip.testing.store_relevance import KnownEncoder, measured, pictures


@pytest.fixture
def encoder() -> KnownEncoder:
    """Knows ten things."""
    return KnownEncoder()


@pytest.fixture
def index(encoder: KnownEncoder) -> ImageIndex:
    """Two hundred pictures of these things."""
    return measured(MemoryStore("known"), encoder)


def held(index: ImageIndex) -> Calibration:
    """What the index remembers."""
    schema = index.store.schema()
    assert schema is not None
    assert schema.calibration is not None
    return schema.calibration


class TestHits:
    def test_what_matches_is_relevant(self, index: ImageIndex) -> None:
        """The pictures of a thing have a relevance near 1 and a percentile near 100; others have not."""
        hits = index.search_text("thing 4", k=200)
        relevances = [hit.relevance or 0.0 for hit in hits]
        assert min(relevances[:15]) > 0.9
        assert max(relevances[20:]) < 0.5
        assert relevances == sorted(relevances, reverse=True)
        assert hits.matched is True
        assert hits[:3].matched is True
        assert hits[0].percentile == 100
        assert 0 <= (hits[-1].percentile or 0.0) < 20
        assert {"relevance", "percentile"} <= hits[0].to_json().keys()

    def test_what_matches_nothing_says_so(self, index: ImageIndex) -> None:
        """Texts that point anywhere rarely match, whatever the language."""
        texts = [f"{words} {n}" for words in ("nothing at all", "什么也没有") for n in range(50)]
        found = index.search_texts(texts)
        assert sum(hits.matched is True for hits in found) <= 8
        assert np.mean([hits[0].relevance or 0.0 for hits in found]) < 0.2

    def test_the_language_counts(self, index: ImageIndex) -> None:
        """The same score says less in a language whose texts are nearer to all pictures."""
        groups = {one.script: one for one in held(index).null_scores}
        assert groups.keys() == NULL_QUERIES.keys()
        assert groups["han"].mean > groups["latin"].mean + 0.05
        assert groups["han"].relevance(0.5) < groups["latin"].relevance(0.5)

    def test_pages_and_minima(self, index: ImageIndex) -> None:
        """A minimum cuts the tail on any page; what is left of nothing still says that nothing matched."""
        sure = index.search_text("thing 4", k=200, min_relevance=0.5)
        assert 15 <= len(sure) <= 20
        assert all((hit.relevance or 0) >= 0.5 - 1e-9 for hit in sure)
        assert list(index.search_text("thing 4", k=5, offset=5, min_relevance=0.5)) == list(sure[5:10])
        assert index.search_text("thing 4", k=5, offset=190).matched is True
        none = index.search_text("nothing at all", min_relevance=0.9)
        assert (len(none), none.matched) == (0, False)
        assert (none.note or "").startswith("no hit has a relevance of 0.9 or more; the best has 0.")
        assert len(index.search_text("thing 4", k=200, min_relevance=0)) == 200
        both = index.search_text("thing 4", k=200, min_relevance=0.5, collapse=0.9)
        assert [hit.id for hit in both] == [hit.id for hit in sure]

    @pytest.mark.parametrize(
        "parts",
        [
            (ImageQuery(Image.new("RGB", (9, 9))),),
            (SimilarTo("0001"),),
            (Text("thing 1"), SimilarTo("0001")),
            (Text("thing 1"), Text("thing 2", -0.5)),
            (Text("thing 1"), Keywords("thing")),
            (Keywords("thing"),),
        ],
    )
    def test_other_queries_have_none(self, parts: tuple[Clause, ...], index: ImageIndex) -> None:
        """Only hits of texts have a relevance; to ask for a least one of others is an error that says so."""
        with pytest.raises(ConfigError, match="has a relevance"):
            Query(*parts, min_relevance=0.5)
        if not isinstance(parts[0], ImageQuery):
            hits = index.search(Query(*parts))
            assert (hits.matched, hits[0].relevance, hits[0].percentile) == (None, None, None)

    def test_several_texts_have_one(self, index: ImageIndex) -> None:
        """Texts that are added up are a text."""
        hits = index.search(Query(Text("thing 1"), Text("thing 2", 0.5)))
        assert hits.matched is True

    def test_another_text_tower(self, index: ImageIndex) -> None:
        """Another text tower has no relevance until an ingest with it; where it lies does not matter."""
        store = index.store
        for place in ("known", "/models/known", "org/known"):
            moved = esclip.open_index(store, encoder=KnownEncoder(place))
            assert moved.search_text("thing 1").matched is True
        other = KnownEncoder("other")
        hits = esclip.open_index(store, encoder=other).search_text("thing 1")
        assert (hits.matched, hits[0].relevance) == (None, None)
        with pytest.raises(ConfigError, match="ingest again"):
            esclip.open_index(store, encoder=other).search_text("thing 1", min_relevance=0.5)
        calibrate(store, other)
        assert esclip.open_index(store, encoder=other).search_text("thing 1").matched is True

    def test_numbers_that_can_not_be(self) -> None:
        """A least relevance is below 1, which nothing reaches."""
        for wrong in (-0.1, 1, float("nan")):
            with pytest.raises(ValueError, match="min_relevance"):
                Query(Text("red"), min_relevance=wrong)


class TestCalibrating:
    def test_when_it_is_due(self, encoder: KnownEncoder) -> None:
        """Measured from a hundred pictures on, and again when they are twice or half as many."""
        store = MemoryStore("known")
        index = measured(store, encoder, 99)
        assert encoder.asked == 0
        assert index.search_text("thing 1").matched is None
        for n, times in ((100, 1), (150, 1), (199, 1), (200, 2), (390, 2), (400, 3)):
            store.upsert(pictures(n))
            calibrate(store, encoder)
            assert encoder.asked == times + 1  # and once for the search
        assert held(index).documents == 400
        store.delete([document.record.id for document in pictures(400)[:210]])
        calibrate(store, encoder)
        assert held(index).documents == 190

    def test_equal_sentences_are_searched_for_once(self) -> None:
        """What all sentences mean alike is one search, for its score alone."""

        class Asked(StoreWrapper):
            def search(self, *searches: Search) -> list[list[Hit]]:
                asked.extend(one for one in searches if isinstance(one, KnnSearch))
                return super().search(*searches)

        asked: list[KnnSearch] = []
        store, encoder = MemoryStore("alike"), PaletteEncoder()
        store.ensure_index(IndexSchema(encoder.space))
        (gray,) = encoder.encode_texts(["gray"])
        store.upsert([StoredDocument(record(f"{n:03}"), gray) for n in range(150)])
        calibrate(Asked(store), encoder)
        schema = store.schema()
        assert schema is not None
        assert schema.calibration is not None
        assert {one.script for one in schema.calibration.null_scores} == NULL_QUERIES.keys()
        assert 1 <= len(asked) < 10
        assert all(search.scores_only for search in asked)

    def test_it_is_a_phase_of_the_ingest(self, tmp_path: Path) -> None:
        """Progress names what follows the last picture, and the report's seconds count it."""

        class Slow(PaletteEncoder):
            def encode_texts(self, texts: Sequence[str]) -> Vectors:
                time.sleep(0.3)
                return super().encode_texts(texts)

        for n in range(CALIBRATED_FROM):
            Image.new("RGB", (8, 8), (n, 2 * n, 0)).save(tmp_path / f"{n}.png")
        seen: list[Progress] = []
        index = esclip.open_index(MemoryStore("phases"), encoder=Slow())
        report = index.ingest(tmp_path, on_progress=seen.append)
        phases = list(dict.fromkeys(one.phase for one in seen))
        assert phases == [Phase.PICTURES, Phase.INDEXING, Phase.MEASURING]
        assert report.seconds >= 0.3
        seen.clear()
        index.ingest(tmp_path, on_progress=seen.append)
        assert Phase.MEASURING not in {one.phase for one in seen}

    def test_more_pictures_are_more_chances(self, encoder: KnownEncoder) -> None:
        """What a meaningless sentence finds at best grows with the index; its usual score does not."""
        small = held(measured(MemoryStore("small"), encoder, 100))
        large = held(measured(MemoryStore("large"), encoder, 2000))
        for one, other in zip(small.null_scores, large.null_scores, strict=True):
            assert one.mean < other.mean
            assert one.quantiles[3] == pytest.approx(other.quantiles[3], abs=0.03)

    def test_a_failure_fails_nothing(self, photos: Path, caplog: pytest.LogCaptureFixture) -> None:
        """An ingest whose text tower can't be had is done, and tells that hits have no relevance."""

        class Mute(PaletteEncoder):
            def encode_texts(self, texts: Sequence[str]) -> Vectors:
                raise OSError("no such file")

        many(photos)
        index = esclip.open_index(MemoryStore("mute"), encoder=Mute())
        assert index.ingest(photos).rejected == 0
        assert [record.message for record in caplog.records] == [
            "hits of index 'mute' get no relevance until the next ingest: no such file"
        ]

    def test_an_ingest_measures_and_says_nothing(
        self, photos: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An ingest of enough pictures measures; that the sentences name no colour is no warning."""
        many(photos)
        index = esclip.open_index(MemoryStore("colors"), encoder="palette")
        index.ingest(photos)
        assert held(index).documents == 100 + 11
        assert caplog.records == []
        assert index.search_text("something red", k=3).matched is True
        with caplog.at_level(logging.WARNING):
            assert index.search_text("two dogs", k=3).matched is False
        assert "no colour word" in caplog.text


def many(folder: Path) -> None:
    """A hundred more pictures."""
    for n in range(100):
        Image.new("RGB", (8, 8), (n, 2 * n, 255 - n)).save(folder / f"{n}.png")


class TestBackground:
    def test_scores_and_relevances(self) -> None:
        """Relevance grows with the score, is 0.5 two deviations above the mean, and finds its score again."""
        one = NullScores("latin", tuple(percent / 1000 for percent in PERCENTS), 0.2, 0.02)
        assert one.relevance(0.2) == pytest.approx(0.023, abs=0.001)
        assert one.relevance(0.24) == pytest.approx(0.5)
        assert one.relevance(0.3) > 0.99
        for relevance in (0.001, 0.1, 0.5, 0.9, 0.999):
            assert one.relevance(one.min_score(relevance)) == pytest.approx(relevance)
        assert one.min_score(0) == -np.inf
        assert NullScores("latin", one.quantiles, 0.2, 0.0).relevance(0.211) == pytest.approx(0.579, abs=0.01)

    @pytest.mark.parametrize(
        ("score", "percentile"), [(-1, 0), (0.0, 0), (0.025, 25), (0.04, 40), (0.0995, 99.5), (1, 100)]
    )
    def test_percentiles(self, score: float, percentile: float) -> None:
        """Between quantiles it is on the line."""
        one = NullScores("latin", tuple(percent / 1000 for percent in PERCENTS), 0.2, 0.02)
        assert one.percentile(score) == pytest.approx(percentile)

    def test_percentiles_of_equal_scores(self) -> None:
        """Scores that are all alike are the lowest."""
        one = NullScores("latin", (0.1,) * len(PERCENTS), 0.1, 0.0)
        assert [one.percentile(score) for score in (0.0, 0.1, 0.2)] == [0, 0, 100]


class TestGroups:
    @pytest.mark.parametrize(
        ("text", "group"),
        [
            ("two dogs in the snow", "latin"),
            ("une forêt d'été", "latin"),
            ("一只红色的汽车", "han"),
            ("東京の夜", "kana"),
            ("ﾋﾟﾝｸ", "kana"),
            ("コーヒー", "kana"),
            ("빨간 자동차", "hangul"),
            ("красная машина", "cyrillic"),
            ("سيارة حمراء", "arabic"),
            ("लाल गाड़ी", "devanagari"),
            ("κόκκινο αυτοκίνητο", "other"),
            ("รถสีแดง", "other"),
            ("iPhone 手机壳照片", "latin"),
            ("ＲＥＤ", "latin"),
            ("2024 !?", "latin"),
            ("", "latin"),
        ],
    )
    def test_scripts_tell_languages(self, text: str, group: str) -> None:
        """Most letters count, and kana wherever it is."""
        assert script_of(text) == group

    def test_each_sentence_is_of_its_group(self) -> None:
        """Sixteen in each, none twice, all short enough for any text tower."""
        for group, sentences in NULL_QUERIES.items():
            assert len(set(sentences)) == 16
            assert [script_of(sentence) for sentence in sentences] == [group] * 16
            assert all(is_null_query(sentence) for sentence in sentences)
            assert all(len(sentence.encode()) <= 75 for sentence in sentences)
        assert not is_null_query("two dogs")
