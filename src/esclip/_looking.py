"""Where a search looks: at pictures as wholes, at crops of them, at their captions.

Nearest ─┬─► pictures ────────────────┐ the best of a
         ├─► crops ─► one a picture ──┴─ picture's scores ─┐ by the sum of
         └─► captions ─────────────────────────────────────┴─ 1 / (60 + rank) ─► hits

A cosine between a text and a caption, which is a text as well, is far higher than one between a text and a
picture. So captions and what is to be seen are compared by ranks (reciprocal rank fusion: Cormack, Clarke,
Büttcher, SIGIR 2009); the scores of their hits are those of what is to be seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from esclip._conditions import HasId
from esclip._errors import ConfigError
from esclip._parts import CAPTIONS, CROPS, GRID, PICTURES, picture_hit, those_of
from esclip._protocols import Store
from esclip._schema import IndexSchema
from esclip._searches import Nearest, Search
from esclip._types import Hit, ranked

__all__ = ["Looker", "check_looks"]

SMOOTHING = 60

FUSED = 200
"""The best of each ranking that are fused, whatever the page: so the pages up to there don't overlap."""

FIRST = 4
"""Crops asked for, for each picture wanted: neighbours overlap, and are found together."""

Look: TypeAlias = tuple[str, ...]


def check_looks(looks: Iterable[Look], schema: IndexSchema, index: str) -> None:
    """Raise `ConfigError` when the index has no such parts."""
    for look in looks:
        for kind in look:
            if kind not in (PICTURES, *schema.parts):
                raise ConfigError(
                    f"index {index!r} has no {kind} to look in; make them with: "
                    f"esclip ingest PATH --parts {kind}"
                )


@dataclass(frozen=True, slots=True)
class Looker:
    """An index with the one that holds its parts, which is opened when it is needed."""

    store: Store
    parts: Callable[[], Store]

    def search(self, searches: Sequence[Search], looks: Sequence[Look]) -> list[list[Hit]]:
        """`Store.search`, by each `Nearest` in the places of its look: hits are pictures, each once.

        They come in the order of their ranks, which for captions beside others is not that of their scores.
        """
        places = [
            look if isinstance(search, Nearest) else (PICTURES,)
            for search, look in zip(searches, looks, strict=True)
        ]
        visible = [tuple(kind for kind in place if kind != CAPTIONS) for place in places]
        seen = self._seen(list(map(_deep, searches, places)), visible)
        read = self._read(searches, places)
        found = [
            (_fused(*both) if _is_fused(place) else [*both[0], *both[1]])[: search.k]
            for place, search, *both in zip(places, searches, seen, read, strict=True)
        ]
        return self._scored(searches, visible, found)

    def _seen(self, searches: Sequence[Search], places: Sequence[Look]) -> list[list[Hit]]:
        """The hits by pictures and crops, each with the better of its scores."""
        whole = [at for at, place in enumerate(places) if PICTURES in place]
        cut = [at for at, place in enumerate(places) if CROPS in place]
        found: list[list[Hit]] = [[] for _ in searches]
        wholes = self.store.search(*(searches[at] for at in whole)) if whole else []
        for at, hits in zip(whole, wholes, strict=True):
            found[at] = hits
        for at, hits in zip(cut, self._crops([searches[at] for at in cut]), strict=True):
            found[at] = _best([*found[at], *hits])[: searches[at].k]
        return found

    def _read(self, searches: Sequence[Search], places: Sequence[Look]) -> list[list[Hit]]:
        """The hits by captions."""
        asked = [at for at, place in enumerate(places) if CAPTIONS in place]
        found: list[list[Hit]] = [[] for _ in searches]
        deep = [_of_parts(_deep(searches[at], places[at]), CAPTIONS, 1) for at in asked]
        for at, hits in zip(asked, self.parts().search(*deep) if deep else (), strict=True):
            found[at] = [picture_hit(hit) for hit in hits]
        return found

    def _crops(self, searches: Sequence[Search]) -> list[list[Hit]]:
        """The hits by crops, the best of each picture: as many as there are, up to k."""
        found = self._best_crops(searches, FIRST)
        # further crops of the same pictures may have taken the places of other pictures
        short = [at for at, (hits, whole) in enumerate(found) if whole and len(hits) < searches[at].k]
        again = self._best_crops([searches[at] for at in short], len(GRID))
        for at, better in zip(short, again, strict=True):
            found[at] = better
        return [hits[: search.k] for (hits, _), search in zip(found, searches, strict=True)]

    def _best_crops(self, searches: Sequence[Search], times: int) -> list[tuple[list[Hit], bool]]:
        """With whether as many crops were found as were asked for, so that there may be more."""
        asked = [_of_parts(search, CROPS, times) for search in searches]
        answers = self.parts().search(*asked) if asked else []
        return [
            (_best(map(picture_hit, hits)), len(hits) == one.k)
            for hits, one in zip(answers, asked, strict=True)
        ]

    def _scored(
        self, searches: Sequence[Search], visible: Sequence[Look], found: list[list[Hit]]
    ) -> list[list[Hit]]:
        """With scores and boxes of what is to be seen also where a caption alone was found."""
        lacking = {
            at: tuple(hit.id for hit in hits if math.isnan(hit.score)) for at, hits in enumerate(found)
        }
        asked = {at: ids for at, ids in lacking.items() if ids}
        if not asked:
            return found
        narrowed = [
            replace(searches[at], k=len(ids), where=(*searches[at].where, HasId(ids)))
            for at, ids in asked.items()
        ]
        answers = self._seen(narrowed, [visible[at] for at in asked])
        for at, hits in zip(asked, answers, strict=True):
            known = {hit.id: hit for hit in hits}
            found[at] = [replace(known.get(hit.id, hit), rank=hit.rank) for hit in found[at]]
        return found


def _deep(search: Search, place: Look) -> Search:
    """As deep as rankings are fused, where there are several."""
    return replace(search, k=max(search.k, FUSED)) if _is_fused(place) else search


def _is_fused(place: Look) -> bool:
    return CAPTIONS in place and len(place) > 1


def _of_parts(search: Search, kind: str, times: int) -> Search:
    return replace(search, k=search.k * times, where=those_of(kind, search.where))


def _best(hits: Iterable[Hit]) -> list[Hit]:
    """One hit a picture, with its best score; of equals the first."""
    best: dict[str, Hit] = {}
    for hit in hits:
        if hit.id not in best or hit.score > best[hit.id].score:
            best[hit.id] = hit
    return ranked(best.values())


def _fused(seen: Sequence[Hit], read: Sequence[Hit]) -> list[Hit]:
    """Both rankings as one; without a score where only the caption was found."""
    totals: dict[str, float] = {}
    for ranking in (seen, read):
        for rank, hit in enumerate(ranking, start=1):
            totals[hit.id] = totals.get(hit.id, 0.0) + 1 / (SMOOTHING + rank)
    hits = {hit.id: replace(hit, score=math.nan) for hit in read} | {hit.id: hit for hit in seen}
    ordered = sorted(hits, key=lambda id: (-totals[id], id))
    return [replace(hits[id], rank=rank) for rank, id in enumerate(ordered, start=1)]
