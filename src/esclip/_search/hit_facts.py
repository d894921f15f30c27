"""What all that show a hit say of it: whose it is, from when, and how rarely pictures fit as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from esclip._core.settings import UNSPLASH_HOST
from esclip._core.urls import is_web_address

REFERRAL = "utm_source=esclip&utm_medium=referral"
"""What Unsplash's guidelines ask for in links to it."""
DATES = ("taken_at", "submitted_at")
"""Fields that say when a picture was taken, the surer one first."""

PERFECT = 0.1
"""No smaller share is told: a percentile is known by no more pictures than a sample has."""


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


def credit_of(location: str | None, page: str | None, metadata: Mapping[str, Any]) -> Credit | None:
    """The photographer of a picture and its page; None where nothing is known."""
    name, user = (_text(metadata.get(field)) for field in ("photographer", "photographer_username"))
    page = page if page and is_web_address(page) else ""
    if _host(location) == UNSPLASH_HOST or _host(page).endswith("unsplash.com"):
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


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _host(url: str | None) -> str:
    return (urlsplit(url).hostname or "") if url and is_web_address(url) else ""
