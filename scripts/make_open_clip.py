"""Make a model with the layout of LAION's `CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k`.

Its weights are random. Needs open_clip. In full size the folder holds what the hub's repository does:
neither `open_clip_config.json` nor the text tower's config; in tiny size both, whose values are nowhere else.

    python -m scripts.make_open_clip --out models
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from esclip.encoders.checkpoints.open_clip_config import open_clip_config, text_tower
from esclip.encoders.loading import quiet_loading
from scripts.make_models import centre, spread_weights
from scripts.model_tokenizers import write_json, write_xlm_tokenizer

__all__ = ["NAME", "main", "make_open_clip"]

NAME = "CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k"


def main() -> None:
    """Make the model in full size under `--out`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder that gets the model's folder")
    print(make_open_clip(parser.parse_args().out / NAME, "full"))


def make_open_clip(folder: Path, size: str = "tiny", seed: int = 0) -> Path:
    """The model in `folder`, which is returned; in full size the folder has to be named `NAME`."""
    import open_clip
    import torch

    full = size == "full"
    vocabulary = write_xlm_tokenizer(folder, 250_002 if full else 0)
    write_json(folder / "preprocessor_config.json", {"size": 224})
    (folder / "open_clip_pytorch_model.bin").touch()  # a folder with weights, which is known by its name
    config = _config(folder) if full else _tiny_config(folder, vocabulary)
    with tempfile.TemporaryDirectory() as scratch, quiet_loading(), torch.random.fork_rng(devices=[]):
        write_json(Path(scratch) / "config.json", text_tower(folder, config))
        config["model_cfg"]["text_cfg"]["hf_model_name"] = scratch
        write_json(Path(scratch) / "open_clip_config.json", config)
        torch.manual_seed(seed)
        model = open_clip.create_model(f"local-dir:{scratch}", load_weights=False, pretrained_text=False)
        with torch.no_grad():
            spread_weights(model.eval())
            pixels = torch.rand(16, 3, 7, 7).mul(4).sub(2).repeat_interleave(32, 2).repeat_interleave(32, 3)
            _centre_output(model.visual.ln_post, model.visual, pixels)
            last = model.text.transformer.encoder.layer[-1].output.LayerNorm
            _centre_output(last, model.text, torch.randint(5, vocabulary - 1, (64, 8)))
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


def _config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = {"preprocess_cfg": {}, **open_clip_config(folder, NAME)}
    model = config["model_cfg"]
    return config | {"model_cfg": model | {"text_cfg": dict(model["text_cfg"])}}


def _tiny_config(folder: Path, vocabulary: int) -> dict[str, Any]:
    vision = {"image_size": 224, "layers": 1, "width": 64, "patch_size": 32, "head_width": 32}
    text = {"hf_model_name": "xlm-roberta-base", "hf_tokenizer_name": "xlm-roberta-base"}
    config: dict[str, Any] = {
        "model_cfg": {
            "embed_dim": 64,
            "vision_cfg": vision,
            "text_cfg": text | {"hf_pooler_type": "mean_pooler"},
        },
        "preprocess_cfg": {"resize_mode": "shortest", "interpolation": "bicubic"},
    }
    write_json(folder / "open_clip_config.json", config)
    tower: dict[str, Any] = {"model_type": "xlm-roberta", "hidden_size": 32, "intermediate_size": 128}
    tower |= {"num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": vocabulary}
    tower |= {"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
    tower |= {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    write_json(folder / "config.json", tower)
    return config


def _centre_output(norm: Any, tower: Any, inputs: Any) -> None:
    """Move the layer norm so that what it gives for these inputs has the mean zero."""
    given: list[Any] = []
    hook = norm.register_forward_hook(lambda _module, _inputs, output: given.append(output))
    tower(inputs)
    hook.remove()
    centre(norm, given[0].flatten(end_dim=-2))


if __name__ == "__main__":
    main()
