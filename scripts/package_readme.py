"""Build hook: the package's description on PyPI is README.md, with links that lead to the repository.

hatchling calls it (pyproject.toml, `tool.hatch.metadata.hooks.custom`). Relative links would lead nowhere on
PyPI; they become those of the released version at `Source` of `project.urls`. Without that address they stay.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

__all__ = ["ReadmeHook", "absolute_links"]

_LINK = re.compile(
    r"""(?P<before>(?P<image>!)?\[[^\[\]]*\]\(|\)\]\(|<img\s[^>]*?src="|<source\s[^>]*?srcset="|<a\s[^>]*?href=")(?!\w+:|#)"""
)


class ReadmeHook(MetadataHookInterface):
    """Sets `readme`, which pyproject.toml declares as dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the README to the metadata."""
        text = (Path(self.root) / "README.md").read_text("utf-8")
        if source := metadata.get("urls", {}).get("Source"):
            text = absolute_links(text, source, f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def absolute_links(text: str, source: str, tag: str) -> str:
    """Markdown whose relative links lead to `tag` of the repository at `source`, pictures to the file."""

    def lengthen(link: re.Match[str]) -> str:
        is_image = link["image"] or link["before"].startswith(("<img", "<source"))
        return f"{link['before']}{source}/{'raw' if is_image else 'blob'}/{tag}/"

    return _LINK.sub(lengthen, text)
