"""Model folders: where one is found, and what it says about itself without being loaded.

    name ─► folder of that name ─► Hugging Face cache ─► hub ─► ModelFolder

The cache is read without a network.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from esclip._errors import EncoderError
from esclip.encoders._hashes import file_sha256
from esclip.encoders._loading import model_errors, quiet_download

__all__ = ["ModelFolder", "find_model", "local_model"]

_log = logging.getLogger("esclip")

_HUB_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model on disk, as sentence-transformers lays it out."""

    name: str
    """What finds it again: its name on the hub, or its absolute folder."""
    path: Path

    @property
    def dim(self) -> int | None:
        """The dimension of its vectors by its config files; None when they don't tell."""
        dim = None
        for module in self._modules():
            config = _read_json(module / "config.json")
            vision = config.get("vision_config", {}).get("hidden_size")  # SigLIP projects into no other
            found = (config.get("out_features"), config.get("projection_dim"), vision)
            dim = next((value for value in found if isinstance(value, int)), dim)
        return dim

    @property
    def weights(self) -> str:
        """A hash of the bytes of the weights that are loaded: the same wherever they lie."""
        digest = hashlib.sha256()
        for file in self._weight_files():
            digest.update(file_sha256(file).encode())
        return digest.hexdigest()[:16]

    @property
    def preprocessing(self) -> str:
        """A hash of what the image processor does, and of the modules after the tower."""
        steps = {key: self.processor[key] for key in sorted(self.processor.keys() & _PROCESSOR_KEYS)}
        if isinstance(steps.get("size"), int):
            steps["size"] = {"shortest_edge": steps["size"]}
        if isinstance(steps.get("crop_size"), int):
            steps["crop_size"] = dict.fromkeys(("height", "width"), steps["crop_size"])
        later = [_read_json(module / "config.json") for module in self._modules()[1:]]
        data = orjson.dumps((steps, later), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(data).hexdigest()[:16]

    @property
    def processor(self) -> Mapping[str, Any]:
        """The config of the image processor; empty where there is none."""
        first = self._modules()[0]
        nested: Mapping[str, Any] = _read_json(first / "processor_config.json").get("image_processor", {})
        return nested or _read_json(first / "preprocessor_config.json")

    @property
    def fingerprint(self) -> str:
        """A hash of all files that say what the model computes: weights, configs, tokenizer."""
        digest = hashlib.sha256(self.weights.encode())
        for folder in sorted({self.path, *self._modules()}):
            for file in sorted(f for f in folder.iterdir() if f.suffix in _TEXT_FILES):
                digest.update(f"{file.relative_to(self.path)}={file_sha256(file)};".encode())
        return digest.hexdigest()[:24]

    @property
    def text_length(self) -> int | None:
        """The length that all texts are padded to, for models trained so (SigLIP); else None."""
        config = _read_json(self._modules()[0] / "config.json")
        if not str(config.get("model_type", "")).startswith("siglip"):
            return None
        return int(config.get("text_config", {}).get("max_position_embeddings", 64))

    def check(self) -> None:
        """Raise `EncoderError` unless the folder is laid out as a model and has weights."""
        if not (self.path / "modules.json").is_file() and not self._is_bare():
            raise EncoderError(
                f"model {self.name}: no modules.json in {self.path}; "
                "give a folder that sentence-transformers saved"
            )
        if not self._weight_files():
            raise EncoderError(
                f"model {self.name}: no weights (*.safetensors, *.bin) in {self.path}; copy the whole model"
            )

    def _is_bare(self) -> bool:
        """Whether it is a folder of transformers alone, with both towers in one model."""
        return "vision_config" in _read_json(self.path / "config.json")

    def _modules(self) -> list[Path]:
        with model_errors(self.name, f"can't be read from {self.path}"):
            if not (self.path / "modules.json").is_file() and self._is_bare():
                return [self.path]
            return [self.path / module["path"] for module in _read_json(self.path / "modules.json", list)]

    def _weight_files(self) -> list[Path]:
        found: list[Path] = []
        for module in self._modules():
            found += sorted(module.glob("*.safetensors")) or sorted(module.glob("*.bin"))
        return found


def find_model(name: str) -> ModelFolder:
    """The model of this name or folder, downloaded if need be. Raises `EncoderError` if there is none."""
    return local_model(name) or _download(name)


def local_model(name: str) -> ModelFolder | None:
    """The same without a network: a folder, or a complete model in the Hugging Face cache; else None."""
    with model_errors(name, "can't be looked for"):
        folder = Path(name).expanduser()
        if name and folder.is_dir():
            model = ModelFolder(str(folder.resolve()), folder.resolve())
            model.check()
            return model
    if not _HUB_NAME.fullmatch(name):
        raise EncoderError(
            f"model {name}: no such folder; give an existing model folder or a name on the hub"
        )
    with model_errors(name, "can't be looked for"):
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(_repository(name), "modules.json")
    if not isinstance(cached, str):
        return None
    model = ModelFolder(name, Path(cached).parent)
    complete = all(_has_weights(model.path / path) for path in _weighty(model.path / "modules.json"))
    return model if complete else None


def _download(name: str) -> ModelFolder:
    from huggingface_hub import HfApi, constants, snapshot_download

    problem = f"is no folder, not in the cache {constants.HF_HUB_CACHE}, and can't be had from the hub"
    with model_errors(name, problem), quiet_download():
        info = HfApi().model_info(_repository(name), timeout=_HUB_TIMEOUT_S)
        files = [sibling.rfilename for sibling in info.siblings or ()]
        _log.info("downloading model %s from the hub", name)
        path = snapshot_download(_repository(name), allow_patterns=_needed(files))
    model = ModelFolder(name, Path(path))
    model.check()
    return model


def _needed(files: list[str]) -> list[str]:
    """Of a repository's files those that torch loads: no exports, no second format of the same weights."""
    folders_with_safetensors = {Path(file).parent for file in files if file.endswith(".safetensors")}
    texts = [file for file in files if file.endswith((".json", ".txt", ".model", ".safetensors"))]
    binaries = [f for f in files if f.endswith(".bin") and Path(f).parent not in folders_with_safetensors]
    return [file for file in texts + binaries if not file.startswith(("onnx/", "openvino/"))]


def _repository(name: str) -> str:
    return name if "/" in name else f"sentence-transformers/{name}"


def _weighty(modules: Path) -> list[str]:
    """The paths of those modules that can't do without weights."""
    kinds = ("Transformer", "CLIPModel", "Dense")
    return [module["path"] for module in _read_json(modules, list) if module["type"].endswith(kinds)]


def _has_weights(module: Path) -> bool:
    return any(next(module.glob(pattern), None) for pattern in ("*.safetensors", "*.bin"))


def _read_json(path: Path, kind: type[Any] = dict) -> Any:
    """A config file, or an empty one where it isn't there. Raises `EncoderError` when it is broken."""
    if not path.is_file():
        return kind()
    with model_errors(f"file {path}", "can't be read"):
        data = orjson.loads(path.read_bytes())
        if not isinstance(data, kind):
            raise TypeError(f"no {kind.__name__}")
    return data


_TEXT_FILES = {".json", ".txt", ".model"}
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_PROCESSOR_KEYS = {
    "crop_size",
    "do_center_crop",
    "do_normalize",
    "do_rescale",
    "do_resize",
    "image_mean",
    "image_std",
    "resample",
    "rescale_factor",
    "size",
}
