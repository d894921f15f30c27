"""What the page says of a hit: how well it fits and why, in words instead of cosines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from esclip._core.calibration import MATCH_RELEVANCE
from esclip._search.hit_facts import PERFECT
from esclip.encoders.color_words import find_colors
from esclip.encoders.palette import PALETTE_COLORS
from esclip.encoders.text_warnings import unknown_scripts

SURE = 0.9
"""From this relevance on a hit is clearly more than chance."""


class Part(NamedTuple):
    """What one part of a query adds to a hit's place."""

    text: str
    share: float
    """Of all that parts add or take away, -1 to 1."""


def doubt_in_words(text_encoder: str, text: str) -> str:
    """Why what is found by a text is chance, whatever it is; empty where nothing speaks for that."""
    if text_encoder == "palette" and not find_colors(text):
        return f"Your words name no colour, and {PALETTE_COLORS}: the order is chance."
    if scripts := unknown_scripts(text_encoder, text):
        return f"The model was not trained on {', '.join(scripts)}: what it makes of your words is chance."
    return ""


def fit_in_words(hit: Mapping[str, Any]) -> str:
    """How well a hit fits, as far as that is known."""
    relevance, percentile = hit["relevance"], hit["percentile"]
    if relevance is None or percentile is None:
        return ""
    sure = "clearly more than chance" if relevance >= SURE else "more than chance"
    sure = sure if relevance >= MATCH_RELEVANCE else "no more than chance might bring"
    better = f"{min(percentile, 100 - PERFECT):.1f}\u00a0%"
    return f"It fits your words better than {better} of pictures fit a sentence that means nothing: {sure}."


def why_in_words(details: Sequence[Mapping[str, Any]]) -> list[Part]:
    """The parts of a query with what they add to a hit's place, the strongest first."""
    total = sum(abs(detail["adds"]) for detail in details) or 1.0
    parts = [Part(_sentence(detail), detail["adds"] / total) for detail in details]
    return sorted(parts, key=lambda part: -abs(part.share))


def _sentence(detail: Mapping[str, Any]) -> str:
    kind, _, what = detail["part"].partition(": ")
    wanted = detail["weight"] > 0
    said = {
        "text": f"how {'much' if wanted else 'little'} it shows “{what}”",
        "words": f"“{what}” in its texts",
        "id": f"how {'like' if wanted else 'unlike'} it is to the picture {what}",
        "image": f"how {'like' if wanted else 'unlike'} it is to your picture",
    }.get(kind, detail["part"])
    if detail["rank"] is not None:
        return f"{said}: place {detail['rank']:,} by this alone"
    return said if detail["score"] is not None else f"{said}: not among the best by this alone"
