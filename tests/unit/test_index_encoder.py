"""Which encoder an index gets: what the user names, else what it remembers, as far as that is believed."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import esclip
from esclip._core.schema import IndexSchema, Space
from esclip._errors import EncoderError
from esclip._protocols import Encoder
from esclip.encoders.catalogue import default_text_encoder, hub_name
from esclip.encoders.palette import PaletteEncoder
from esclip.encoders.resolver import EncoderResolver
from esclip.stores.memory import MemoryStore

CLIP, MULTILINGUAL = "clip-ViT-B-32", "clip-ViT-B-32-multilingual-v1"


class _Named(PaletteEncoder):
    """An encoder that goes by other models' names."""

    def __init__(self, name: str, text: str | None = None, *, token: str | None = None) -> None:
        self.names = hub_name(name), hub_name(text or default_text_encoder(name))

    @property
    def space(self) -> Space:
        return replace(super().space, model=self.names[0], text_model=self.names[1])


class _Listener:
    """A server at an address of its own, which counts who comes."""

    def __init__(self) -> None:
        self.visits = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.visits += 1
            connection.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[_Listener]:
    listener = _Listener()
    yield listener
    listener.close()


def _space(model: str, text_model: str) -> Space:
    return replace(PaletteEncoder().space, model=model, text_model=text_model)


def _index(model: str, text_model: str) -> MemoryStore:
    store = MemoryStore("handed_over")
    store.ensure_index(IndexSchema(_space(model, text_model)))
    return store


@pytest.mark.parametrize("scheme", ["http://", "HTTPS://", "http://user:pw@", "ftp://", "//", "\\\\"])
@pytest.mark.parametrize("which", ["model", "text_model"])
def test_nothing_is_sent_where_an_index_says(
    listener: _Listener, photos: Path, scheme: str, which: str
) -> None:
    """An address that only an index names is an error, in searches and ingests; nobody is asked."""
    names = {"model": CLIP, "text_model": CLIP} | {which: scheme + listener.address}
    index = esclip.open_index(_index(**names))
    for use in (lambda: index.search_text("red"), lambda: index.ingest(photos, labels="red, green")):
        with pytest.raises(EncoderError, match="address") as caught:
            use()
        assert "\n" not in str(caught.value)
        assert "pw" not in str(caught.value)
    assert listener.visits == 0


@pytest.mark.parametrize("name", ["models/../clip", "a b", "~root/clip", "./clip", "", "x\ny", "C:\\clip"])
def test_an_index_names_models_and_absolute_folders_only(name: str) -> None:
    """Whatever else an index calls its encoder is an error of one line."""
    with pytest.raises(EncoderError, match="no known model and no absolute folder") as caught:
        esclip.open_index(_index(name, name)).search_text("red")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", ["/models/clip", "nobody/nothing", "nothing"])
def test_a_model_that_only_the_index_names_is_told(model: str, caplog: pytest.LogCaptureFixture) -> None:
    """One line in the log says so, before it is loaded; none for known models, or where it is named."""
    seen: list[str] = []

    def load(name: str, text: str | None = None, **_: str | None) -> Encoder:
        seen.extend(caplog.messages)
        return _Named(name, text)

    schema = IndexSchema(_space(model, model))
    with caplog.at_level(logging.WARNING):
        EncoderResolver(None, None, load).resolve("pictures", schema)
    (message,) = seen
    assert "'pictures'" in message
    assert model in message
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        EncoderResolver(model, None, load).resolve("pictures", schema)
        EncoderResolver(None, None, load).resolve("pictures", IndexSchema(_space(CLIP, MULTILINGUAL)))
    assert caplog.messages == []


@pytest.mark.parametrize("asked", [None, CLIP, f"sentence-transformers/{CLIP}", "ViT-B-32::openai"])
@pytest.mark.parametrize("held", [CLIP, f"sentence-transformers/{CLIP}"])
@pytest.mark.parametrize("texts", [CLIP, MULTILINGUAL])
def test_the_text_tower_is_the_indexs(
    asked: str | None, held: str, texts: str, caplog: pytest.LogCaptureFixture
) -> None:
    """However the model is named, or if it isn't, texts go through the tower that the index remembers."""
    with caplog.at_level(logging.WARNING):
        encoder = EncoderResolver(asked, None, _Named).resolve("pictures", IndexSchema(_space(held, texts)))
    assert encoder.space.text_model == texts
    assert caplog.messages == []


def test_another_text_tower_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Where another text tower is named, it is taken, and one warning names both."""
    encoders = EncoderResolver(CLIP, CLIP, _Named)
    schema = IndexSchema(_space(CLIP, MULTILINGUAL))
    with caplog.at_level(logging.WARNING):
        assert encoders.resolve("pictures", schema).space.text_model == CLIP
        encoders.resolve("pictures", schema)
    (message,) = caplog.messages
    assert f"text tower {MULTILINGUAL}" in message
    assert f"through {CLIP}:" in message


def test_a_text_tower_of_another_machine_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that isn't here costs no ingest: the encoder's own tower is taken, with a warning."""
    schema = IndexSchema(_space(CLIP, str(tmp_path / "gone")))
    with caplog.at_level(logging.WARNING):
        encoder = EncoderResolver(CLIP, None, _Named).resolve("pictures", schema)
    assert encoder.space.text_model == MULTILINGUAL
    assert [message for message in caplog.messages if "gone" in message] == caplog.messages
    assert len(caplog.messages) == 1


def test_a_text_tower_that_only_the_index_names_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the encoder is named and the text tower is not, one line names that and its option."""
    schema = IndexSchema(_space(CLIP, str(tmp_path)))
    with caplog.at_level(logging.WARNING):
        encoder = EncoderResolver(CLIP, None, _Named).resolve("pictures", schema)
    assert encoder.space.text_model == str(tmp_path)
    (message,) = caplog.messages
    assert f"text tower {tmp_path}:" in message
    assert message.endswith("the text tower as text_encoder")


def test_an_index_that_remembers_another_spelling_is_searched_by_it() -> None:
    """Weights in another file have another hash: what made an index is what opens it."""
    mirror = "openai/clip-vit-base-patch32"
    schema = IndexSchema(_space(mirror, mirror))
    for asked in (None, mirror, CLIP):
        space = EncoderResolver(asked, None, _Named).resolve("pictures", schema).space
        assert (space.model, space.text_model) == (mirror, mirror)
