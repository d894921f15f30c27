"""The config of an open_clip model, read without open_clip.

    open_clip_config.json, or the built-in config of a repository ─► dimension, image processor, text tower

LAION's repositories with a Hugging Face text tower have weights, `preprocessor_config.json` and
`tokenizer.json`, but no architecture: that is in open_clip (`model_configs/`), under another name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from esclip.encoders.checkpoints.files import read_json
from esclip.encoders.preprocessing import CLIP_MEAN, CLIP_STD

CONFIG = "open_clip_config.json"

_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
)
"""In the order of open_clip."""


def open_clip_config(folder: Path, name: str) -> Mapping[str, Any]:
    """Read the config in a folder, or the built-in one of its name; empty for models of other libraries."""
    config: Mapping[str, Any] = read_json(folder / CONFIG)
    if "model_cfg" in config:
        return config
    return _CONFIGS.get(name.rpartition("/")[2], {}) if open_clip_weights(folder) else {}


def open_clip_weights(folder: Path) -> list[Path]:
    """The one weight file that open_clip loads, if present."""
    return [folder / name for name in _WEIGHTS if (folder / name).is_file()][:1]


def image_processor(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Express open_clip's preprocessing as the config of a transformers image processor.

    Raises `ValueError` for preprocessing that it can't express.
    """
    preprocessing = config.get("preprocess_cfg", {})
    side = preprocessing.get("size", config["model_cfg"].get("vision_cfg", {}).get("image_size", 224))
    height, width = side if isinstance(side, list) else (side, side)
    mode = preprocessing.get("resize_mode", "shortest")
    if mode not in ("shortest", "squash") or (mode == "shortest" and height != width):
        raise ValueError(f"pictures are resized by {mode} to {height} x {width}")
    crops = mode == "shortest"
    return {
        "image_processor_type": "CLIP, as open_clip",
        "size": {"shortest_edge": height} if crops else {"height": height, "width": width},
        "crop_size": {"height": height, "width": width},
        "do_center_crop": crops,
        "crop_rounds": True,
        "resample": _RESAMPLING[preprocessing.get("interpolation", "bicubic")],
        "image_mean": list(preprocessing.get("mean", CLIP_MEAN)),
        "image_std": list(preprocessing.get("std", CLIP_STD)),
    }


def text_tower(folder: Path, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The transformers config of the text tower: the folder's, or a built-in one.

    Raises `ValueError` for a text tower of open_clip's own, or without either config.
    """
    name = config["model_cfg"].get("text_cfg", {}).get("hf_model_name")
    if not name:
        raise ValueError("its text tower is open_clip's own; only those of Hugging Face are supported")
    tower: Mapping[str, Any] = read_json(folder / "config.json") or _TEXT_TOWERS.get(
        name.rpartition("/")[2], {}
    )
    if not tower:
        raise ValueError(f"no config.json of its text tower {name}; copy that model's into the folder")
    return tower


_RESAMPLING = {"nearest": 0, "bilinear": 2, "bicubic": 3}  # numbers of Pillow

_CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k": {
        "model_cfg": {
            "embed_dim": 512,
            "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
            "text_cfg": {
                "hf_model_name": "xlm-roberta-base",
                "hf_tokenizer_name": "xlm-roberta-base",
                "hf_pooler_type": "mean_pooler",
            },
        },
    }
}
"""By repository: open_clip's `xlm-roberta-base-ViT-B-32`, with its default preprocessing."""

_TEXT_TOWERS: Mapping[str, Mapping[str, Any]] = {
    "xlm-roberta-base": {
        "model_type": "xlm-roberta",
        "bos_token_id": 0,
        "eos_token_id": 2,
        "hidden_act": "gelu",
        "hidden_size": 768,
        "intermediate_size": 3072,
        "layer_norm_eps": 1e-05,
        "max_position_embeddings": 514,
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "pad_token_id": 1,
        "type_vocab_size": 1,
        "vocab_size": 250_002,
    }
}
"""As open_clip would download it (FacebookAI/xlm-roberta-base, config.json)."""
