"""Model folders that somebody made to do harm: each is an EncoderError of one line, at once."""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from esclip._errors import EncoderError
from esclip.encoders.checkpoints.find import local_model
from esclip.encoders.checkpoints.folder import ModelFolder
from esclip.encoders.checkpoints.logit_scale import LOGIT_SCALE, read_logit_scale
from esclip.encoders.clip import ClipEncoder
from esclip.encoders.runtimes.export import Kind, _key, find_export
from esclip.encoders.tokenizer import TokenizerFile

MODULE = "0_CLIPModel"
PROCESSOR = {"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224}


def _write(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))


def _model(folder: Path) -> Path:
    """A folder that is laid out as a model; its weights are none."""
    _write(folder / "modules.json", [{"path": MODULE, "type": "sentence_transformers.models.CLIPModel"}])
    _write(folder / MODULE / "config.json", {"projection_dim": 64})
    _write(folder / MODULE / "preprocessor_config.json", PROCESSOR)
    (folder / MODULE / "model.safetensors").write_bytes(b"")
    return folder


def _set(name: str, data: Any) -> Callable[[Path], None]:
    return lambda folder: _write(folder / name, data)


def _module_at(path: object) -> Callable[[Path], None]:
    return _set("modules.json", [{"path": path, "type": "CLIPModel"}])


def _linked_module(folder: Path) -> None:
    (folder / "linked").symlink_to(folder.parent)
    _module_at("linked")(folder)


def _piped(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return damage


def _endless(folder: Path) -> None:
    config = folder / MODULE / "config.json"
    config.unlink()
    config.symlink_to("/dev/zero")


CONFIG, SIZES = f"{MODULE}/config.json", f"{MODULE}/preprocessor_config.json"
DAMAGES = {
    "module above": _module_at("../../../etc"),
    "module at an absolute path": _module_at("/etc"),
    "module behind a link": _linked_module,
    "module of no path": _module_at({"a": 1}),
    "module path with a null": _module_at("a\0b"),
    "modules that are numbers": _set("modules.json", [1, 2]),
    "nothing but modules": _set("modules.json", [{"path": ".", "type": 7}]),
    "config of many megabytes": _set(CONFIG, '{"a": "' + "x" * (17 << 20) + '"}'),
    "config nested without end": _set(CONFIG, "[" * 100_000),
    "a list as config": _set(CONFIG, "[]"),
    "a negative dimension": _set(CONFIG, {"projection_dim": -1}),
    "a huge dimension": _set(CONFIG, {"projection_dim": 10**12}),
    "a list as siglip's tower": _set(CONFIG, {"model_type": "siglip", "vision_config": [1]}),
    "a text as siglip's dimension": _set(CONFIG, {"model_type": "siglip", "vision_config": "x"}),
    "a huge picture": _set(SIZES, PROCESSOR | {"size": 10**9, "crop_size": 10**9}),
    "a picture without a size": _set(SIZES, PROCESSOR | {"size": 0, "crop_size": 0}),
    "a size that is a text": _set(SIZES, PROCESSOR | {"size": "224"}),
    "a nested processor that is a list": _set(f"{MODULE}/processor_config.json", {"image_processor": [1]}),
    "an adapter of another model": _set(f"{MODULE}/adapter_config.json", {"base_model_name_or_path": "/x"}),
}
if sys.platform != "win32":
    DAMAGES |= {
        "a named pipe as config": _piped(CONFIG),
        "named pipes as weights": _piped(f"{MODULE}/model.safetensors"),
        "a device as config": _endless,
    }


@pytest.mark.timeout(60)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_hostile_folder_is_an_error_of_one_line(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """Whatever its files say, wherever its paths lead, it ends in an EncoderError, and soon."""
    folder = _model(tmp_path / "model")
    damage(folder)
    with pytest.raises(EncoderError) as caught:
        _look_at(str(folder))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def _look_at(name: str) -> None:
    encoder = ClipEncoder(name, device="cpu")
    assert encoder.preprocess
    assert encoder.space
    assert encoder.logit_scale


def test_a_whole_folder_is_none_of_these(tmp_path: Path) -> None:
    """The folder that the others were made of is read, odd files beside its own included."""
    folder = _model(tmp_path / "model")
    if sys.platform != "win32":
        os.mkfifo(folder / MODULE / "pipe.json")
    (folder / "folder.json").mkdir()
    _look_at(str(folder))
    assert find_export(tmp_path, ModelFolder(str(folder), folder), Kind.PICTURES, "f32") is None


@pytest.mark.parametrize("name", ["open_clip_config.json"])
@pytest.mark.parametrize(
    "config", [[], {"embed_dim": "x"}, {"embed_dim": 10**9}, {"embed_dim": 8, "vision_cfg": 3}]
)
def test_a_hostile_open_clip_folder_is_an_error(tmp_path: Path, name: str, config: Any) -> None:
    """So it is with open_clip's layout."""
    _write(tmp_path / name, {"model_cfg": config})
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"")
    with pytest.raises(EncoderError):
        _look_at(str(tmp_path))


@pytest.mark.parametrize("offsets", [[0, 1 << 60], [8, 0], [-8, 0], ["a", "b"], [0], None])
def test_weights_that_promise_much_give_the_usual_scale(tmp_path: Path, offsets: Any) -> None:
    """What a header says about the place of a number costs no memory."""
    header = json.dumps({"logit_scale": {"dtype": "F32", "data_offsets": offsets}}).encode()
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 8)
    assert read_logit_scale([weights]) == LOGIT_SCALE


