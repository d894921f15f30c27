"""What the page says of a hit: how well it fits and why, whose it is, in words instead of cosines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from esclip._core.calibration import MATCH_RELEVANCE
from esclip._core.settings import UNSPLASH_HOST
from esclip._core.urls import is_web_address

REFERRAL = "utm_source=esclip&utm_medium=referral"
"""What Unsplash's guidelines ask for in links to it."""
DATES = ("taken_at", "submitted_at")
"""Fields that say when a picture was taken, the surer one first."""

PERFECT = 0.1
"""No smaller share is told: a percentile is known by no more pictures than a sample has."""
SURE = 0.9
"""From this relevance on a hit is clearly more than chance."""


class Credit(NamedTuple):
    """Whose a picture is, and where that is said."""

    name: str
    url: str
    """Of the person, or of the picture's page; empty where neither is known."""
    site: str
    """The page's host by name, such as `Unsplash`; empty where it has none."""
    page: str

    @property
    def text(self) -> str:
        """To be copied with the picture."""
        by = f"Photo by {self.name}" if self.name else "Photo"
        on = f" on {self.site}" if self.site else ""
        return f"{by}{on}" + (f" ({self.page})" if self.page else "")


def credit_of(hit: Mapping[str, Any]) -> Credit | None:
    """The photographer of a hit and its page; None where nothing is known."""
    metadata = hit["metadata"]
    name, user = (_text(metadata.get(field)) for field in ("photographer", "photographer_username"))
    page = hit["page"] if hit["page"] and is_web_address(hit["page"]) else ""
    if _host(hit["location"]) == UNSPLASH_HOST or _host(page).endswith("unsplash.com"):
        of_user = f"https://unsplash.com/@{quote(user, safe='')}?{REFERRAL}" if user else ""
        page = f"{page}{'&' if '?' in page else '?'}{REFERRAL}" if page else ""
        return Credit(name or user, of_user or page, "Unsplash", page)
    if not (name or page):
        return None
    own = _text(metadata.get("photographer_url"))
    return Credit(name, own if is_web_address(own) else page, _host(page).removeprefix("www."), page)


def year_of(metadata: Mapping[str, Any]) -> str:
    """The year when a picture was taken, or handed in."""
    days = (_text(metadata.get(field))[:4] for field in DATES)
    return next((day for day in days if day.isdecimal()), "")


def rarity(percentile: float | None) -> str:
    """How few pictures fit as well for a sentence that means nothing; empty where it is no distinction."""
    if percentile is None or percentile < 50:
        return ""
    share = max(100 - percentile, PERFECT)
    return f"top {share:.1f}\u00a0%" if share < 10 else f"top {share:.0f}\u00a0%"


class Part(NamedTuple):
    """What one part of a query adds to a hit's place."""

    text: str
    share: float
    """Of all that parts add or take away, -1 to 1."""


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


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _host(url: str | None) -> str:
    return (urlsplit(url).hostname or "") if url and is_web_address(url) else ""
