"""Whether a server says that its pictures are not for machine learning: `X-Robots-Tag: noai, noimageai`."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["opted_out"]

_OPT_OUTS = frozenset({"noai", "noimageai"})
_AGENTS = frozenset({"*", "esclip"})
_AGENT = re.compile(r"[\w*.+/-]+")
_WITH_VALUES = frozenset({"max-image-preview", "max-snippet", "max-video-preview", "unavailable_after"})
"""Directives that are followed by a colon, as otherwise the name of a robot is."""


def opted_out(headers: Iterable[str]) -> bool:
    """Whether one of the `X-Robots-Tag` headers opts out, for all robots or for esclip.

    A name before a colon (`otherbot: noai`) says for whom the directives after it are, up to the next name.
    """
    for header in headers:
        ours = True
        for part in header.lower().split(","):
            name, colon, rest = (word.strip() for word in part.partition(":"))
            if colon and name not in _WITH_VALUES and _AGENT.fullmatch(name):
                ours = name in _AGENTS
            if ours and (rest if colon else name) in _OPT_OUTS:
                return True
    return False
