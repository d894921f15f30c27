"""Where a model of a name comes from: a hub on this machine stands for the real one."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image

from esclip import open_index
from esclip._core.schema import IndexSchema
from esclip._errors import EncoderError
from esclip.encoders import load_encoder
from esclip.encoders.checkpoints.find import local_folder
from esclip.stores.memory import MemoryStore
from tests.integration.hub_server import HubServer
from tests.models import Models, cached_on_the_hub, tiny_models

__all__ = ["tiny_models"]

pytestmark = pytest.mark.model


def test_an_image_needs_no_text_tower(tiny_models: Models) -> None:
    """Pictures are encoded without the text tower being anywhere."""
    done = _python(
        f"e = load_encoder({str(tiny_models.clip)!r}, 'nobody/nothing', device='cpu')\n"
        "print(e.encode_images([e.preprocess(Image.new('RGB', (9, 9)))]).shape)",
        HF_HUB_OFFLINE="1",
    )
    assert done.stdout == "(1, 64)\n"


@pytest.mark.parametrize("name", ["./no/such/folder", "/no/such/folder", "a/b/c", "a model", "x" * 5000])
def test_a_missing_folder_is_an_error(name: str) -> None:
    """What can only be a folder, and isn't there, is an error without asking the hub."""
    with pytest.raises(EncoderError, match=r"no such folder|can't be looked for"):
        load_encoder(name)


@pytest.mark.parametrize("name", ["", " "])
@pytest.mark.parametrize("find", [load_encoder, partial(local_folder, kind="image-to-text")])
def test_an_empty_name_is_an_error(find: Callable[[str], object], name: str) -> None:
    """It is told as what it is, and is never the working directory."""
    with pytest.raises(EncoderError, match=r"^a model's name is empty; "):
        find(name)


def test_a_name_that_the_hub_forbids_is_an_error() -> None:
    """A name that no repository can have is an error of one line, without asking the hub."""
    with pytest.raises(EncoderError, match=r"model a--b .*not a valid model name"):
        load_encoder("a--b")


def test_no_connection_is_an_error_at_once(tmp_path: Path) -> None:
    """Without the model and without a hub, the error says where it was looked for and what to do."""
    done = _python(
        "load_encoder()", HF_HOME=str(tmp_path), HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="0"
    )
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith("esclip._errors.EncoderError: model clip-ViT-B-32 ")
    for part in (str(tmp_path), "no connection", "give its path"):
        assert part in message


def test_a_name_is_downloaded_once(tiny_models: Models, tmp_path: Path) -> None:
    """A name comes from the hub, without its exports, and then from the cache; its space is the folder's."""
    code = (
        "e = load_encoder(device='cpu')\n"
        "v = e.encode_texts(['a dog'])\n"
        "print(e.space.model, e.space.text_model, e.space.weights, v.shape)"
    )
    weights = load_encoder(str(tiny_models.clip)).space.weights
    expected = f"clip-ViT-B-32 clip-ViT-B-32-multilingual-v1 {weights} (1, 64)\n"
    with HubServer([tiny_models.clip, tiny_models.texts]) as hub:
        done = _python(code, HF_HOME=str(tmp_path), HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="0")
        assert done.stdout == expected, done.stderr
    done = _python(code, HF_HOME=str(tmp_path), HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="0")
    assert (done.stdout, done.stderr) == (expected, "")


def test_the_inventory_knows_what_is_here_and_prepared(tiny_models: Models, tmp_path: Path) -> None:
    """A known model that is on the machine is listed as such, with its towers that are exported."""
    code = (
        "import esclip\n"
        "def here(): return {m.name: m.prepared for m in esclip.models() if m.folder}\n"
        "print(here())\n"
        "load_encoder('clip-ViT-B-32', device='cpu').encode_texts(['a dog'])\n"
        "print(here())"
    )
    cached_on_the_hub(tmp_path / "hub", tiny_models.clip, tiny_models.texts)
    home = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(tmp_path)}
    done = _python(code, **home)
    before, after = done.stdout.splitlines()
    assert before == "{'clip-ViT-B-32': (), 'clip-ViT-B-32-multilingual-v1': ()}"
    assert after == "{'clip-ViT-B-32': (), 'clip-ViT-B-32-multilingual-v1': ('texts',)}"


def _python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new process: the hub's client reads its settings at import."""
    prelude = "from PIL import Image\nfrom esclip.encoders import load_encoder\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def _pickled(model: Path, ran: Path) -> None:
    weights = model / "0_CLIPModel" / "model.safetensors"
    weights.unlink()
    code = f"open({str(ran)!r}, 'w')"
    torch.save({"weights": _Runs(code)}, weights.with_name("pytorch_model.bin"))


def _own_module(model: Path, ran: Path) -> None:
    (model / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Module: pass\n")
    (model / "modules.json").write_text('[{"idx": 0, "path": "0_CLIPModel", "type": "evil.Module"}]')


def _own_code(model: Path, ran: Path) -> None:
    config = model / "0_CLIPModel" / "config.json"
    (model / "0_CLIPModel" / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Model: pass\n")
    mapped = {"AutoModel": "evil.Model", "AutoConfig": "evil.Model"}
    config.write_text(json.dumps(json.loads(config.read_text()) | {"auto_map": mapped, "model_type": "evil"}))


class _Runs:
    """What runs code when it is unpickled."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (self.code,)


@pytest.mark.parametrize("damage", [_pickled, _own_module, _own_code])
def test_no_code_of_a_model_is_run(
    tiny_models: Models, tmp_path: Path, damage: Callable[[Path, Path], None]
) -> None:
    """Weights that are pickled code, classes of the folder's own: an error, and nothing of it ran."""
    model, ran = tmp_path / "model", tmp_path / "ran"
    shutil.copytree(tiny_models.clip, model)
    damage(model, ran)
    with pytest.raises(EncoderError) as caught:
        load_encoder(str(model), device="cpu").encode_texts(["a dog"])
    assert "\n" not in str(caught.value)
    assert not ran.exists()


def test_a_folder_that_an_index_names_is_told(
    tiny_models: Models, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An index made with a model's folder is searched by it, with one line in the log."""
    model = str(tiny_models.clip)
    store = MemoryStore("pictures")
    store.ensure_index(IndexSchema(load_encoder(model).space))
    Image.new("RGB", (40, 30), "red").save(tmp_path / "red.png")
    with caplog.at_level(logging.WARNING, "esclip"):
        open_index(store, encoder=model, device="cpu").ingest(tmp_path)
        assert "on the index's word" not in caplog.text
        (hit,) = open_index(store, device="cpu").search_text("a dog", 1)
    assert hit.metadata["file_name"] == "red.png"
    assert [model in message for message in caplog.messages if "on the index's word" in message] == [True]
