"""The models that are known by name, and what one wants to know before taking one.

Any other model that sentence-transformers loads can be named too; what is here is what esclip was made for.
A model goes by several names, those of the hub and of open_clip: by whichever it is called, it is one model
here, with one text tower for queries.

Where the facts come from:

- dimensions and sizes: the models' config files, and parameters of four bytes with the tokenizer's files;
- languages: CLIP was made for English (openai/CLIP, model-card.md); the multilingual tower's card says "50+
  languages"; SigLIP 2 was trained on texts of 109 (arXiv:2502.14786);
  XLM-RoBERTa on 100 (its card), with pictures on LAION-5B;
- licences: the models' cards on the hub. Those of OpenAI's CLIPs name none: their maintainer supposes that of
  openai/CLIP, whose code is under MIT (clip-ViT-B-32, discussion 4);
- other names: openai/CLIP's and open_clip's for the same weights (open_clip, docs/PRETRAINED.md);
- memory: `scripts/bench_memory.py` on two cores with bfloat16, for exported towers: batches of 32 pictures,
  or queries. More cores encode more batches at once. Texts of the pair with XLM-RoBERTa were in float32, as
  those in bfloat16 were refused with random weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["MODELS", "Model", "canonical_name", "default_text_encoder", "hub_name", "known_scripts"]


@dataclass(frozen=True, slots=True)
class Model:
    """A known model, and whether this machine has it."""

    name: str
    """What `--encoder` or `--text-encoder` takes."""
    towers: tuple[str, ...]
    """What it encodes: `pictures`, `texts`."""
    text_encoder: str
    """Whose text tower encodes the queries, unless another is asked for."""
    dim: int
    languages: str
    """Of its own text tower."""
    download_megabytes: int
    licence: str
    """By its card on the hub."""
    picture_megabytes: int | None
    """The most memory that a process takes while it encodes pictures."""
    text_megabytes: int
    """The same for queries, by its own text tower."""
    needs: str | None = None
    """What has to be installed besides esclip to load it."""
    folder: Path | None = None
    """Where it is on this machine; None where it would have to be downloaded."""
    prepared: tuple[str, ...] = ()
    """Which of its towers are exported for this machine's CPU."""

    def to_json(self) -> dict[str, Any]:
        """The model as the command line prints it with `--json`."""
        return asdict(self) | {"folder": str(self.folder) if self.folder else None}


def canonical_name(name: str) -> str | None:
    """The name here of a model by any of its names, in any case; None for a model that isn't here."""
    return _NAMES.get(name.strip().casefold())


def hub_name(name: str) -> str:
    """What the hub knows a model by: the name here, or that of another repository with the same weights."""
    known = canonical_name(name)
    return name.strip() if known is None or name.strip() in _REPOSITORIES.values() else known


def default_text_encoder(name: str) -> str:
    """The text tower that was trained to fit a model; the model itself where there is no better one."""
    known = canonical_name(name)
    return next((model.text_encoder for model in MODELS if model.name == known), name)


def known_scripts(text_encoder: str) -> frozenset[str] | None:
    """The scripts that a text tower was trained on, by Unicode's names; None where that isn't known."""
    return _SCRIPTS.get(canonical_name(text_encoder) or "")


_CLIP_LICENCE = "none named (CLIP's code: MIT)"

