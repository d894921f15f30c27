"""Where a search looks: at pictures as wholes, at crops of them, at their captions.

KnnSearch ─┬─► pictures ────────────────┐ the best of a
         ├─► crops ─► one a picture ──┴─ picture's scores ─┐
         └─► captions ─────────────────────────────────────┴─ fused by rank ─► hits

A cosine between a text and a caption, which is a text as well, is far higher than one between a text and a
picture. So captions and what is to be seen are compared by rank; the scores of their hits are those of what
is to be seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from esclip._core.filters import HasId
from esclip._core.parts import GRID, caption_id, crop_id, part_filters, to_image_hit
from esclip._core.schema import IndexSchema
from esclip._core.searches import KnnSearch, Scan, Search
from esclip._core.targets import CAPTIONS, CROPS, PICTURES, is_fused
from esclip._core.types import Hit, Vector, ranked
from esclip._errors import ConfigError, Hint
from esclip._protocols import Store
from esclip._search.fusion import Ranking, reciprocal_rank_fusion

__all__ = ["Retriever", "Targets"]

Targets: TypeAlias = tuple[str, ...]
"""Some of `_core.targets.PLACES`, each once, in their order."""

CROP_OVERSAMPLING = 4
"""Crops asked for, for each picture wanted: neighbours overlap, and are found together."""


@dataclass(frozen=True, slots=True)
class Retriever:
    """An index with the one that holds its parts, which is opened when it is needed."""

    store: Store
    parts: Callable[[], Store]

    def check(self, targets_of: Iterable[Targets], schema: IndexSchema) -> None:
        """Raise `ConfigError` when the index has no such parts."""
        for kind in (kind for targets in targets_of for kind in targets):
            if kind not in (PICTURES, *schema.parts):
                hint = Hint.INGEST_CROPS if kind == CROPS else Hint.INGEST_CAPTIONS
                raise ConfigError(f"index {self.store.index!r} has no {kind} to look in", hint)

    def search(self, searches: Sequence[tuple[Search, Targets]]) -> list[list[Hit]]:
        """As `Store.search`, each `KnnSearch` in the places of its look: hits are pictures, each once.

        They come in the order of their ranks, which for captions beside others is not that of their scores.
        """
        asked = [
            (search, targets if isinstance(search, KnnSearch) else (PICTURES,))
            for search, targets in searches
        ]
        seen = self._seen([(search, _seen_in(targets)) for search, targets in asked])
        read = self._read(asked)
        found = [
            _fused(targets, *both)[: search.k] if is_fused(targets) else [*both[0], *both[1]]
            for (search, targets), *both in zip(asked, seen, read, strict=True)
        ]
        by_captions = [at for at, (_, targets) in enumerate(asked) if targets == (CAPTIONS,)]
        completed = self._with_contents([found[at] for at in by_captions])
        for at, hits in zip(by_captions, completed, strict=True):
            found[at] = hits
        return self.scored(
            (search.vector if isinstance(search, KnnSearch) else None, targets, hits)
            for (search, targets), hits in zip(asked, found, strict=True)
        )

    def scored(self, found: Iterable[tuple[Vector | None, Targets, Sequence[Hit]]]) -> list[list[Hit]]:
        """With scores and boxes of what is to be seen also where words or captions alone were found.

        Each is what was looked for, None for no vector; where; and what was found.
        """
        all_hits: list[list[Hit]] = []
        asked: dict[int, tuple[Search, Targets]] = {}
        for at, (vector, targets, hits) in enumerate(found):
            all_hits.append(list(hits))
            lacking = tuple(hit.id for hit in hits if math.isnan(hit.score))
            if vector is not None and lacking:
                # a picture as a whole is to be seen in any case
                places = _seen_in(targets) or (PICTURES,)
                asked[at] = KnnSearch(vector, len(lacking), (HasId(lacking),)), places
        for at, answer in zip(asked, self._seen(list(asked.values())), strict=True):
            known = {hit.id: hit for hit in answer}
            all_hits[at] = [_with_score(hit, known.get(hit.id)) for hit in all_hits[at]]
        return all_hits

    def vectors(self, hits: Sequence[Hit], targets: Targets) -> dict[str, Vector]:
        """What the scores of hits are cosines with, by the hit's id; without those that are gone."""
        if targets == (CAPTIONS,):
            parts = {hit.id: caption_id(hit.id) for hit in hits}
        else:
            parts = {hit.id: crop_id(hit.id, hit.box) for hit in hits if hit.box in GRID}
        held = self.parts().documents(list(parts.values())) if parts else {}
        vectors = {id: held[part].vector for id, part in parts.items() if part in held}
        rest = [hit.id for hit in hits if hit.id not in vectors]
        wholes = self.store.documents(rest) if rest else {}
        return vectors | {id: document.vector for id, document in wholes.items()}

    def _seen(self, searches: Sequence[tuple[Search, Targets]]) -> list[list[Hit]]:
        """The hits by pictures and crops, each with the better of its scores."""
        found: list[list[Hit]] = [[] for _ in searches]
        wholes = {at: search for at, (search, targets) in enumerate(searches) if PICTURES in targets}
        answers = self.store.search(*wholes.values()) if wholes else []
        for at, hits in zip(wholes, answers, strict=True):
            found[at] = hits
        cut = {at: search for at, (search, targets) in enumerate(searches) if CROPS in targets}
        for at, hits in zip(cut, self._crops(list(cut.values())), strict=True):
            found[at] = _best([*found[at], *hits])[: cut[at].k]
        return found

    def _read(self, searches: Sequence[tuple[Search, Targets]]) -> list[list[Hit]]:
        """The hits by captions."""
        found: list[list[Hit]] = [[] for _ in searches]
        asked = {at: search for at, (search, targets) in enumerate(searches) if CAPTIONS in targets}
        if asked:
            answers = self.parts().search(*(_of_parts(search, CAPTIONS, 1) for search in asked.values()))
            for at, hits in zip(asked, answers, strict=True):
                found[at] = [to_image_hit(hit) for hit in hits]
        return found

    def _with_contents(self, found: Sequence[list[Hit]]) -> list[list[Hit]]:
        """Hits by captions with what their pictures' own documents know of the bytes: captions don't."""
        ids = [tuple(hit.id for hit in hits) for hits in found]
        listings = [Scan(len(some), (HasId(some),)) for some in ids if some]
        own = self.store.search(*listings) if listings else []
        contents = {hit.id: hit.content for hits in own for hit in hits}
        return [[replace(hit, content=contents.get(hit.id, hit.content)) for hit in hits] for hits in found]

    def _crops(self, searches: Sequence[Search]) -> list[list[Hit]]:
        """The hits by crops, the best of each picture: as many as there are, up to k."""
        found = self._best_crops(searches, CROP_OVERSAMPLING)
        # further crops of the same pictures may have taken the places of other pictures
        short = [at for at, (hits, more) in enumerate(found) if more and len(hits) < searches[at].k]
        again = self._best_crops([searches[at] for at in short], len(GRID))
        for at, better in zip(short, again, strict=True):
            found[at] = better
        return [hits[: search.k] for (hits, _), search in zip(found, searches, strict=True)]

    def _best_crops(self, searches: Sequence[Search], times: int) -> list[tuple[list[Hit], bool]]:
        """The best crop of each picture among k `times` crops, and whether there may be more of these."""
        asked = [_of_parts(search, CROPS, times) for search in searches]
        answers = self.parts().search(*asked) if asked else []
        return [
            (_best(map(to_image_hit, hits)), len(hits) == one.k)
            for hits, one in zip(answers, asked, strict=True)
        ]


def _with_score(hit: Hit, known: Hit | None) -> Hit:
    return replace(hit, score=known.score, box=known.box, content=known.content) if known else hit


def _seen_in(targets: Targets) -> Targets:
    return tuple(place for place in targets if place != CAPTIONS)


def _of_parts(search: Search, kind: str, times: int) -> Search:
    return replace(search, k=search.k * times, where=part_filters(kind, search.where))


def _best(hits: Iterable[Hit]) -> list[Hit]:
    """One hit a picture, with its best score; of equals the first."""
    best: dict[str, Hit] = {}
    for hit in hits:
        if hit.id not in best or hit.score > best[hit.id].score:
            best[hit.id] = hit
    return ranked(best.values())


def _fused(targets: Targets, seen: Sequence[Hit], read: Sequence[Hit]) -> list[Hit]:
    """Both rankings as one; without a score where only the caption was found."""
    return reciprocal_rank_fusion(
        Ranking(", ".join(_seen_in(targets)), 1.0, seen), [Ranking(CAPTIONS, 1.0, read)]
    )
