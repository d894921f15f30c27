"""Make models with the architecture and file layout of the real ones, and random weights from a seed.

    OUT/clip-ViT-B-32                    one CLIP module: a picture tower and a text tower
    OUT/clip-ViT-B-32-multilingual-v1    DistilBERT, mean pooling, a dense layer into the same dimension

They load like the real ones and cost the same time, without a download: tests and benchmarks run on them.
What they find means nothing, but different inputs get clearly different vectors.

    python scripts/make_models.py --size tiny --out models
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

__all__ = ["SIZES", "ModelSize", "main", "make_clip", "make_text_tower"]


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


SIZES = {
    "full": ModelSize(12, 768, 12, 512, 49_408, 6, 768, 119_547, 512),
    "tiny": ModelSize(1, 64, 1, 32, 2_048, 1, 32, 0, 64),
}


def main() -> None:
    """Make both models under `--out`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", choices=sorted(SIZES), default="full")
    parser.add_argument("--out", type=Path, required=True, help="folder that gets the two model folders")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dim", type=int, help="dimension of the vectors, if not the size's own")
    options = parser.parse_args()
    made = options.size, options.seed, options.dim
    print(make_clip(options.out / "clip-ViT-B-32", *made))
    print(make_text_tower(options.out / "clip-ViT-B-32-multilingual-v1", *made))


def make_clip(folder: Path, size: str = "tiny", seed: int = 0, dim: int | None = None) -> Path:
    """A model with the layout of `clip-ViT-B-32` in `folder`, which is returned."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    shape = SIZES[size]
    module = folder / "0_CLIPModel"
    _write_clip_tokenizer(module, shape.vocabulary)
    _write_json(module / "preprocessor_config.json", _PREPROCESSOR)
    _write_json(folder / "config_sentence_transformers.json", {"__version__": _VERSIONS})
    _write_json(folder / "modules.json", [_module(0, "0_CLIPModel", "CLIPModel")])
    end = shape.vocabulary - 1
    tokens = {"bos_token_id": end - 1, "eos_token_id": end, "pad_token_id": end}
    tokens |= {"vocab_size": shape.vocabulary, "max_position_embeddings": 77}
    config = CLIPConfig(
        projection_dim=dim or shape.dim,
        text_config=_tower(shape.text_width, shape.text_layers) | tokens,
        vision_config=_tower(shape.vision_width, shape.vision_layers) | {"image_size": 224, "patch_size": 32},
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = CLIPModel(config).eval()
        _spread_weights(model)
        pixels = torch.rand(16, 3, 7, 7).mul(4).sub(2).repeat_interleave(32, 2).repeat_interleave(32, 3)
        vision = model.vision_model
        _centre(vision.post_layernorm, vision(pixel_values=pixels).pooler_output)
        ids = torch.cat([torch.randint(0, end - 1, (64, 8)), torch.full((64, 1), end)], dim=1)
        _centre(model.text_model.final_layer_norm, model.text_model(input_ids=ids).pooler_output)
    model.save_pretrained(module)
    return folder


def make_text_tower(folder: Path, size: str = "tiny", seed: int = 0, dim: int | None = None) -> Path:
    """A model with the layout of `clip-ViT-B-32-multilingual-v1` in `folder`, which is returned."""
    import torch
    from safetensors.torch import save_file
    from transformers import DistilBertConfig, DistilBertModel

    shape = SIZES[size]
    width, out = shape.bert_width, dim or shape.dim
    vocabulary = _write_bert_tokenizer(folder, shape.bert_vocabulary)
    _write_json(folder / "config_sentence_transformers.json", {"__version__": _VERSIONS})
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": 128, "do_lower_case": False})
    layers = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense"))
    _write_json(folder / "modules.json", [_module(i, path, kind) for i, (path, kind) in enumerate(layers)])
    _write_json(folder / "1_Pooling" / "config.json", _POOLING | {"word_embedding_dimension": width})
    _write_json(folder / "2_Dense" / "config.json", _DENSE | {"in_features": width, "out_features": out})
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
        _spread_weights(model)
        ids = torch.randint(104, vocabulary, (64, 8))
        hidden = model(input_ids=ids).last_hidden_state.mean(dim=1)
        _centre(model.transformer.layer[-1].output_layer_norm, hidden)
        dense = torch.randn(out, width) / width**0.5
    model.save_pretrained(folder)
    save_file({"linear.weight": dense}, folder / "2_Dense" / "model.safetensors", metadata={"format": "pt"})
    return folder


def _spread_weights(model: Any) -> None:
    """Initialize so that inputs stay apart: matrices keep the variance, biases and positions are small.

    The usual initialization lets what all inputs share drown what tells them apart.
    """
    for name, weights in model.named_parameters():
        if "norm" in name or weights.ndim == 0:
            continue
        if weights.ndim == 1:
            weights.normal_(0, 0.02)
        elif "position" in name:
            weights.normal_(0, 0.2)
        elif "token_embedding" in name or "word_embeddings" in name:
            weights.normal_(0, 1)
        else:
            weights.normal_(0, 1.5 / (weights.numel() / weights.shape[0]) ** 0.5)


def _centre(norm: Any, outputs: Any) -> None:
    """Move a last layer norm so that the mean of `outputs` becomes zero."""
    norm.bias -= outputs.mean(dim=0)


def _write_clip_tokenizer(folder: Path, size: int) -> None:
    """A byte-level BPE vocabulary of `size` tokens in CLIP's order: bytes, bytes at a word's end, merges."""
    letters = _byte_letters()
    merges = list(islice(_merges(), size - 2 * len(letters) - 2))
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    _write_json(folder / "vocab.json", {token: n for n, token in enumerate(tokens)})
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    end = "<|endoftext|>"
    special = {"bos_token": "<|startoftext|>", "eos_token": end, "unk_token": end, "pad_token": end}
    _write_json(folder / "special_tokens_map.json", special)
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True}
    _write_json(folder / "tokenizer_config.json", special | config)


def _byte_letters() -> list[str]:
    """A printable letter per byte as byte-level BPE has them: printable bytes first, as themselves."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in printable] + [chr(0x100 + n) for n in range(256 - len(printable))]


