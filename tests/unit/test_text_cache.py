"""Vectors of texts that were asked for before."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import esclip
from esclip._core.types import Vectors
from esclip._errors import EncoderError
from esclip.encoders.palette import PaletteEncoder
from esclip.encoders.text_cache import TextCachingEncoder
from esclip.testing import EncoderContract
from esclip.testing.pictures import draw_photos


class _Recorder(PaletteEncoder):
    """Palette, with the texts of each call, which begin when `gate` is open; "bad" is refused."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        assert self.gate.wait(10)
        if "bad" in texts:
            raise EncoderError("a text that can't be encoded")
        return super().encode_texts(texts)


class TestContract(EncoderContract):
    @pytest.fixture
    def encoder(self) -> TextCachingEncoder:
        return TextCachingEncoder(PaletteEncoder())

    again = encoder


def test_a_text_is_encoded_once() -> None:
    """Known texts of a batch are not encoded again, and rows are in the order of the texts."""
    recorder = _Recorder()
    cached = TextCachingEncoder(recorder)
    first = cached.encode_texts(["red", "blue", "red"])
    again = cached.encode_texts(["blue", "green", "red"])
    assert recorder.calls == [["red", "blue"], ["green"]]
    assert np.array_equal(first[[1, 0]], again[[0, 2]])
    again[:] = 0  # a caller's own
    assert np.array_equal(cached.encode_texts(["red", "blue"]), first[:2])


def test_the_same_text_of_many_threads_is_encoded_once() -> None:
    """Who asks for a text that is being encoded waits for it, whatever else of a batch is new."""
    recorder = _Recorder()
    recorder.gate.clear()
    cached = TextCachingEncoder(recorder)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(cached.encode_texts, ["red", f"blue {n % 2}"]) for n in range(8)]
        while not recorder.calls:
            pass
        recorder.gate.set()
        rows = [one.result() for one in asked]
    assert sorted(text for call in recorder.calls for text in call) == ["blue 0", "blue 1", "red"]
    assert all(np.array_equal(one[0], rows[0][0]) for one in rows)


def test_what_fails_is_kept_for_nobody() -> None:
    """A batch that fails is tried again, and takes nobody with it who waits for another text of it."""
    recorder = _Recorder()
    recorder.gate.clear()
    cached = TextCachingEncoder(recorder)
    with ThreadPoolExecutor(2) as pool:
        broken = pool.submit(cached.encode_texts, ["red", "bad"])
        while not recorder.calls:
            pass
        whole = pool.submit(cached.encode_texts, ["red"])
        recorder.gate.set()
        with pytest.raises(EncoderError):
            broken.result()
        assert whole.result().shape == (1, recorder.space.dim)
    with pytest.raises(EncoderError):
        cached.encode_texts(["bad"])
    assert recorder.calls[-1] == ["bad"]


def test_memory_is_bounded() -> None:
    """The texts that have not been asked for for longest are forgotten."""
    recorder = _Recorder()
    cached = TextCachingEncoder(recorder, max_bytes=5000)
    for n in range(100):
        cached.encode_texts(["red", f"blue {n}"])
    assert len(cached._vectors) < 20
    recorder.calls.clear()
    cached.encode_texts(["red", "blue 99"])
    assert recorder.calls == []
    cached.encode_texts(["x" * 10_000, "blue 98"])
    assert cached._bytes <= 5000


def test_searches_of_an_index(tmp_path: Path) -> None:
    """A text that was searched for is not encoded again; texts of documents are not kept."""
    recorder = _Recorder()
    with esclip.open_index(tmp_path / "store", encoder=recorder) as index:
        index.ingest(draw_photos(tmp_path / "photos"))
        index.add([{"id": "t", "text": "a red text"}])
        recorder.calls.clear()
        first = index.search_text("something red")
        assert recorder.calls == [["something red"]]
        assert index.search_text("something red") == first
        index.search_texts(["something red", "something blue", "something red"])
        index.load_encoder().encode_texts(["something blue"])
        assert recorder.calls == [["something red"], ["something blue"]]
        index.search_text("a red text")
        assert recorder.calls[2:] == [["a red text"]]
