"""Model folders, in the layouts that models come in, and what each says about itself without being loaded.

modules.json ────────────────────► sentence-transformers: modules that follow each other
config.json with a vision_config ─► transformers: both towers in one model, as SigLIP comes
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
from esclip.encoders.checkpoints.files import read_json
from esclip.encoders.checkpoints.hashes import file_sha256
from esclip.encoders.checkpoints.logit_scale import read_logit_scale
from esclip.encoders.checkpoints.open_clip_config import image_processor, open_clip_config, open_clip_weights
from esclip.encoders.loading import MODEL_ERRORS

__all__ = ["MARKER_FILES", "ModelFolder"]

MARKER_FILES = ("modules.json", "config.json", "open_clip_config.json", "preprocessor_config.json")
"""Files one of which every model's folder has."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model on disk."""

    name: str
    """What finds it again: its name on the hub, or its absolute folder."""
    path: Path

    @property
    def dim(self) -> int | None:
        """The dimension of its vectors by its config files; None when they don't tell."""
        with map_errors(MODEL_ERRORS, self.name, f"has no usable config in {self.path}"):
            dim = self._read_dim()
            if dim is not None and (type(dim) is not int or not 0 < dim <= MAX_DIMENSIONS):
                raise ValueError("a dimension that is none")
            return dim

    def _read_dim(self) -> Any:
        if self.open_clip:
            return self.open_clip["model_cfg"]["embed_dim"]
        dim = None
        for module in self._modules():
            config = read_json(module / "config.json")
            found = [config.get("out_features"), config.get("projection_dim")]
            if self.is_siglip:  # which projects into no other space; its config leaves out what is usual
                found.append(config.get("vision_config", {}).get("hidden_size", _SIGLIP_DIM))
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
            found = nested or read_json(first / "preprocessor_config.json")
            if not isinstance(found, dict):
                raise TypeError("no dict")
            return found

    @property
    def fingerprint(self) -> str:
        """A hash of all files that say what the model computes: weights, configs, tokenizer."""
        digest = hashlib.sha256(self.weights.encode())
        for folder in sorted({self.path, *self._modules()}):
            for file in sorted(f for f in folder.iterdir() if f.suffix in _TEXT_FILES and f.is_file()):
                digest.update(f"{file.relative_to(self.path)}={file_sha256(file)};".encode())
        return digest.hexdigest()[:24]

    @property
    def open_clip(self) -> Mapping[str, Any]:
        """The config of an open_clip model; empty for others, and for what transformers can load too."""
        if (self.path / "modules.json").is_file() or self._has_both_towers:
            return {}
        return open_clip_config(self.path, self.name)

    @property
    def logit_scale(self) -> float:
        """What its cosines are multiplied by before a softmax."""
        return read_logit_scale(self._weight_files())

    @property
    def library(self) -> str:
        """What loads it, and is what its towers are checked against."""
        return "open_clip" if self.open_clip else "sentence-transformers"

    @property
    def is_siglip(self) -> bool:
        """Whether its texts have to be what SigLIP was trained with: `text_length`, `lower_case`."""
        return str(self._first_config.get("model_type", "")).startswith("siglip")

    @property
    def text_length(self) -> int | None:
        """The length that all texts are padded to, for models trained so (SigLIP); else None."""
        if not self.is_siglip:
            return None
        with map_errors(MODEL_ERRORS, self.name, f"has no usable config in {self.path}"):
            length = self._first_config.get("text_config", {}).get("max_position_embeddings", _SIGLIP_LENGTH)
            if type(length) is not int or not 0 < length <= MAX_DIMENSIONS:
                raise ValueError("a length of texts that is none")
            return length

    @property
    def _first_config(self) -> Mapping[str, Any]:
        with map_errors(MODEL_ERRORS, self.name, f"can't be read from {self.path}"):
            config: Mapping[str, Any] = read_json(self._modules()[0] / "config.json")
            return config

    @property
    def lower_case(self) -> bool:
        """Whether the model was trained on texts in lower case, and its tokenizer leaves that to others.

        So it is with SigLIP 2: it comes with Gemma's tokenizer, and its authors changed the texts before
        (arXiv:2502.14786).
        """
        named = str(read_json(self._modules()[0] / "tokenizer_config.json").get("tokenizer_class", ""))
        return self.is_siglip and named.startswith("Gemma")

    @property
    def is_complete(self) -> bool:
        """Whether all modules that can't do without weights have them. False for what is no model."""
        modules = self._modules_with_weights()
        return bool(modules) and all(map(_find_weights, modules))

    def check(self) -> None:
        """Raise `EncoderError` unless the folder is laid out as a model and has weights."""
        if not (self.path / "modules.json").is_file() and not self._is_bare:
            raise EncoderError(
                f"model {self.name}: no modules.json in {self.path}, and no config.json of a model with both "
                "towers; give a folder that sentence-transformers saved"
            )
        if adapter := next((one for one in self._modules() if (one / _ADAPTER).exists()), None):
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
        """Whether it is one model with both towers, without sentence-transformers' files around it."""
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
        """A folder of the model. Raises `ValueError` for one elsewhere: `..`, a link that leads out."""
        found = self.path / folder
        if not found.resolve().is_relative_to(self.path.resolve()):
            raise ValueError("a module outside the model's folder")
        return found

    def _weight_files(self) -> list[Path]:
        if self.open_clip:
            return open_clip_weights(self.path)
        return [file for module in self._modules() for file in _find_weights(module)]


def _find_weights(module: Path) -> list[Path]:
    """What is loaded; a named pipe would hold who reads it for ever."""
    kinds = (sorted(filter(Path.is_file, module.glob(f"*{kind}"))) for kind in (".safetensors", ".bin"))
    return next(filter(None, kinds), [])


_ADAPTER = "adapter_config.json"

_SIGLIP_DIM, _SIGLIP_LENGTH = 768, 64
"""Of the base model, which transformers takes where a config doesn't tell."""

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
