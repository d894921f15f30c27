"""The page of one index: searches by the parameters of its URL, and makes HTML of the hits.

URL, pictures ─┬─ nothing to search for ─► the first documents ─┐
               ├─ a search ─► hits ─────────────────────────────┼─► _results.html, page.html
               └─ view=ID ─► the hit, its neighbours, why ──────┴─► _viewer.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from esclip._core.calibration import MATCH_RELEVANCE
from esclip._core.schema import Stats
from esclip._core.types import PICTURE, Hit, document_hit
from esclip._errors import ConfigError
from esclip._errors.counts import pluralize
from esclip._index import ImageIndex
from esclip._search.gallery import file_name
from esclip._search.hits import Hits
from esclip._search.options import RELEVANCE
from esclip._search.query import Clause, Query
from esclip._server.page.address import PLACE, PageAddress
from esclip._server.page.assets import Assets
from esclip._server.page.choices import choice_title, is_choice
from esclip._server.page.facets_panel import FacetCounter
from esclip._server.page.hosts import PictureHosts
from esclip._server.page.orders import field_of, orders_of
from esclip._server.page.parameters import PageParameters
from esclip._server.page.rendering import render
from esclip._server.page.tiles import HEIGHT, Tile, TileLinks, picture_url, tile_of, title_of
from esclip._server.page.viewer import Neighbours, View, make_view
from esclip._server.page.words import doubt_in_words
from esclip._server.problems import Problem, ProblemType
from esclip._server.search_messages import MAX_DEPTH, render_hit, render_note

STATS_SECONDS = 30.0
"""For which the index's counts are kept."""


EXAMPLES = {"like": "more like", "unlike": "less like"}
"""Parameters that name pictures of the index, in words."""
NO_CHIPS = frozenset({"q", "k", "sort", "fields", "filters"}) | PLACE
"""Parameters that are shown elsewhere, or not at all."""


class Chip(NamedTuple):
    """A part of the search that can be taken away."""

    kind: str
    text: str
    picture: str
    """Its thumbnail; empty where it is none."""
    without: str
    """URL of the search without it."""


class Results(NamedTuple):
    """A page of hits."""

    heading: str
    fitting: list[Tile]
    weak: list[Tile]
    """Those that fit no better than chance, below the others."""
    matched: bool
    """Whether anything fits, as far as is known."""
    note: str
    """Why there are none."""
    doubt: str
    """Why what is found by the text is chance; empty where nothing speaks for that."""
    next: str
    previous: str
    took: float
    """Milliseconds."""


class Total(NamedTuple):
    """How many documents there are to be seen, page after page."""

    documents: int
    noun: str
    listed: bool
    """Whether they are listed, and not ranked by a search."""


