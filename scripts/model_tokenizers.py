"""Tokenizers in the file layouts of the real models', with made-up vocabularies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any

__all__ = [
    "write_bert_tokenizer",
    "write_clip_tokenizer",
    "write_gemma_tokenizer",
    "write_json",
    "write_xlm_tokenizer",
]


def write_json(path: Path, data: Any) -> None:
    """A config file, its folder included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_clip_tokenizer(folder: Path, size: int) -> None:
    """A byte-level BPE vocabulary of `size` tokens in CLIP's order: bytes, bytes at a word's end, merges."""
    letters = _byte_letters()
    merges = list(islice(_merges(), size - 2 * len(letters) - 2))
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    write_json(folder / "vocab.json", {token: n for n, token in enumerate(tokens)})
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    end = "<|endoftext|>"
    special = {"bos_token": "<|startoftext|>", "eos_token": end, "unk_token": end, "pad_token": end}
    write_json(folder / "special_tokens_map.json", special)
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True}
    write_json(folder / "tokenizer_config.json", special | config)


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


def write_bert_tokenizer(folder: Path, size: int) -> int:
    """A WordPiece vocabulary of at least `size` tokens in multilingual BERT's order; returns how many."""
    pieces = [*map(chr, range(0x21, 0x7F)), *_letters(0xC0, 0x180), *_letters(0x370, 0x500)]
    scripts = [*_letters(0x3041, 0x3100), *_letters(0x4E00, 0xA000)]
    words = ["a", "##s", "##ing", *_WORDS.split()]
    tokens = ["[PAD]", *(f"[unused{n}]" for n in range(1, 100)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens += [*pieces, *(f"##{piece}" for piece in pieces if piece.isalnum()), *scripts, *words[1:]]
    tokens += [f"[unused{n}]" for n in range(100, 100 + size - len(tokens))]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    names = ("pad", "unk", "cls", "sep", "mask")
    special = {f"{name}_token": f"[{name.upper()}]" for name in names}
    write_json(folder / "special_tokens_map.json", special)
    config = {"tokenizer_class": "DistilBertTokenizer", "model_max_length": 512, "do_lower_case": False}
    write_json(folder / "tokenizer_config.json", special | config | {"strip_accents": False})
    return len(tokens)


def write_gemma_tokenizer(folder: Path, size: int) -> int:
    """A BPE vocabulary of at least `size` tokens in Gemma's order and file; returns how many.

    As on the hub it is Gemma's by name, knows capitals, and ends each text with `<eos>`.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    letters = ["▁", *map(chr, range(0x21, 0x7F)), *_letters(0xC0, 0x180), *_letters(0x4E00, 0x9000)]
    tokens = special + [f"<0x{byte:02X}>" for byte in range(256)] + letters
    latin = "abcdefghijklmnopqrstuvwxyz"
    words = ("".join(word) for length in (2, 3, 4) for word in product(latin, repeat=length))
    tokens += islice(words, max(0, size - len(tokens)))
    vocabulary = {token: n for n, token in enumerate(tokens)}
    merges = [(t[:at], t[at:]) for t in tokens if t.isalpha() for at in range(1, len(t))]
    engine = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    engine.normalizer = normalizers.Replace(" ", "▁")
    engine.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    engine.post_processor = processors.TemplateProcessing("$A <eos>", None, [("<eos>", 1)])
    engine.add_special_tokens(special)
    folder.mkdir(parents=True, exist_ok=True)
    engine.save(str(folder / "tokenizer.json"))
    named = {f"{name}_token": f"<{name}>" for name in ("pad", "eos", "bos", "unk", "mask")}
    config: dict[str, Any] = {"tokenizer_class": "GemmaTokenizer", "processor_class": "SiglipProcessor"}
    config |= {"add_bos_token": False, "add_eos_token": True, "model_max_length": 64}
    write_json(folder / "tokenizer_config.json", named | config)
    return len(tokens)


def write_xlm_tokenizer(folder: Path, size: int) -> int:
    """A Unigram vocabulary of at least `size` tokens in XLM-RoBERTa's order and file; returns how many."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = [*map(chr, range(0x21, 0x7F)), *_letters(0xC0, 0x180), *_letters(0x4E00, 0x9000)]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "▁", *(f"▁{letter}" for letter in letters), *letters]
    latin = "abcdefghijklmnopqrstuvwxyz"
    words = ("".join(word) for length in (2, 3, 4) for word in product(latin, repeat=length))
    tokens += islice(words, max(0, size - len(tokens) - 1))
    tokens.append("<mask>")
    scored = [(token, 0.0 if n < 4 else -float(len(token))) for n, token in enumerate(tokens)]
    engine = Tokenizer(models.Unigram(scored, unk_id=3))
    engine.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("  ", " ")])
    engine.pre_tokenizer = pre_tokenizers.Metaspace()
    engine.post_processor = processors.TemplateProcessing("<s> $A </s>", None, [("<s>", 0), ("</s>", 2)])
    engine.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    folder.mkdir(parents=True, exist_ok=True)
    engine.save(str(folder / "tokenizer.json"))
    return len(tokens)


def _letters(start: int, stop: int) -> list[str]:
    return [chr(code) for code in range(start, stop) if chr(code).isalpha()]


# Whole words, so that a query has about as many tokens as with a real vocabulary.
_WORDS = (
    "the an in on of and by at with two old red blue green white dark tiny bright wooden empty small black "
    "blurry close up dog dogs cat car house boat tree bird horse bridge chair street mountain lake woman "
    "umbrella market cup coffee snow sea night field flowers sunset table forest Paris people playing photo "
    "beach city sky"
)
