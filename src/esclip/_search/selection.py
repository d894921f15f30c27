"""Hits in a notebook, of which some can be selected by mouse or keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from esclip._core.arguments import AnyId, coerce_callback, coerce_ids
from esclip._search.gallery import render_gallery

if TYPE_CHECKING:
    from esclip._search.gallery_widget import GalleryWidget
    from esclip._search.hits import Hits

INSTALL = "pictures can be selected here with: pip install 'esclip[notebook]'"


class Gallery:
    """Hits whose pictures can be selected in a notebook. Made by `Hits.gallery`.

    Without the extra `notebook` the pictures are shown, and selected by `select` only.
    """

    def __init__(self, hits: Hits) -> None:
        """Show these hits, none of them selected."""
        self._hits = hits
        self._ids: list[str] = []
        self._callbacks: list[Callable[[Hits], object]] = []
        self._widget = _make_widget(hits)
        if self._widget is not None:
            self._widget.observe(self._changed, names="selected_ids")

    @property
    def hits(self) -> Hits:
        """All hits that it was made of."""
        return self._hits

    @property
    def selected(self) -> Hits:
        """The selected hits, best first."""
        ids = set(self._widget.selected_ids if self._widget is not None else self._ids)
        chosen = [hit for hit in self._hits if hit.id in ids]
        return type(self._hits)(chosen, self._hits.matched, self._hits.note, self._hits.took)

    @property
    def widget(self) -> Any:
        """What ipywidgets puts into boxes and tabs; None without the extra `notebook`."""
        return self._widget

    def select(self, ids: AnyId | Iterable[AnyId]) -> None:
        """Select these hits and no others, also in the browser. What the gallery doesn't have is left out.

        Args:
            ids: Ids or hits, or one; an empty list selects none.
        """
        wanted = set(coerce_ids("ids", ids))
        known = [hit.id for hit in self._hits if hit.id in wanted]
        if self._widget is not None:
            self._widget.selected_ids = known
        elif known != self._ids:
            self._ids = known
            self._changed()

    def on_change(self, callback: Callable[[Hits], object]) -> None:
        """Call `callback` with the selected hits whenever the selection has changed."""
        coerce_callback("callback", callback)
        self._callbacks.append(callback)

    def _changed(self, change: object = None) -> None:
        for callback in self._callbacks:
            callback(self.selected)

    def __repr__(self) -> str:
        return f"<Gallery of {len(self._hits)} hits, {len(self.selected)} selected>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        if self._widget is None:
            return {"text/plain": repr(self), "text/html": f"{render_gallery(self._hits)}<p>{INSTALL}</p>"}
        bundle = self._widget._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**(data or {}), "text/plain": repr(self)}, metadata


def _make_widget(hits: Hits) -> GalleryWidget | None:
    """The widget; None where anywidget isn't installed."""
    try:
        from esclip._search.gallery_widget import GalleryWidget
    except ImportError:
        return None
    return GalleryWidget(hits)
