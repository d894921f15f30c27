"""Models as sentence-transformers loads them. A `TorchModel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from tokenizers import normalizers

from esclip._core.types import Vectors, unit_rows
from esclip.encoders.checkpoints.folder import ModelFolder
from esclip.encoders.preprocessing import Normalization
from esclip.encoders.runtimes.torch_model import ImageModule
from esclip.encoders.tokenizer import TokenizerFile


class SentenceTransformersModel:
    """A model as sentence-transformers loads it. Fulfils `TorchModel`."""

    def __init__(self, folder: ModelFolder, device: str = "cpu") -> None:
        """Load the folder. Raises what torch and sentence-transformers raise."""
        self._model = SentenceTransformer(
            str(folder.path),
            device=device,
            local_files_only=True,
            processor_kwargs={"backend": "pil"},  # torchvision, where installed, resizes differently
        ).eval()
        self._text_length = folder.text_length
        if self._text_length is not None:
            self._configure_siglip_texts(self._text_length, lower_case=folder.lower_case)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self._model.device

    def image_module(self, normalization: Normalization) -> torch.nn.Module:
        """Pixels of shape (n, height, width, 3), uint8, to features of shape (n, dim)."""
        return ImageModule(ImageFeatures(self._model), normalization).to(self.device).eval()

    def text_module(self) -> torch.nn.Module:
        """Ids and mask of shape (n, length), int64, to features of shape (n, dim)."""
        return _TextModule(self._model).eval()

    def tokenizer(self) -> TokenizerFile:
        """The tokenizer, with the settings of the model's folder."""
        tokenizer = self._model.tokenizer
        return TokenizerFile(
            model=tokenizer.backend_tokenizer.to_str(),
            limit=int(self._text_length or self._model.max_seq_length or tokenizer.model_max_length),
            pad_id=int(tokenizer.pad_token_id),
            pad_token=str(tokenizer.pad_token),
            to_limit=self._text_length is not None,
        )

    def encode(self, inputs: Sequence[Image.Image] | Sequence[str]) -> Vectors:
        """ImageFeatures or texts as sentence-transformers itself encodes them, as unit rows."""
        return unit_rows(self._model.encode(list(inputs), show_progress_bar=False, convert_to_numpy=True))

    def _configure_siglip_texts(self, length: int, *, lower_case: bool) -> None:
        """Prepare texts as in SigLIP's training, which its files don't configure.

        Padded at the end to one length, without a mask: the vector is the last token's (transformers, docs of
        SigLIP). Lowercased where the tokenizer keeps case.
        """
        self._model[0].processing_kwargs = {"text": {"padding": "max_length", "max_length": length}}
        tokenizer = self._model.tokenizer
        tokenizer.padding_side = "right"
        tokenizer.model_input_names = ["input_ids"]
        if lower_case:
            engine = tokenizer.backend_tokenizer
            steps = [engine.normalizer] if engine.normalizer else []
            engine.normalizer = normalizers.Sequence([normalizers.Lowercase(), *steps])


class ImageFeatures(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """The image tower."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, values: torch.Tensor) -> Any:
        """Normalized values, channels first, to features of shape (n, dim)."""
        return self.model({"pixel_values": values, "modality": "image"})["sentence_embedding"]


class _TextModule(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """The text tower with pooling and dense layers."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model
        self._input_names = set(model.tokenizer.model_input_names)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        """Ids and mask, if the model takes one, to features of shape (n, dim)."""
        tensors = {"input_ids": input_ids, "attention_mask": attention_mask}
        inputs = {name: tensor for name, tensor in tensors.items() if name in self._input_names}
        return self.model({**inputs, "modality": "text"})["sentence_embedding"]
