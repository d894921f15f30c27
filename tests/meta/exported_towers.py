"""The folder of an exported model, as text: other processes, and later versions, find towers in it."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from esclip import load_encoder
from tests.models import make_models

__all__ = ["render_towers"]


def render_towers() -> str:
    """The files, and what `tower.json` says, with numbers and hashes left out."""
    with tempfile.TemporaryDirectory() as scratch:
        models = make_models(Path(scratch) / "models")
        cache = Path(scratch) / "cache"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CACHE_HOME", str(cache))
            encoder = load_encoder(models.clip, models.texts, device="cpu", precision="f32")
            encoder.encode_texts(["red"])
            encoder.encode_images([encoder.preprocess(Image.new("RGB", (99, 99)))])
        files = sorted(path for path in (cache / "esclip" / "towers").rglob("*") if path.is_file())
        names = sorted({_without_hashes(str(path.relative_to(cache))) for path in files})
        told = [_describe(path) for path in files if path.name == "tower.json"]
        return "\n".join([*names, *told]).replace(scratch, "SCRATCH") + "\n"


def _without_hashes(text: str) -> str:
    return re.sub(r"[0-9a-f]{16,}|(?<![0-9a-z])\d{10,}(?![0-9a-z])", "HASH", text)


def _describe(path: Path) -> str:
    told = _lasting(json.loads(path.read_bytes()))
    return f"{_without_hashes(path.parent.name)}: {json.dumps(told, indent=1)}"


def _lasting(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: "VERSION" if name == "versions" else _lasting(item, key) for key, item in value.items()}
    if isinstance(value, float):
        return "NUMBER"
    return _without_hashes(value) if isinstance(value, str) else value
