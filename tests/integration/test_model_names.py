"""Where a model of a name comes from: a hub on this machine stands for the real one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from esclip._errors import EncoderError
from esclip.encoders import load_encoder
from tests.integration.hub_server import HubServer
from tests.models import Models, tiny_models

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


@pytest.mark.parametrize("name", ["./no/such/folder", "/no/such/folder", "a/b/c", "", "a model", "x" * 5000])
def test_a_missing_folder_is_an_error(name: str) -> None:
    """What can only be a folder, and isn't there, is an error without asking the hub."""
    with pytest.raises(EncoderError, match=r"no such folder|can't be looked for"):
        load_encoder(name)


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
    for part in (str(tmp_path), "no connection", "--encoder /path/to/folder"):
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
    done = _python(code, folder=tiny_models.clip.parent, XDG_CACHE_HOME=str(tmp_path))
    before, after = done.stdout.splitlines()
    assert before == "{'clip-ViT-B-32': (), 'clip-ViT-B-32-multilingual-v1': ()}"
    assert after == "{'clip-ViT-B-32': (), 'clip-ViT-B-32-multilingual-v1': ('texts',)}"


def _python(code: str, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new process: the hub's client reads its settings at import."""
    prelude = "from PIL import Image\nfrom esclip.encoders import load_encoder\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + code],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | environment,
    )
