"""A model's folder: its layout, and the properties that its files give without loading it.

modules.json ─────────────────────► sentence-transformers: a sequence of modules
config.json with a vision_config ─► transformers: both towers in one model (SigLIP)
open_clip_config.json ────────────► open_clip
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from esclip._core.schema import MAX_DIMENSIONS
from esclip._errors import EncoderError, map_errors
from esclip.encoders.checkpoints.files import file_sha256, read_json
from esclip.encoders.checkpoints.logit_scale import read_logit_scale
from esclip.encoders.checkpoints.open_clip_config import image_processor, open_clip_config, open_clip_weights
from esclip.encoders.loading import MODEL_ERRORS

MARKER_FILES = ("modules.json", "config.json", "open_clip_config.json", "preprocessor_config.json")
"""Every model's folder has one of these files."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model on disk."""

    name: str
    """Its name on the hub, or its absolute folder."""
    path: Path

    @property
    def dim(self) -> int | None:
        """The dimension of its vectors by its config files; None if they don't say."""
        with map_errors(MODEL_ERRORS, self.name, f"has no usable config in {self.path}"):
            dim = self._read_dim()
            if dim is not None and (type(dim) is not int or not 0 < dim <= MAX_DIMENSIONS):
                raise ValueError(f"dimension {dim!r}")
            return dim

    def _read_dim(self) -> Any:
        if self.open_clip:
            return self.open_clip["model_cfg"]["embed_dim"]
        dim = None
        for module in self._modules():
            config = read_json(module / "config.json")
            dims = [config.get("out_features"), config.get("projection_dim")]
            if self.is_siglip:  # which has no projection; its config leaves out default values
                dims.append(config.get("vision_config", {}).get("hidden_size", _SIGLIP_DIM))
            dim = next((value for value in dims if isinstance(value, int)), dim)
        return dim

    @property
    def weights(self) -> str:
        """A hash of the bytes of its weights, independent of its folder."""
        digest = hashlib.sha256()
        for file in self._weight_files():
            digest.update(file_sha256(file).encode())
        return digest.hexdigest()[:16]

    @property
    def preprocessing(self) -> str:
        """A hash of the image processor's steps and of the modules after the tower."""
        steps = {key: self.processor[key] for key in sorted(self.processor.keys() & _PROCESSOR_KEYS)}
        if isinstance(steps.get("size"), int):
            steps["size"] = {"shortest_edge": steps["size"]}
        if isinstance(steps.get("crop_size"), int):
            steps["crop_size"] = dict.fromkeys(("height", "width"), steps["crop_size"])
        later = [read_json(module / "config.json") for module in self._modules()[1:]]
        data = orjson.dumps((steps, later), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(data).hexdigest()[:16]

    @property
    def processor(self) -> Mapping[str, Any]:
        """The config of the image processor; empty where there is none."""
        if self.open_clip:
            with map_errors(MODEL_ERRORS, self.name, f"has no usable preprocess_cfg in {self.path}"):
                return image_processor(self.open_clip)
        with map_errors(MODEL_ERRORS, self.name, f"has no usable image processor in {self.path}"):
            first = self._modules()[0]
            nested = read_json(first / "processor_config.json").get("image_processor", {})
            config = nested or read_json(first / "preprocessor_config.json")
            if not isinstance(config, dict):
                raise TypeError("no dict")
            return config

    @property
    def fingerprint(self) -> str:
        """A hash of all files that decide the model's vectors: weights, configs, tokenizer."""
        digest = hashlib.sha256(self.weights.encode())
        for folder in sorted({self.path, *self._modules()}):
            for file in sorted(f for f in folder.iterdir() if f.suffix in _TEXT_FILES and f.is_file()):
                digest.update(f"{file.relative_to(self.path)}={file_sha256(file)};".encode())
        return digest.hexdigest()[:24]

    @property
    def open_clip(self) -> Mapping[str, Any]:
        """The config of an open_clip model; empty for others, and for models that transformers can load."""
        if (self.path / "modules.json").is_file() or self._has_both_towers:
            return {}
        return open_clip_config(self.path, self.name)

    @property
    def logit_scale(self) -> float:
        """The factor for its cosines before a softmax."""
        return read_logit_scale(self._weight_files())

    @property
    def library(self) -> str:
        """The library that loads it, and that its exported towers are compared with."""
        return "open_clip" if self.open_clip else "sentence-transformers"

    @property
    def is_siglip(self) -> bool:
        """Whether its texts need SigLIP's treatment: `text_length`, `lower_case`."""
        return str(self._first_config.get("model_type", "")).startswith("siglip")

    @property
    def text_length(self) -> int | None:
        """The length in tokens that SigLIP's texts are padded to; None for other models."""
        if not self.is_siglip:
            return None
        with map_errors(MODEL_ERRORS, self.name, f"has no usable config in {self.path}"):
            length = self._first_config.get("text_config", {}).get("max_position_embeddings", _SIGLIP_LENGTH)
            if type(length) is not int or not 0 < length <= MAX_DIMENSIONS:
                raise ValueError(f"text length {length!r}")
            return length

    @property
    def _first_config(self) -> Mapping[str, Any]:
        with map_errors(MODEL_ERRORS, self.name, f"can't be read from {self.path}"):
            config: Mapping[str, Any] = read_json(self._modules()[0] / "config.json")
            return config

    @property
    def lower_case(self) -> bool:
        """Whether texts have to be lowercased before its tokenizer.

        SigLIP 2 was trained on lower case, and its tokenizer is Gemma's, which keeps case (arXiv:2502.14786).
        """
        tokenizer = str(read_json(self._modules()[0] / "tokenizer_config.json").get("tokenizer_class", ""))
        return self.is_siglip and tokenizer.startswith("Gemma")

    @property
    def is_complete(self) -> bool:
        """Whether all modules that need weights have them. False for a folder that is no model."""
        modules = self._modules_with_weights()
        return bool(modules) and all(map(_find_weights, modules))

    def check(self) -> None:
        """Raise `EncoderError` unless the folder has a model's layout and weights."""
        if not (self.path / "modules.json").is_file() and not self._is_bare:
            raise EncoderError(
                f"model {self.name}: no modules.json in {self.path}, and no config.json of a model with both "
                "towers; give a folder that sentence-transformers saved"
            )
        if adapter := next((module for module in self._modules() if (module / _ADAPTER).exists()), None):
            raise EncoderError(
                f"model {self.name}: {adapter / _ADAPTER} makes it a change of another model, which "
                "is not loaded; save both merged into one"
            )
        if not self._weight_files():
            raise EncoderError(
                f"model {self.name}: no weights (*.safetensors, *.bin) in {self.path}; copy the whole model"
            )

    @property
    def _is_bare(self) -> bool:
        """Whether it is one model with both towers, in no layout of sentence-transformers."""
        return self._has_both_towers or bool(self.open_clip)

    @property
    def _has_both_towers(self) -> bool:
        return "vision_config" in read_json(self.path / "config.json")

    def _modules(self) -> list[Path]:
        with map_errors(MODEL_ERRORS, self.name, f"can't be read from {self.path}"):
            if not (self.path / "modules.json").is_file() and self._is_bare:
                return [self.path]
            return [
                self._module_folder(module["path"]) for module in read_json(self.path / "modules.json", list)
            ]

    def _modules_with_weights(self) -> list[Path]:
        if not (self.path / "modules.json").is_file():
            return [self.path] if self._is_bare else []
        modules = read_json(self.path / "modules.json", list)
        kinds = ("Transformer", "CLIPModel", "Dense")
        with map_errors(MODEL_ERRORS, self.name, f"can't be read from {self.path}"):
            return [
                self._module_folder(module["path"]) for module in modules if module["type"].endswith(kinds)
            ]

    def _module_folder(self, folder: str) -> Path:
        """The folder of a module. Raises `ValueError` for one outside the model's: `..`, a link."""
        module = self.path / folder
        if not module.resolve().is_relative_to(self.path.resolve()):
            raise ValueError("a module outside the model's folder")
        return module

    def _weight_files(self) -> list[Path]:
        if self.open_clip:
            return open_clip_weights(self.path)
        return [file for module in self._modules() for file in _find_weights(module)]


def _find_weights(module: Path) -> list[Path]:
    """The weight files that are loaded: regular files only, since reading a named pipe would block."""
    kinds = (sorted(filter(Path.is_file, module.glob(f"*{kind}"))) for kind in (".safetensors", ".bin"))
    return next(filter(None, kinds), [])


_ADAPTER = "adapter_config.json"

_SIGLIP_DIM, _SIGLIP_LENGTH = 768, 64
"""Defaults of transformers, those of the base model."""

_TEXT_FILES = {".json", ".txt", ".model"}
_PROCESSOR_KEYS = {
    "crop_rounds",
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
