"""What a user looks for: texts, pictures, stored pictures and vectors, alone or combined.

Query ─┬─ parts    Text · Picture · Stored · Raw, each with a weight; below zero it leads away
       ├─ where    filters
       ├─ look     at pictures as wholes, at crops of them, at their captions
       └─ k, offset, min_score

The vectors of the parts, times their weights, are added, and the sum is what is searched for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy.typing as npt
from PIL import Image

from esclip._filters import Where
from esclip._parts import PICTURES, PLACES, chosen

__all__ = ["Part", "Picture", "Query", "Raw", "Stored", "Text"]


@dataclass(frozen=True, slots=True)
class Text:
    """Words, in any language that the text tower knows."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A path, a URL, an image file's bytes, or a PIL image."""

    image: str | Path | bytes | Image.Image
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture of the index by its id; it is left out of the hits."""

    id: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """A vector of the index's space, of any length but zero."""

    vector: npt.ArrayLike
    weight: float = 1.0


Part: TypeAlias = Text | Picture | Stored | Raw


@dataclass(frozen=True, slots=True)
class Query:
    """One search. `Query(Text("a beach"), Text("people", -0.5), k=20)`."""

    parts: tuple[Part, ...]
    k: int
    where: Where
    offset: int
    min_score: float
    look: tuple[str, ...]

    def __init__(
        self,
        *parts: Part,
        k: int = 10,
        where: Where | None = None,
        offset: int = 0,
        min_score: float = -1.0,
        look: Sequence[str] = (PICTURES,),
    ) -> None:
        """`offset` hits are passed over; those with a cosine below `min_score` are left out.

        `look` names where to look, of `pictures`, `captions` and `crops`. A crop's hit is its picture's, with
        the box. Captions beside others are ranked with them by fusion of ranks: the scores are those of what
        is to be seen; of captions alone they are the cosines with the captions.

        Raises `ValueError` for no parts, an empty text, and numbers that can't be.
        """
        if not parts:
            raise ValueError("a query needs a text, a picture, an id or a vector")
        if any(isinstance(part, Text) and not part.text.strip() for part in parts):
            raise ValueError("the text to search for is empty")
        for name, number, least in (("k", k, 1), ("offset", offset, 0)):
            if number < least:
                raise ValueError(f"{name} is {number}, not {least} or more")
        if not -1 <= min_score <= 1:
            raise ValueError(f"min_score is {min_score}, not a cosine between -1 and 1")
        places = chosen(look, PLACES, "look")
        values = {
            "parts": parts,
            "k": k,
            "where": where or {},
            "offset": offset,
            "min_score": min_score,
            "look": places,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
