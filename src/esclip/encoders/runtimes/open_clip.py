"""Models as open_clip loads them, with a text tower of Hugging Face. A `TorchModel`.

    folder, with the files that open_clip would download ─► open_clip ─► towers, tokenizer, reference

open_clip is an extra (`pip install 'esclip[open-clip]'`), needed until both towers are exported.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import orjson
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from tokenizers import Regex, normalizers

from esclip._concurrency.streams import batches
from esclip._core.types import Vectors, unit_rows
from esclip.encoders.checkpoints.folder import ModelFolder
from esclip.encoders.checkpoints.open_clip_config import CONFIG, open_clip_weights, text_tower
from esclip.encoders.preprocessing import Normalization
from esclip.encoders.runtimes.torch_model import ImageModule
from esclip.encoders.tokenizer import TokenizerFile

_BATCH = 16


class OpenClipModel:
    """A model as open_clip loads it. Fulfils `TorchModel`."""

    def __init__(self, folder: ModelFolder, device: str = "cpu") -> None:
        """Load the folder. Raises what torch and open_clip raise."""
        with tempfile.TemporaryDirectory(prefix="esclip-") as scratch:
            source = f"local-dir:{_complete_folder(folder, Path(scratch))}"
            self._model = open_clip.create_model(source, load_weights=False, pretrained_text=False)
            self._tokenizer = open_clip.get_tokenizer(source)
        open_clip.load_checkpoint(self._model, str(open_clip_weights(folder.path)[0]))
        self._model.to(torch.device(device)).eval()
        preprocessing = open_clip.get_model_preprocess_cfg(self._model)
        self._preprocess = image_transform_v2(PreprocessCfg(**preprocessing), is_train=False)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self._model.logit_scale.device

    def image_module(self, normalization: Normalization) -> torch.nn.Module:
        """Pixels of shape (n, height, width, 3), uint8, to features of shape (n, dim)."""
        return ImageModule(self._model.visual, normalization).to(self.device).eval()

    def text_module(self) -> torch.nn.Module:
        """Ids and mask of shape (n, length), int64, to features of shape (n, dim)."""
        return _TextModule(self._model.text).eval()

    def tokenizer(self) -> TokenizerFile:
        """The tokenizer, including open_clip's normalization of texts."""
        inner = self._tokenizer.tokenizer
        engine = type(inner.backend_tokenizer).from_str(inner.backend_tokenizer.to_str())
        steps = [engine.normalizer] if engine.normalizer else []
        engine.normalizer = normalizers.Sequence([*_text_normalizers(), *steps])
        return TokenizerFile(
            model=engine.to_str(),
            limit=int(self._tokenizer.context_length),
            pad_id=int(inner.pad_token_id),
            pad_token=str(inner.pad_token),
        )

    def encode(self, inputs: Sequence[Image.Image] | Sequence[str]) -> Vectors:
        """Encode images or texts by open_clip, as unit rows of shape (n, dim)."""
        return unit_rows(np.concatenate([self._features(batch) for batch in batches(inputs, _BATCH)]))

    def _features(self, inputs: Sequence[Any]) -> Any:
        with torch.inference_mode():
            if isinstance(inputs[0], str):
                features = self._model.encode_text(self._tokenizer(list(inputs)).to(self.device))
            else:
                pixels = torch.stack([self._preprocess(image) for image in inputs])
                features = self._model.encode_image(pixels.to(self.device))
        return features.float().cpu().numpy()


class _TextModule(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """The text tower, which derives its mask from the ids."""

    def __init__(self, tower: torch.nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, input_ids: torch.Tensor, _: torch.Tensor) -> Any:
        """Ids of shape (n, length), int64, to features of shape (n, dim)."""
        return self.tower(input_ids)


def _complete_folder(folder: ModelFolder, scratch: Path) -> Path:
    """Copy the folder without weights, and add the configs that open_clip would download."""
    config = dict(folder.open_clip)
    model = dict(config["model_cfg"])
    text = dict(model["text_cfg"]) | {"hf_model_name": str(scratch), "hf_tokenizer_name": str(scratch)}
    for file in folder.path.glob("*"):
        if file.name.startswith(("tokenizer", "special_tokens", "sentencepiece")):
            shutil.copyfile(file, scratch / file.name)
    if not (scratch / "tokenizer_config.json").exists():
        _write(scratch / "tokenizer_config.json", _TOKENIZER)
    _write(scratch / "config.json", text_tower(folder.path, config))
    _write(scratch / CONFIG, {"preprocess_cfg": {}} | config | {"model_cfg": model | {"text_cfg": text}})
    return scratch


def _write(path: Path, data: Any) -> None:
    path.write_bytes(orjson.dumps(data))


def _text_normalizers() -> list[Any]:
    """open_clip's cleaning of texts by ftfy and Python: straight quotes, single spaces.

    Its other repairs, of broken encodings and HTML, are left out: queries have neither.
    """
    return [
        normalizers.Replace(Regex("[\u02bc\u2018-\u201b]"), "'"),
        normalizers.Replace(Regex("[\u201c-\u201f]"), '"'),
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Strip(),
    ]


_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "<s>",
    "cls_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
"""XLM-RoBERTa's, for the repository that has only a `tokenizer.json`."""
