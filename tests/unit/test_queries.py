"""Combined queries, batches and pages, on the in-memory store with the palette encoder."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import esclip
from esclip import (
    ConfigError,
    EncoderError,
    Hit,
    ImageIndex,
    ImageQuery,
    Keywords,
    Query,
    SimilarTo,
    Text,
    VectorQuery,
)
from esclip._concurrency import cancellation
from esclip._core.searches import Search
from esclip._core.types import Vectors, unit_rows
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.memory import MemoryStore
from esclip.testing.pictures import PLAIN


class CountingEncoder(PaletteEncoder):
    """Counts the calls for texts, and fails at one of them."""

    calls = 0
    fails_at = 0
    pause = 0.0

    def __init__(self) -> None:
        self.scopes: list[threading.Event] = []
        self.second_call = threading.Event()

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.calls += 1
        self.scopes.append(cancellation.current())
        if self.calls == 2:
            self.second_call.set()
        time.sleep(self.pause)
        if self.calls == self.fails_at:
            raise EncoderError("made up")
        return super().encode_texts(texts)


class RemoteStore(MemoryStore):
    """Answers nothing until the next texts are being encoded."""

    searches_remotely = True

    def __init__(self, encoder: CountingEncoder) -> None:
        super().__init__("colors")
        self._encoder = encoder
        self.sizes: list[int] = []

    def search(self, *searches: Search) -> list[list[Hit]]:
        assert self._encoder.second_call.wait(10)
        self.sizes.append(len(searches))
        return super().search(*searches)


@pytest.fixture
def index(photos: Path) -> ImageIndex:
    """An index of a plain picture of each colour."""
    index = esclip.open_index(MemoryStore("colors"), encoder=CountingEncoder())
    index.ingest(photos)
    return index


def names(hits: esclip.Hits) -> list[str]:
    """The colours of the pictures found."""
    return [str(hit.metadata["file_name"]).removesuffix(".png") for hit in hits]


def id_of(index: ImageIndex, color: str) -> str:
    (hit,) = index.search_text(color, k=1)
    return hit.id


def test_parts_are_added_by_weight(index: ImageIndex, photos: Path) -> None:
    """Two texts find what shows both, more of the heavier; a weight below zero leads away."""
    both = index.search(Query(Text("red"), Text("blue", 0.5), k=2))
    assert names(both) == ["red", "blue"]
    assert both[0].score > both[1].score > 0.4
    assert names(index.search(Query(Text("red"), Text("blue"), Text("red", -1), k=1))) == ["blue"]
    mixed = index.search(Query(ImageQuery(photos / "red.png", 0.4), Text("green"), k=2))
    assert names(mixed) == ["green", "red"]
    away = index.search(Query(Text("red", -1), k=len(PLAIN)))
    assert names(away)[-1] == "red"


def test_a_sum_is_a_vector_of_unit_length(index: ImageIndex) -> None:
    """Scores are cosines with the direction of the sum, whatever the weights."""
    encoder = PaletteEncoder()
    red, blue = encoder.encode_texts(["red", "blue"])
    (direction,) = unit_rows([3 * red - 0.5 * blue])
    hits = index.search(Query(Text("red", 3), Text("blue", -0.5), k=3))
    given = index.search(Query(VectorQuery(direction * 7), k=3))
    assert [hit.id for hit in hits] == [hit.id for hit in given]
    np.testing.assert_allclose([h.score for h in hits], [h.score for h in given], atol=1e-6)


def test_stored_pictures_are_left_out(index: ImageIndex) -> None:
    """What was asked by id is no hit, and k others are found."""
    red, blue, green = (id_of(index, color) for color in ("red", "blue", "green"))
    hits = index.search(Query(SimilarTo(red), SimilarTo(blue), SimilarTo(green, -0.2), k=4))
    assert len(hits) == 4
    assert {red, blue, green}.isdisjoint(hit.id for hit in hits)
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    liked = index.recommend([red, blue], [green], k=3)
    assert {red, blue, green}.isdisjoint(hit.id for hit in liked)


@pytest.mark.parametrize(
    "parts",
    [
        (Text("red"), Text("red", -1)),
        (VectorQuery(np.zeros(11)),),
        (VectorQuery(np.full(11, np.nan)),),
        (Text("red", 0.0),),
    ],
)
def test_what_has_no_direction_is_told(
    index: ImageIndex, parts: tuple[esclip.Text | esclip.VectorQuery, ...]
) -> None:
    """Parts that cancel out are an error, not hits of rounding errors."""
    (dim,) = PaletteEncoder().encode_texts(["red"]).shape[1:]
    fitted = [VectorQuery(np.resize(p.vector, dim)) if isinstance(p, VectorQuery) else p for p in parts]
    with pytest.raises(EncoderError, match="no direction"):
        index.search(Query(*fitted))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Query(),
        lambda: Query(Text(" ")),
        lambda: Query(Text("red"), k=0),
        lambda: Query(Text("red"), offset=-1),
        lambda: Query(Text("red"), min_score=1.1),
    ],
)
def test_queries_that_cannot_be_are_value_errors(wrong: object) -> None:
    """A programming error stays a built-in one."""
    with pytest.raises(ValueError, match=r"query|empty|k is|offset is|min_score is"):
        wrong()  # type: ignore[operator]


def test_a_vector_of_another_shape_is_told(index: ImageIndex) -> None:
    """A raw vector has the index's dimension."""
    with pytest.raises(ValueError, match="shape"):
        index.search(Query(VectorQuery([1.0, 0.0])))


