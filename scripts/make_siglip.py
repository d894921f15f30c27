"""Make a model with the layout of Google's `siglip2-base-patch16-224`, with random weights.

python -m scripts.make_siglip --out models
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from scripts.make_models import centre, spread_weights, tower
from scripts.model_tokenizers import write_gemma_tokenizer, write_json

__all__ = ["main", "make_siglip"]


def main() -> None:
    """Make the model in full size under `--out`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder that gets the model's folder")
    print(make_siglip(parser.parse_args().out / "siglip2-base-patch16-224", "full"))


def make_siglip(folder: Path, size: str = "tiny", seed: int = 0) -> Path:
    """A model with the layout of Google's `siglip2-base-patch16-224` in `folder`, which is returned.

    Transformers alone loads it: no `modules.json`. Like there the config leaves out what is usual.
    """
    import torch
    from transformers import SiglipConfig, SiglipModel

    usual = size == "full"
    vocabulary = write_gemma_tokenizer(folder, 256_000 if usual else 0)
    write_json(folder / "preprocessor_config.json", _PREPROCESSOR)
    towers: dict[str, Any] = {} if usual else tower(64, 1)
    config = SiglipConfig(
        text_config=towers | {"vocab_size": vocabulary, "projection_size": 768 if usual else 64},
        vision_config=towers,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = SiglipModel(config).eval()
        spread_weights(model)
        model.text_model.embeddings.token_embedding.weight[0] = 0  # most of a text is padding
        ids = torch.cat([torch.randint(261, 400, (64, 8)), torch.zeros((64, 56), dtype=torch.long)], dim=1)
        hidden = model.text_model(input_ids=ids).last_hidden_state[:, -1]
        centre(model.text_model.final_layer_norm, hidden)
    model.save_pretrained(folder)
    if usual:
        little = {"model_type": "siglip", "text_config": {"vocab_size": vocabulary}, "vision_config": {}}
        write_json(folder / "config.json", little)
    return folder


_PREPROCESSOR = {
    "do_convert_rgb": None,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "SiglipImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "processor_class": "SiglipProcessor",
    "resample": 2,
    "rescale_factor": 1 / 255,
    "size": {"height": 224, "width": 224},
}

if __name__ == "__main__":
    main()