MODELS = (
    Model(
        name="clip-ViT-B-32",
        towers=("pictures", "texts"),
        text_encoder="clip-ViT-B-32-multilingual-v1",
        dim=512,
        languages="English",
        download_megabytes=610,
        licence=_CLIP_LICENCE,
        picture_megabytes=580,
        text_megabytes=300,
    ),
    Model(
        name="clip-ViT-B-32-multilingual-v1",
        towers=("texts",),
        text_encoder="clip-ViT-B-32-multilingual-v1",
        dim=512,
        languages="50+",
        download_megabytes=540,
        licence="Apache-2.0",
        picture_megabytes=None,
        text_megabytes=860,
    ),
    Model(
        name="clip-ViT-B-16",
        towers=("pictures", "texts"),
        text_encoder="clip-ViT-B-16",
        dim=512,
        languages="English",
        download_megabytes=600,
        licence=_CLIP_LICENCE,
        picture_megabytes=680,
        text_megabytes=300,
    ),
    Model(
        name="clip-ViT-L-14",
        towers=("pictures", "texts"),
        text_encoder="clip-ViT-L-14",
        dim=768,
        languages="English",
        download_megabytes=1710,
        licence=_CLIP_LICENCE,
        picture_megabytes=1690,
        text_megabytes=510,
    ),
    Model(
        name="google/siglip2-base-patch16-224",
        towers=("pictures", "texts"),
        text_encoder="google/siglip2-base-patch16-224",
        dim=768,
        languages="109",
        download_megabytes=1540,
        licence="Apache-2.0",
        picture_megabytes=760,
        text_megabytes=920,
    ),
    Model(
        name="laion/CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k",
        towers=("pictures", "texts"),
        text_encoder="laion/CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k",
        dim=512,
        languages="100",
        download_megabytes=1470,
        licence="MIT",
        picture_megabytes=580,
        text_megabytes=1800,
        needs="esclip[open-clip]",
    ),
)

_REPOSITORIES = {
    "clip-ViT-B-32": "openai/clip-vit-base-patch32",
    "clip-ViT-B-16": "openai/clip-vit-base-patch16",
    "clip-ViT-L-14": "openai/clip-vit-large-patch14",
}
"""Other repositories with the same weights, in a file of other bytes: they are loaded from there."""


def _build_names() -> dict[str, str]:
    names = {model.name: model.name for model in MODELS}
    names |= {f"sentence-transformers/{name}": name for name in names if "/" not in name}
    names |= {repository: name for name, repository in _REPOSITORIES.items()}
    for name in _REPOSITORIES:
        tower = name.removeprefix("clip-")
        for own in (tower, f"{tower}-quickgelu"):
            ours = (own, f"{own}::openai", f"{own}/openai", f"{own}__openai", f"{own}:openai")
            names |= dict.fromkeys((*ours, *(f"open_clip:{one}" for one in ours)), name)
            names |= dict.fromkeys((f"open_clip/{own}/openai", f"open_clip/{own}"), name)
        names["ViT-" + tower.removeprefix("ViT-").replace("-", "/", 1)] = name
    xlm = "laion/CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k"
    for own in (
        "xlm-roberta-base-ViT-B-32::laion5b_s13b_b90k",
        "xlm-roberta-base-ViT-B-32__laion5b_s13b_b90k",
    ):
        names |= {own: xlm, f"open_clip:{own}": xlm}
    names |= {
        f"{prefix}{name}": names[name] for prefix in _HUB_PREFIXES for name in list(names) if "/" in name
    }
    return {name.casefold(): model for name, model in names.items()}


_HUB_PREFIXES = ("hf-hub:", "hf://", "https://huggingface.co/")
"""What stands before a name on the hub where a program knows other places too."""

_NAMES = _build_names()

_ENGLISH = frozenset({"LATIN"})
_MULTILINGUAL = _ENGLISH | {
    "ARABIC",
    "ARMENIAN",
    "CJK",
    "CYRILLIC",
    "DEVANAGARI",
    "GEORGIAN",
    "GREEK",
    "GUJARATI",
    "HANGUL",
    "HEBREW",
    "HIRAGANA",
    "KATAKANA",
    "MYANMAR",
    "THAI",
}
"""Those of the languages on the multilingual tower's card."""

_SCRIPTS: Mapping[str, frozenset[str]] = {
    "clip-ViT-B-32": _ENGLISH,
    "clip-ViT-B-32-multilingual-v1": _MULTILINGUAL,
    "clip-ViT-B-16": _ENGLISH,
    "clip-ViT-L-14": _ENGLISH,
}
"""The towers that know a hundred languages are left out: nearly all scripts."""
