"""Several encoder servers as one encoder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from PIL import Image

import esclip
from esclip import ConfigError, EncoderError
from esclip._concurrency.retry import patience_scope
from esclip._core.schema import Space
from esclip._core.types import Pixels, Vectors
from esclip.encoders import load_encoder
from esclip.encoders.palette import PaletteEncoder
from esclip.encoders.remote.pool import EncoderPool
from tests.encoder_servers import served


class CountingPalette(PaletteEncoder):
    """Counts the pictures that it encodes; the first batches wait for each other, with a barrier."""

    def __init__(self, together: Barrier | None = None) -> None:
        super().__init__()
        self.pictures = 0
        self._together = together

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        if self._together is not None and self.pictures == 0:
            self._together.wait(30)
        self.pictures += len(batch)
        return super().encode_images(batch)


class OtherPalette(PaletteEncoder):
    """Another model."""

    @property
    def space(self) -> Space:
        return replace(super().space, model="other", weights="other")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty pictures of different colours."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(40):
        Image.new("RGB", (24, 24), (number * 6, 255 - number * 6, 90)).save(folder / f"{number:02}.png")
    return folder


def pixels(encoder: EncoderPool, *colors: str) -> list[Pixels]:
    """Preprocessed plain pictures."""
    return [encoder.preprocess(Image.new("RGB", (24, 24), color)) for color in colors]


def test_an_ingest_is_encoded_by_all_servers_at_once(folder: Path) -> None:
    """Each has a batch under way at the same time, and vectors are those of one encoder."""
    together = Barrier(2)
    encoders = [CountingPalette(together), CountingPalette(together)]
    with ExitStack() as stack:
        addresses = [stack.enter_context(served(encoder)).address for encoder in encoders]
        index = stack.enter_context(esclip.open_index(folder / "s", encoder=", ".join(addresses)))
        assert index.ingest(folder, batch_size=4).written == 40
        assert min(encoder.pictures for encoder in encoders) >= 4
        assert sum(encoder.pictures for encoder in encoders) == 40
        (runtime,) = index.stats().runtimes
        assert all(address in runtime for address in addresses)
        document = index.get(index.search_text("red", k=1, where="file_name=07.png"))[0]
    local = PaletteEncoder()
    picture = local.preprocess(Image.open(folder / "07.png").convert("RGB"))
    assert np.allclose(document.vector, local.encode_images([picture])[0], atol=1e-6)


def test_a_server_that_ends_is_replaced_by_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """Every call is answered; the failed server gets none until it has had a pause."""
    left = CountingPalette()
    with served(left) as stays:
        with served() as ends:
            pool = EncoderPool([ends.address, stays.address], failover=0.1)
            assert pool.encode_images(pixels(pool, "red")).shape == (1, 12)
        expected = PaletteEncoder().encode_texts(["red"])
        with caplog.at_level(logging.WARNING):
            for _ in range(4):
                assert np.allclose(pool.encode_texts(["red"]), expected, atol=1e-6)
        assert caplog.text.count("another server goes on") == 1
        assert len(pool.encode_images(pixels(pool, "red", "blue"))) == 2


def test_when_all_have_ended_the_error_is_that_of_a_server() -> None:
    """A caller who has little time gets it soon."""
    with served() as one, served() as other:
        pool = EncoderPool([one.address, other.address], failover=0.1)
    with patience_scope(0.1), pytest.raises(EncoderError, match="encoder server http"):
        pool.encode_texts(["red"])


@pytest.fixture
def gone() -> str:
    """The address of a server that isn't there any more."""
    with served() as server:
        return server.address


def test_a_server_that_is_not_there_is_left_out(gone: str, caplog: pytest.LogCaptureFixture) -> None:
    """The others encode, and a warning names it; without any, its error is told."""
    with served() as there, caplog.at_level(logging.WARNING), patience_scope(0.1):
        encoder = load_encoder(f"{gone},{there.address}")
        assert encoder.encode_texts(["red"]).shape == (1, 12)
        assert encoder.encode_concurrency == 4
    assert gone in caplog.text
    with patience_scope(0.1), pytest.raises(EncoderError, match=gone):
        load_encoder(f"{gone},{gone}/")


def test_servers_of_two_models_are_refused() -> None:
    """Their vectors can't be compared."""
    different = pytest.raises(EncoderError, match="different models, palette and other")
    with served() as one, served(OtherPalette()) as other, different:
        load_encoder(f"{one.address},{other.address}")


@pytest.mark.parametrize("options", [{"device": "cpu"}, {"text_encoder": "m"}, {"precision": "f32"}])
def test_what_servers_choose_themselves_is_refused(options: dict[str, str]) -> None:
    """As for one server."""
    with pytest.raises(ConfigError, match="encoder server"):
        load_encoder("http://a:1,http://b:2", **options)
