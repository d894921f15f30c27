"""Tokenize texts for a text tower by its tokenizer file, without torch and transformers.

texts ─► tokens ─► truncated to the model's limit, with a warning ─► ids and mask, padded to the longest
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from esclip._core.settings import TEXT_LOGGER
from esclip._core.text_forms import compose
from esclip._errors.counts import pluralize

_log = logging.getLogger(TEXT_LOGGER)

MAX_TOKENS = 1 << 20
"""The highest accepted limit of a tower: texts may be padded to it."""

Tokens: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Ids and mask, each of shape (n, length): the mask is 1 for a token and 0 for padding."""


@dataclass(frozen=True, slots=True)
class TokenizerFile:
    """A serialized tokenizer."""

    model: str
    """The content of a `tokenizer.json`, for `tokenizers.Tokenizer`."""
    limit: int
    """The tower's maximum of tokens."""
    pad_id: int
    pad_token: str
    to_limit: bool = False
    """Whether every text is padded to the limit, as in SigLIP's training."""

    def to_json(self) -> dict[str, Any]:
        """Its fields by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TokenizerFile:
        """Parse the result of `to_json`. Raises `TypeError` or `ValueError`."""
        file = cls(**data)
        if type(file.limit) is not int or not 0 <= file.limit <= MAX_TOKENS:
            raise ValueError(f"limit {file.limit!r}")
        return file


NO_TOKENIZER = TokenizerFile("", 0, 0, "")
"""For image towers."""


class Tokenizer:
    """Tokenizes texts. Thread-safe."""

    def __init__(self, file: TokenizerFile, *, warn: bool = True) -> None:
        """Load a file; `warn` of truncated texts. Raises what `tokenizers` raises on an invalid file."""
        from tokenizers import Tokenizer as Engine

        self._warn = warn
        self._limit = file.limit
        self._engine = Engine.from_str(file.model)
        self._engine.enable_truncation(file.limit)
        length = file.limit if file.to_limit else None
        self._engine.enable_padding(pad_id=file.pad_id, pad_token=file.pad_token, length=length)

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Tokenize texts; truncate those that are too long, with one warning of all."""
        encodings = self._engine.encode_batch(clean_texts(texts))
        if self._warn:
            pairs = zip(texts, encodings, strict=True)
            self._warn_of_cuts([(text, encoding) for text, encoding in pairs if encoding.overflowing])
        ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64)
        return ids, mask

    def _warn_of_cuts(self, cut: Sequence[tuple[str, Any]]) -> None:
        """Log the length of the first text that was cut, and how many more there are."""
        if not cut:
            return
        text, encoding = cut[0]
        parts = [encoding, *encoding.overflowing]
        count = sum(part.special_tokens_mask.count(0) for part in parts)
        tokens = pluralize(count + encoding.special_tokens_mask.count(1), "token")
        others = f" and {pluralize(len(cut) - 1, 'other')}" if len(cut) > 1 else ""
        _log.warning("text of %s cut to the model's %d: %.40r…%s", tokens, self._limit, text, others)


def clean_texts(texts: Sequence[str]) -> list[str]:
    """Normalize texts to NFC, with a question mark for each lone surrogate, which no tokenizer accepts."""
    return [compose(text).encode("utf-8", "replace").decode() for text in texts]
