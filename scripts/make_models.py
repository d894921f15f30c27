"""Make models with the architecture and file layout of the real ones, and random weights from a seed.

    OUT/clip-ViT-B-32                    one CLIP module: a picture tower and a text tower; B-16, L-14 alike
    OUT/clip-ViT-B-32-multilingual-v1    DistilBERT, mean pooling, a dense layer into the same dimension

They load like the real ones and cost the same time, without a download: tests and benchmarks run on them.
What they find means nothing, but different inputs get clearly different vectors.

    python -m scripts.make_models --size tiny --out models
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.model_tokenizers import (
    write_bert_tokenizer,
    write_clip_tokenizer,
    write_json,
)

__all__ = [
    "SIZES",
    "ModelSize",
    "centre",
    "main",
    "make_clip",
    "make_text_tower",
    "spread_weights",
    "tower",
]


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The widths and depths of a pair of towers."""

    vision_layers: int
    vision_width: int
    text_layers: int
    text_width: int
    vocabulary: int
    """Tokens of CLIP's own text tower."""
    bert_layers: int
    bert_width: int
    bert_vocabulary: int
    """Tokens of the multilingual tower; padded with unused ones."""
    dim: int
    patch: int = 32
    """Pixels along the side of what becomes one token of a picture."""


_FULL = ModelSize(12, 768, 12, 512, 49_408, 6, 768, 119_547, 512)
_TINY = ModelSize(1, 64, 1, 32, 2_048, 1, 32, 0, 64)

SIZES = {
    "full": _FULL,
    "full-B-16": replace(_FULL, patch=16),
    "full-L-14": replace(_FULL, vision_layers=24, vision_width=1024, text_width=768, dim=768, patch=14),
    "tiny": _TINY,
    "tiny-B-16": replace(_TINY, patch=16),
    "tiny-L-14": replace(_TINY, dim=768, patch=14),
}
"""What is named after no layout has that of B-32."""


def main() -> None:
    """Make the models of a size under `--out`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", choices=sorted(SIZES), default="full")
    parser.add_argument("--out", type=Path, required=True, help="folder that gets the model folders")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dim", type=int, help="dimension of the vectors, if not the size's own")
    options = parser.parse_args()
    made = options.size, options.seed, options.dim
    _, _, layout = options.size.partition("-")
    print(make_clip(options.out / f"clip-ViT-{layout or 'B-32'}", *made))
    if not layout:
        print(make_text_tower(options.out / "clip-ViT-B-32-multilingual-v1", *made))


def make_clip(folder: Path, size: str = "tiny", seed: int = 0, dim: int | None = None) -> Path:
    """A model with the layout of OpenAI's CLIPs in `folder`, which is returned."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    shape = SIZES[size]
    module = folder / "0_CLIPModel"
    write_clip_tokenizer(module, shape.vocabulary)
    write_json(module / "preprocessor_config.json", _PREPROCESSOR)
    write_json(folder / "config_sentence_transformers.json", {"__version__": _VERSIONS})
    write_json(folder / "modules.json", [_module(0, "0_CLIPModel", "CLIPModel")])
    end = shape.vocabulary - 1
    tokens = {"bos_token_id": end - 1, "eos_token_id": end, "pad_token_id": end}
    tokens |= {"vocab_size": shape.vocabulary, "max_position_embeddings": 77}
    config = CLIPConfig(
        projection_dim=dim or shape.dim,
        text_config=tower(shape.text_width, shape.text_layers) | tokens,
        vision_config=tower(shape.vision_width, shape.vision_layers)
        | {"image_size": 224, "patch_size": shape.patch},
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = CLIPModel(config).eval()
        spread_weights(model)
        pixels = torch.rand(16, 3, 7, 7).mul(4).sub(2).repeat_interleave(32, 2).repeat_interleave(32, 3)
        vision = model.vision_model
        centre(vision.post_layernorm, vision(pixel_values=pixels).pooler_output)
        ids = torch.cat([torch.randint(0, end - 1, (64, 8)), torch.full((64, 1), end)], dim=1)
        centre(model.text_model.final_layer_norm, model.text_model(input_ids=ids).pooler_output)
    model.save_pretrained(module)
    return folder


def make_text_tower(folder: Path, size: str = "tiny", seed: int = 0, dim: int | None = None) -> Path:
    """A model with the layout of `clip-ViT-B-32-multilingual-v1` in `folder`, which is returned."""
    import torch
    from safetensors.torch import save_file
    from transformers import DistilBertConfig, DistilBertModel

    shape = SIZES[size]
    width, out = shape.bert_width, dim or shape.dim
    vocabulary = write_bert_tokenizer(folder, shape.bert_vocabulary)
    write_json(folder / "config_sentence_transformers.json", {"__version__": _VERSIONS})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 128, "do_lower_case": False})
    layers = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense"))
    write_json(folder / "modules.json", [_module(i, path, kind) for i, (path, kind) in enumerate(layers)])
    write_json(folder / "1_Pooling" / "config.json", _POOLING | {"word_embedding_dimension": width})
    write_json(folder / "2_Dense" / "config.json", _DENSE | {"in_features": width, "out_features": out})
    config = DistilBertConfig(
        vocab_size=vocabulary,
        dim=width,
        hidden_dim=4 * width,
        n_layers=shape.bert_layers,
        n_heads=max(1, width // 64),
        max_position_embeddings=512,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed + 1)
        model = DistilBertModel(config).eval()
        spread_weights(model)
        ids = torch.randint(104, vocabulary, (64, 8))
        hidden = model(input_ids=ids).last_hidden_state.mean(dim=1)
        centre(model.transformer.layer[-1].output_layer_norm, hidden)
        dense = torch.randn(out, width) / width**0.5
    model.save_pretrained(folder)
    save_file({"linear.weight": dense}, folder / "2_Dense" / "model.safetensors", metadata={"format": "pt"})
    return folder


def spread_weights(model: Any) -> None:
    """Initialize so that inputs stay apart: matrices keep the variance, biases and positions are small.

    The usual initialization lets what all inputs share drown what tells them apart. Much larger matrices than
    these let rounding grow from layer to layer, as it does in no trained model.
    """
    for name, weights in model.named_parameters():
        if "norm" in name.lower() or "ln_" in name or weights.ndim == 0:
            continue
        if weights.ndim == 1:
            weights.normal_(0, 0.02)
        elif "position" in name:
            weights.normal_(0, 0.2)
        elif "token_embedding" in name or "word_embeddings" in name:
            weights.normal_(0, 1)
        else:
            weights.normal_(0, 1.2 / (weights.numel() / weights.shape[0]) ** 0.5)


def centre(norm: Any, outputs: Any) -> None:
    """Move a last layer norm so that the mean of `outputs` becomes zero."""
    norm.bias -= outputs.mean(dim=0)


def tower(width: int, layers: int) -> dict[str, int]:
    """The shape of a tower, in a config's words."""
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // 64),
    }


def _module(index: int, path: str, kind: str) -> dict[str, Any]:
    return {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}


_VERSIONS = {"sentence_transformers": "2.0.0", "transformers": "4.7.0", "pytorch": "1.9.0+cu102"}
_POOLING = {
    "pooling_mode_cls_token": False,
    "pooling_mode_mean_tokens": True,
    "pooling_mode_max_tokens": False,
    "pooling_mode_mean_sqrt_len_tokens": False,
}
_DENSE = {"bias": False, "activation_function": "torch.nn.modules.linear.Identity"}
_PREPROCESSOR = {
    "crop_size": 224,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": 224,
}

if __name__ == "__main__":
    main()