def _merges() -> Iterator[tuple[str, str]]:
    """Merges of letters into ever longer words, each of parts that were made before it."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = letters
    while True:
        longer = [(word, letter) for word in words for letter in letters]
        for word, letter in longer:
            yield word, letter
            yield word, f"{letter}</w>"
        words = [word + letter for word, letter in longer]


def _write_bert_tokenizer(folder: Path, size: int) -> int:
    """A WordPiece vocabulary of at least `size` tokens in multilingual BERT's order; returns how many."""
    pieces = [*map(chr, range(0x21, 0x7F)), *_letters(0xC0, 0x180), *_letters(0x370, 0x500)]
    scripts = [*_letters(0x3041, 0x3100), *_letters(0x4E00, 0xA000)]
    words = ["a", "the", "in", "on", "of", "and", "dog", "dogs", "snow", "red", "car", "sea", "##s", "##ing"]
    tokens = ["[PAD]", *(f"[unused{n}]" for n in range(1, 100)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens += [*pieces, *(f"##{piece}" for piece in pieces if piece.isalnum()), *scripts, *words[1:]]
    tokens += [f"[unused{n}]" for n in range(100, 100 + size - len(tokens))]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    names = ("pad", "unk", "cls", "sep", "mask")
    special = {f"{name}_token": f"[{name.upper()}]" for name in names}
    _write_json(folder / "special_tokens_map.json", special)
    config = {"tokenizer_class": "DistilBertTokenizer", "model_max_length": 512, "do_lower_case": False}
    _write_json(folder / "tokenizer_config.json", special | config | {"strip_accents": False})
    return len(tokens)


def _letters(start: int, stop: int) -> list[str]:
    return [chr(code) for code in range(start, stop) if chr(code).isalpha()]


def _tower(width: int, layers: int) -> dict[str, int]:
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // 64),
    }


def _module(index: int, path: str, kind: str) -> dict[str, Any]:
    return {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}


def _write_json(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


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