@pytest.mark.parametrize("limit", [-1, 10**15, "77", True, None])
def test_a_tokenizer_without_a_limit_is_refused(limit: Any) -> None:
    """A text would be padded to it."""
    parts = {"model": "{}", "pad_id": 0, "pad_token": "", "to_limit": True}
    with pytest.raises(ValueError, match="limit"):
        TokenizerFile.from_json({**parts, "limit": limit})


def test_a_folder_here_is_named_with_a_separator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare name is the hub's: a folder of that name here is asked for by `./`, which the error says."""
    monkeypatch.chdir(tmp_path)
    _model(tmp_path / "mine")
    with pytest.raises(EncoderError, match=r"give \./mine"):
        local_model("mine")
    for name in ("./mine", str(tmp_path / "mine"), "../" + tmp_path.name + "/mine"):
        model = local_model(name)
        assert model is not None
        assert model.path == tmp_path / "mine"


@pytest.mark.parametrize("name", ["clip-ViT-B-32", "sentence-transformers/clip-ViT-B-32", "ViT-B-32/openai"])
def test_a_known_name_is_never_a_folder_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A folder in the working directory doesn't stand in for a model of the catalogue."""
    monkeypatch.chdir(tmp_path)
    _model(tmp_path / name)
    found = local_model(name)
    assert found is None or not found.path.is_relative_to(tmp_path)


GOOD = {"cosine": 1.0, "tokenizer": {}, "sha256": {}}


@pytest.mark.parametrize(
    "facts",
    [
        "",
        "[",
        "[" * 100_000,
        [],
        None,
        7,
        {},
        GOOD,
        GOOD | {"cosine": "x"},
        GOOD | {"cosine": None},
        GOOD | {"cosine": [1]},
        GOOD | {"tokenizer": 7},
        GOOD | {"sha256": []},
        GOOD | {"sha256": {"tower.xml": 1, "tower.bin": None, "tokenizer.json": "0" * 64}},
        GOOD | {"sha256": {"../../secret": "0" * 64}},
    ],
    ids=range(15),
)
def test_an_odd_export_is_made_anew(tmp_path: Path, facts: Any) -> None:
    """An exported tower that says other things about itself than one that was made here isn't used."""
    folder = _model(tmp_path / "model")
    model = ModelFolder(str(folder), folder)
    export = tmp_path / "cache" / _key(model, Kind.TEXTS, "f32")
    for name in ("tower.xml", "tower.bin", "tokenizer.json"):
        _write(export / name, "")
    _write(export / "tower.json", facts)
    assert find_export(tmp_path / "cache", model, Kind.TEXTS, "f32") is None