class SearchPage:
    """Makes the page. Thread-safe."""

    def __init__(
        self,
        index: ImageIndex,
        observe: Callable[[str, float], None],
        *,
        show_paths: bool = False,
        originals: bool = False,
    ) -> None:
        """Search this index; `observe` is told the seconds of each stage of a search."""
        self._index = index
        self._observe = observe
        self._show_paths = show_paths
        self._originals = originals
        self.assets = Assets()
        self.hosts = PictureHosts()
        self._facets = FacetCounter(index, show_paths=show_paths)
        self._stats: tuple[float, Stats] | None = None

    def answer(self, address: PageAddress, aside: Mapping[str, str], more: Sequence[Clause] = ()) -> str:
        """The page of a URL, or the part of it that a script wants; `more` are clauses beside the URL's.

        Raises the errors of a search, and `ValidationError` for parameters that are none.
        """
        began = time.perf_counter()
        wanted = PageParameters.of(address, aside)
        values: dict[str, Any] = {
            "address": address,
            "stats": self._read_stats(),
            "chips": self._chips(address),
        }
        if wanted.part == "facets":
            return render("_facets.html", facets=self._facets.panel(address), **values)
        if not wanted.is_view:
            values["orders"] = orders_of(
                self._read_stats().fields, wanted.sort, searches=_searches(address, more)
            )
            values["order"] = wanted.sort
            is_open = wanted.filters == "on" and wanted.part == "page"
            values["facets"] = self._facets.panel(address) if is_open else None
            values["filters_url"] = address.replace(filters=None if is_open else "on").url
            values["results"] = self._results(wanted, address, more, began)
            template = "_results.html" if wanted.part == "results" else "page.html"
        else:
            values["view"] = self._view(wanted, address, more)
            values["originals"] = self._originals
            template = "_viewer.html" if wanted.part == "viewer" else "view.html"
        return render(template, **values)

    def error(self, address: PageAddress, problem: Problem, part: str) -> str:
        """The page with what is wrong in the place of results."""
        template = "_error.html" if part in ("results", "viewer") else "page.html"
        chips = [_chip(name, value, address, None) for name, value in _parts(address)]
        return render(
            template,
            address=address,
            stats=self._stats and self._stats[1],
            chips=chips,
            results=None,
            facets=None,
            filters_url=address.replace(filters="on").url,
            error=problem.for_people(),
        )

    def _read_stats(self) -> Stats:
        now = time.monotonic()
        if self._stats is None or now - self._stats[0] > STATS_SECONDS:
            self._stats = now, self._index.stats()
        return self._stats[1]

    def _results(
        self, wanted: PageParameters, address: PageAddress, more: Sequence[Clause], began: float
    ) -> Results:
        address = address.replace(view=None, at=None)
        hits, deepest = self._find(wanted, address, more)
        self.hosts.remember(hit.location for hit in hits)
        links = TileLinks.of(address)
        tiles = [self._tile(hit, number, links) for number, hit in enumerate(hits)]
        weak = _weak(hits)
        shown = wanted.offset + len(hits)
        is_full = len(hits) == (wanted.shown or wanted.k)
        goes_on = is_full and shown + wanted.k <= deepest
        before = max(wanted.offset - wanted.k, 0)
        return Results(
            heading=_heading(hits, weak, wanted, self._total(wanted, address, more)),
            fitting=[tile for tile, is_weak in zip(tiles, weak, strict=True) if not is_weak],
            weak=[tile for tile, is_weak in zip(tiles, weak, strict=True) if is_weak],
            matched=hits.matched is not False,
            note=render_note(hits, wanted.where, show_paths=self._show_paths) or "",
            doubt=doubt_in_words(self._read_stats().text_encoder, address.value("q"))
            if address.value("q")
            else "",
            next=address.replace(offset=shown).url if goes_on else "",
            previous=address.replace(offset=before or None).url if wanted.offset else "",
            took=1000 * (time.perf_counter() - began),
        )

    def _total(self, wanted: PageParameters, address: PageAddress, more: Sequence[Clause]) -> Total | None:
        """What is listed or ranked in all; None where a search or an order may leave documents out."""
        narrows = wanted.where or wanted.words or wanted.targets or wanted.collapse
        bounded = wanted.min_score > -1 or wanted.min_relevance is not None
        if narrows or bounded or wanted.sort != RELEVANCE:
            return None
        stats, examples = self._read_stats(), {*wanted.like, *wanted.unlike}
        noun = "document" if stats.texts else "picture"
        return Total(stats.documents - len(examples), noun, listed=not _searches(address, more))

    def _find(self, wanted: PageParameters, address: PageAddress, more: Sequence[Clause]) -> tuple[Hits, int]:
        """The hits of a page, and how deep its search can be paged through.

        A field orders what fits, where that is known, and what has it, where nothing is searched for.
        """
        if not _searches(address, more):
            if wanted.sort == RELEVANCE:
                first = max(wanted.at - 2, 0) if wanted.is_view else wanted.offset
                return self._list(first, 3 if wanted.is_view else wanted.shown or wanted.k), MAX_DEPTH
            wanted = wanted.model_copy(update={"where": [f"exists({field_of(wanted.sort)})"]})
        elif wanted.sort != RELEVANCE and wanted.min_relevance is None:
            fitting = wanted.model_copy(update={"min_relevance": MATCH_RELEVANCE})
            with suppress(ConfigError):  # relevance is known of texts only, and not in every index
                return self._search(fitting.query(*more)), MAX_DEPTH
        query = wanted.query(*more)
        return self._search(query), _deepest(query)

    def _search(self, query: Query) -> Hits:
        hits = self._index.search(query)
        for stage, seconds in hits.took.items():
            self._observe(stage, seconds)
        return hits

    def _list(self, offset: int, k: int) -> Hits:
        """Documents in the order of their ids, where there is nothing to search for."""
        documents = self._index.peek(min(offset + k, MAX_DEPTH))[offset:]
        return Hits(
            replace(document_hit(document, 0.0), rank=rank)
            for rank, document in enumerate(documents, start=offset + 1)
        )

    def _view(self, wanted: PageParameters, address: PageAddress, more: Sequence[Clause]) -> View:
        """A hit and its neighbours; without them where it is no hit at its rank any more."""
        assert wanted.view is not None
        hits: Sequence[Hit] = self._find(wanted, address, more)[0] if wanted.at else ()
        place = next((place for place, hit in enumerate(hits) if hit.id == wanted.view), None)
        if place is None:
            documents = self._index.get(wanted.view)
            if not documents:
                raise Problem(ProblemType.UNKNOWN_DOCUMENT)
            hits, place = [document_hit(documents[0], 0.0)], 0
        before, after = hits[max(place - 1, 0) : place], hits[place + 1 : place + 2]
        neighbours = tuple((one.id, one.rank) for one in (*before, *after))
        self.hosts.remember([hits[place].location])
        return make_view(
            render_hit(hits[place], fields=None, show_paths=self._show_paths),
            self._tile(hits[place], 0, TileLinks.of(address))._replace(
                more=address.more_like(wanted.view).url, less=address.less_like(wanted.view).url
            ),
            address,
            Neighbours(neighbours[0] if before else None, neighbours[-1] if after else None),
            self._read_stats().fields,
            wanted.k,
        )

    def _chips(self, address: PageAddress) -> list[Chip]:
        """What is searched for beside the text, to be taken away part by part."""
        parts = _parts(address)
        ids = [value for name, value in parts if name in EXAMPLES]
        examples = {one.record.id: document_hit(one, 0.0) for one in self._index.get(ids)} if ids else {}
        self.hosts.remember(hit.location for hit in examples.values())
        return [_chip(name, value, address, examples.get(value)) for name, value in parts]

    def _tile(self, hit: Hit, number: int, links: TileLinks) -> Tile:
        rendered = render_hit(hit, fields=None, show_paths=self._show_paths)
        return tile_of(rendered, file_name(hit), number, links)


