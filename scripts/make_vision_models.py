"""Make tiny models that look at pictures, with the file layout of real ones, and random weights from a seed.

    OUT/blip-tiny     BLIP: a picture tower, and a text decoder that looks at it
    OUT/yolos-tiny    YOLOS: a picture tower with 5 tokens that become boxes

What they find means nothing; it is always the same of the same picture.

    python -m scripts.make_vision_models --out models
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from scripts.make_models import spread_weights
from scripts.model_tokenizers import write_bert_tokenizer, write_json

__all__ = ["make_blip", "make_yolos"]


def main() -> None:
    """Make the models under `--out`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder that gets the model folders")
    options = parser.parse_args()
    print(make_blip(options.out / "blip-tiny"))
    print(make_yolos(options.out / "yolos-tiny"))


def make_blip(folder: Path, seed: int = 0) -> Path:
    """A model with the layout of Salesforce's blip-image-captioning-base in `folder`, which is returned."""
    import torch
    from transformers import BlipConfig, BlipForConditionalGeneration

    vocabulary = write_bert_tokenizer(folder, 0)
    tokenizer = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 512}
    special = {name: f"[{name[:-6].upper()}]" for name in _SPECIAL}
    write_json(folder / "tokenizer_config.json", tokenizer | special)
    write_json(folder / "preprocessor_config.json", _PREPROCESSOR)
    pad, begin, end = 0, 101, 102  # where write_bert_tokenizer has them
    tokens = {"pad_token_id": pad, "bos_token_id": begin, "sep_token_id": end, "eos_token_id": end}
    text: dict[str, Any] = {
        "vocab_size": vocabulary,
        "max_position_embeddings": 64,
        "encoder_hidden_size": 32,
    }
    config = BlipConfig(
        text_config=_TOWER | text | tokens,
        vision_config=_TOWER | {"image_size": 32, "patch_size": 16},
        projection_dim=32,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = BlipForConditionalGeneration(config).eval()
        spread_weights(model)
    model.save_pretrained(folder)
    return folder


def make_yolos(folder: Path, seed: int = 0) -> Path:
    """A model with the layout of hustvl's yolos-tiny in `folder`, which is returned."""
    import torch
    from transformers import YolosConfig, YolosForObjectDetection

    config = YolosConfig(**_TOWER, image_size=[64, 64], patch_size=16, num_detection_tokens=5, num_labels=2)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = YolosForObjectDetection(config).eval()
        spread_weights(model)
    model.save_pretrained(folder)
    processor = {
        name: _PREPROCESSOR[name] for name in ("do_normalize", "do_resize", "image_mean", "image_std")
    }
    size = {"size": {"height": 64, "width": 64}, "image_processor_type": "YolosImageProcessor"}
    write_json(folder / "preprocessor_config.json", processor | size | {"do_pad": False})
    return folder


_TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
_SPECIAL = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
_PREPROCESSOR = {
    "do_normalize": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "BlipImageProcessor",
    "processor_class": "BlipProcessor",
    "resample": 3,
    "size": {"height": 32, "width": 32},
}

if __name__ == "__main__":
    main()
