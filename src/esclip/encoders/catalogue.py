"""The catalogue of models known by name, with their properties and their aliases.

Other models that sentence-transformers loads can be used too; these are tested. A model's names on the hub
and in open_clip are aliases of one entry, with one text tower for queries.

Sources:

- dimensions and sizes: the models' config files, and parameters of four bytes with the tokenizer's files;
- languages: CLIP was made for English (openai/CLIP, model-card.md); the multilingual tower's card says "50+
  languages"; SigLIP 2 was trained on texts of 109 (arXiv:2502.14786);
  XLM-RoBERTa on 100 (its card), with pictures on LAION-5B;
- licences: the models' cards on the hub. Those of OpenAI's CLIPs name none: their maintainer supposes that of
  openai/CLIP, whose code is under MIT (clip-ViT-B-32, discussion 4);
- other names: openai/CLIP's and open_clip's for the same weights (open_clip, docs/PRETRAINED.md);
- memory: `scripts/bench_memory.py` on two cores with bfloat16, for exported towers: batches of 32 pictures,
  or queries. More cores encode more batches at once. Texts of the pair with XLM-RoBERTa were in float32:
  bfloat16 was refused with random weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the catalogue, and whether this machine has it."""

    name: str
    """Its name for `load_encoder`."""
    towers: tuple[str, ...]
    """Its towers: `pictures`, `texts`."""
    text_encoder: str
    """The model whose text tower encodes queries by default."""
    dim: int
    languages: str
    """Of its own text tower."""
    download_megabytes: int
    licence: str
    """By its card on the hub."""
    picture_megabytes: int | None
    """Peak memory of a process that encodes images."""
    text_megabytes: int
    """The same for queries, by its own text tower."""
    needs: str | None = None
    """The extra to install for it."""
    folder: Path | None = None
    """Its folder on this machine; None if it would have to be downloaded."""
    prepared: tuple[str, ...] = ()
    """Its towers that are exported for this machine's CPU."""

    def to_json(self) -> dict[str, Any]:
        """The model as the command line prints it with `--json`."""
        return asdict(self) | {"folder": str(self.folder) if self.folder else None}


def canonical_name(name: str) -> str | None:
    """The catalogue's name of a model, from any of its aliases in any case; None for other models."""
    return _NAMES.get(name.strip().casefold())


def hub_name(name: str) -> str:
    """The model's name on the hub: the catalogue's, or that of another repository with the same weights."""
    name = name.strip()
    return name if name in _REPOSITORIES.values() else canonical_name(name) or name


def default_text_encoder(name: str) -> str:
    """The model whose text tower encodes queries for this one; the model itself outside the catalogue."""
    canonical = canonical_name(name)
    return next((model.text_encoder for model in MODELS if model.name == canonical), name)


def known_scripts(text_encoder: str) -> frozenset[str] | None:
    """The scripts, by Unicode's names, that a text tower was trained on; None if unknown."""
    return _SCRIPTS.get(canonical_name(text_encoder) or "")


_BOTH = ("pictures", "texts")
_CLIP_LICENCE = "none named (CLIP's code: MIT)"
_MULTILINGUAL_TEXTS = "clip-ViT-B-32-multilingual-v1"
_SIGLIP = "google/siglip2-base-patch16-224"
_XLM_ROBERTA = "laion/CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k"

# name, towers, text encoder, dim, languages, MB to download, licence, MB in memory for pictures, for texts
MODELS = (
    Model("clip-ViT-B-32", _BOTH, _MULTILINGUAL_TEXTS, 512, "English", 610, _CLIP_LICENCE, 580, 300),
    Model(_MULTILINGUAL_TEXTS, ("texts",), _MULTILINGUAL_TEXTS, 512, "50+", 540, "Apache-2.0", None, 860),
    Model("clip-ViT-B-16", _BOTH, "clip-ViT-B-16", 512, "English", 600, _CLIP_LICENCE, 680, 300),
    Model("clip-ViT-L-14", _BOTH, "clip-ViT-L-14", 768, "English", 1710, _CLIP_LICENCE, 1690, 510),
    Model(_SIGLIP, _BOTH, _SIGLIP, 768, "109", 1540, "Apache-2.0", 760, 920),
    Model(_XLM_ROBERTA, _BOTH, _XLM_ROBERTA, 512, "100", 1470, "MIT", 580, 1800, "esclip[open-clip]"),
)

_REPOSITORIES = {
    "clip-ViT-B-32": "openai/clip-vit-base-patch32",
    "clip-ViT-B-16": "openai/clip-vit-base-patch16",
    "clip-ViT-L-14": "openai/clip-vit-large-patch14",
}
"""Other repositories with the same weights in another file format, loaded if named."""


def _build_names() -> dict[str, str]:
    names = {model.name: model.name for model in MODELS}
    names |= {f"sentence-transformers/{name}": name for name in names if "/" not in name}
    names |= {repository: name for name, repository in _REPOSITORIES.items()}
    for name in _REPOSITORIES:
        tower = name.removeprefix("clip-")
        for alias in (tower, f"{tower}-quickgelu"):
            aliases = (alias, *(f"{alias}{separator}openai" for separator in ("::", "/", "__", ":")))
            names |= dict.fromkeys((*aliases, *(f"open_clip:{alias}" for alias in aliases)), name)
            names |= dict.fromkeys((f"open_clip/{alias}/openai", f"open_clip/{alias}"), name)
        names["ViT-" + tower.removeprefix("ViT-").replace("-", "/", 1)] = name
    for separator in ("::", "__"):
        alias = f"xlm-roberta-base-ViT-B-32{separator}laion5b_s13b_b90k"
        names |= {alias: _XLM_ROBERTA, f"open_clip:{alias}": _XLM_ROBERTA}
    names |= {
        f"{prefix}{name}": names[name] for prefix in _HUB_PREFIXES for name in list(names) if "/" in name
    }
    return {name.casefold(): model for name, model in names.items()}


_HUB_PREFIXES = ("hf-hub:", "hf://", "https://huggingface.co/")
"""Prefixes of names on the hub in other programs."""

_NAMES = _build_names()

_ENGLISH = frozenset({"LATIN"})
_MULTILINGUAL = _ENGLISH | {"ARABIC", "ARMENIAN", "CJK", "CYRILLIC", "DEVANAGARI", "GEORGIAN", "GREEK"}
_MULTILINGUAL |= {"GUJARATI", "HANGUL", "HEBREW", "HIRAGANA", "KATAKANA", "MYANMAR", "THAI"}
"""The scripts of the languages on the multilingual tower's card."""

_SCRIPTS: Mapping[str, frozenset[str]] = {
    "clip-ViT-B-32": _ENGLISH,
    _MULTILINGUAL_TEXTS: _MULTILINGUAL,
    "clip-ViT-B-16": _ENGLISH,
    "clip-ViT-L-14": _ENGLISH,
}
"""Towers of a hundred languages are left out: they know nearly all scripts."""
