"""The gallery of a notebook whose pictures can be selected (the extra `notebook`).

hits ─► show_hit ─► items ─► gallery_widget.js ─► a checkbox for each picture ─► selected_ids
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from esclip._core.types import Hit
from esclip._search.gallery import MAX_SHOWN, frame_of, show_hit

_FILES = Path(__file__).with_suffix("")


class GalleryWidget(anywidget.AnyWidget):
    """What the browser draws, and what is selected in it."""

    _esm = _FILES.with_suffix(".js").read_text(encoding="utf-8")
    _css = _FILES.with_suffix(".css").read_text(encoding="utf-8")
    items = traitlets.List(traitlets.Dict()).tag(sync=True)
    more = traitlets.Unicode().tag(sync=True)
    """How many further hits there are."""
    selected_ids = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, hits: Sequence[Hit]) -> None:
        """Show these hits, as many as a gallery shows."""
        left = len(hits) - MAX_SHOWN
        super().__init__(
            items=[_item(hit) for hit in hits[:MAX_SHOWN]],
            more=f"and {left:,} more" if left > 0 else "",
        )

    def __repr__(self) -> str:
        return f"<Gallery: {len(self.items)} shown, {len(self.selected_ids)} selected>"


def _item(hit: Hit) -> dict[str, Any]:
    """A hit as the browser gets it: where its file is only if its picture can't be shown."""
    shown = show_hit(hit)
    return {
        "id": hit.id,
        **shown._asdict(),
        "place": "" if shown.picture else shown.place,
        "picture": shown.picture and shown.picture._asdict(),
        "box": shown.box and frame_of(shown.box),
    }