def _searches(address: PageAddress, more: Sequence[Clause]) -> bool:
    """Whether there is anything to search for."""
    searched = ("q", "words", "like", "unlike", "where")
    return bool(more) or any(name in searched or is_choice(name) for name, _ in address.pairs)


def _parts(address: PageAddress) -> list[tuple[str, str]]:
    return [(name, value) for name, value in address.pairs if name not in NO_CHIPS]


def _chip(name: str, value: str, address: PageAddress, example: Hit | None) -> Chip:
    """A part of the search; `example` is the document that it names."""
    without = address.remove(name, value).url
    if name in EXAMPLES:
        if example is None:
            return Chip(EXAMPLES[name], value, "", without)
        rendered = render_hit(example, fields=None, show_paths=False)
        return Chip(
            EXAMPLES[name], title_of(rendered, file_name(example)), picture_url(rendered, HEIGHT), without
        )
    return Chip("" if name == "where" else choice_title(name), value, "", without)


def _weak(hits: Hits) -> list[bool]:
    """Which hits fit no better than chance: none where that is not known."""
    return [hit.relevance is not None and hit.relevance < MATCH_RELEVANCE for hit in hits]


def _heading(hits: Hits, weak: Sequence[bool], wanted: PageParameters, total: Total | None) -> str:
    """How many there are, as far as this page tells."""
    noun = "document" if any(hit.kind != PICTURE for hit in hits) else "picture"
    if total is not None and total.listed:
        return pluralize(total.documents, total.noun)
    if not hits:
        return "Nothing found" if not wanted.offset else "No more"
    first, last = wanted.offset + 1, wanted.offset + len(hits)
    if wanted.offset:
        return f"{first:,} to {last:,}"
    known = sum(hit.relevance is not None for hit in hits)  # of texts it is not
    if not known:
        if last < (wanted.shown or wanted.k):
            return pluralize(last, noun)
        if total is None or total.documents < last:
            return f"The first {last:,}"
        all_of_it = pluralize(total.documents, total.noun)
        return f"The first {last:,} of {all_of_it}" if total.documents > last else all_of_it
    fitting = known - weak.count(True)
    if fitting == 0:
        return "Nothing fits well"
    over = "more than " if fitting == known and last == (wanted.shown or wanted.k) else ""
    return f"{over}{fitting:,} fit well" if fitting > 1 else f"{over}1 fits well"


def _deepest(query: Query) -> int:
    """How many hits a search can page through."""
    window = query.options["rank_window_size"]
    return min(window, MAX_DEPTH) if query.is_fused or query.is_ordered else MAX_DEPTH