def test_pages_neither_repeat_nor_skip(index: ImageIndex) -> None:
    """Pages laid end to end are the whole list, ranks included; beyond it there is nothing."""
    whole = index.search_text("red and blue", k=len(PLAIN))
    pages = [hit for at in range(0, len(PLAIN), 3) for hit in index.search_text("red and blue", 3, offset=at)]
    assert pages == list(whole)
    assert len(index.search_text("red and blue", 3, offset=100)) == 0
    red = id_of(index, "red")
    assert [h.id for h in index.similar(red, 2, offset=2)] == [h.id for h in index.similar(red, 4)][2:]


def test_a_minimum_cuts_the_tail(index: ImageIndex) -> None:
    """Hits below it are left out, and there may be none."""
    (only,) = index.search_text("red", k=5, min_score=0.9)
    assert only.score > 0.9
    assert len(index.search(Query(Text("red"), Text("blue"), min_score=0.99))) == 0


def test_many_queries_are_encoded_in_one_call(index: ImageIndex) -> None:
    """A batch finds what its queries find one by one, with one call of the encoder; nothing asks nothing."""
    encoder = index._encoder(None)
    assert isinstance(encoder, CountingEncoder)
    texts = ["red", "blue", "red", "something green"]
    before = encoder.calls
    many = index.search_texts(texts, k=3)
    assert encoder.calls == before + 1
    assert many == [index.search_text(text, k=3) for text in texts]
    assert index.search_texts([]) == []
    assert index.search_many([]) == []


@pytest.mark.parametrize("part", [Text("red \udcff"), Keywords("red \ud800")])
def test_a_text_of_odd_bytes_is_refused(part: Text | Keywords) -> None:
    """Half a surrogate pair, which odd bytes of a command line become, is the query's fault, and told."""
    with pytest.raises(ConfigError, match=r"the text 'red .* is no valid Unicode; check its encoding"):
        Query(part)


def test_texts_are_encoded_while_others_are_searched_for(index: ImageIndex, photos: Path) -> None:
    """A store elsewhere gets a batch by parts, two where texts take no time; what is found stays the same."""
    texts = [f"{color} {'very ' * (n % 7)}{n}" for n in range(50) for color in ("red", "blue", "green")]
    encoder = CountingEncoder()
    store = RemoteStore(encoder)
    elsewhere = esclip.open_index(store, encoder=encoder)
    elsewhere.ingest(photos)
    encoder.pause = 0.11
    with cancellation.scope(threading.Event()):
        found = elsewhere.search_texts(texts, k=3)
        assert set(encoder.scopes) == {cancellation.current()}
    assert store.sizes == [64, 64, 22]
    assert [*map(ids_of, found)] == [*map(ids_of, index.search_texts(texts, k=3))]
    encoder.pause = 0
    again = elsewhere.search_texts(texts, k=3)
    assert store.sizes[3:] == [64, 86]
    assert [*map(ids_of, again)] == [*map(ids_of, found)]
    encoder.fails_at = encoder.calls + 2
    with pytest.raises(EncoderError, match="made up"):
        elsewhere.search_texts([f"{text}!" for text in texts])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("esclip-prefetch")]


def ids_of(hits: esclip.Hits) -> list[str]:
    """The ids of hits, in order."""
    return [hit.id for hit in hits]
