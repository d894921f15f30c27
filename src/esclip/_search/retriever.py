"""Retrieval over the targets of an index: images, crops of them, captions.

KnnSearch ─┬─► images ───────────────────┐ best score
           ├─► crops ─► best per image ──┴─ per image ─┐
           └─► captions ───────────────────────────────┴─ reciprocal rank fusion ─► hits

The cosine of a text with a caption, also a text, is far higher than that with an image. So captions and
images are fused by rank, and the scores of the hits are cosines with images or crops.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeAlias

from esclip._core.filters import HasId
from esclip._core.parts import GRID, caption_id, crop_id, part_filters, stored_box, to_image_hit
from esclip._core.parts import part_ids as crop_ids
from esclip._core.schema import IndexSchema
from esclip._core.searches import KeywordSearch, KnnSearch, Search
from esclip._core.targets import CAPTIONS, CROPS, PICTURES, is_fused
from esclip._core.types import Hit, Vector, rank_hits
from esclip._errors import ConfigError, Hint
from esclip._protocols import Store
from esclip._search.fusion import Ranking, reciprocal_rank_fusion

Targets: TypeAlias = tuple[str, ...]
"""Some of `_core.targets.TARGETS`, each once, in their order."""

CROP_OVERSAMPLING = 4
"""Crops retrieved for each image wanted: neighbours overlap, and are found together."""


@dataclass(frozen=True, slots=True)
class Retriever:
    """Retrieves from an index and, opened on first use, its parts index."""

    store: Store
    open_parts: Callable[[], Store]

    def require_targets(self, targets: Iterable[Targets], schema: IndexSchema) -> None:
        """Raise `ConfigError` when the index lacks one of the targets."""
        for target in chain.from_iterable(targets):
            if target not in (PICTURES, *schema.parts):
                hint = Hint.INGEST_CROPS if target == CROPS else Hint.INGEST_CAPTIONS
                raise ConfigError(f"index {self.store.index!r} has no {target} to look in", hint)

    def retrieve(self, searches: Sequence[tuple[Search, Targets]]) -> list[list[Hit]]:
        """The hits of each search, best first, each image once; a `KnnSearch` is run on all of its targets.

        A hit by caption alone has the score NaN where other targets are searched too: see `rescore`.
        """
        searches = [(search, _targets_of(search, targets)) for search, targets in searches]
        by_image = self._search_images(searches)
        by_caption = self._search_captions(searches)
        return [
            _fuse(targets, images, captions)[: search.k] if is_fused(targets) else [*images, *captions]
            for (search, targets), images, captions in zip(searches, by_image, by_caption, strict=True)
        ]

    def rescore(self, results: Sequence[tuple[Vector | None, Targets, Sequence[Hit]]]) -> list[list[Hit]]:
        """The hits, completed from their images: a cosine for hits without one, content for captions.

        Unchanged where there is no vector.
        """
        images = self._search_images(
            [
                (_rescoring_search(vector, targets, hits), _image_targets(targets) or (PICTURES,))
                for vector, targets, hits in results
            ]
        )
        return [_complete(hits, some) for (_, _, hits), some in zip(results, images, strict=True)]

    def vectors_of(self, hits: Sequence[Hit], targets: Targets) -> dict[str, Vector]:
        """The vectors that the scores of hits are cosines with, by id; deleted documents are left out."""
        if targets == (CAPTIONS,):
            part_ids = {hit.id: caption_id(hit.id) for hit in hits}
        else:
            part_ids = {hit.id: crop_id(hit.id, hit.box) for hit in hits if hit.box in GRID}
            part_ids |= self._detected_crops([hit for hit in hits if hit.box and hit.box not in GRID])
        parts = self.open_parts().documents(list(part_ids.values())) if part_ids else {}
        vectors = {id: parts[part_id].vector for id, part_id in part_ids.items() if part_id in parts}
        image_ids = [hit.id for hit in hits if hit.id not in vectors]
        images = self.store.documents(image_ids) if image_ids else {}
        return vectors | {id: document.vector for id, document in images.items()}

    def _detected_crops(self, hits: Sequence[Hit]) -> dict[str, str]:
        """The ids of the crops in the boxes of hits that a detector has found, by the pictures' ids."""
        wanted = {part: hit for hit in hits for part in crop_ids(hit.id, [CROPS])}
        parts = self.open_parts().documents([*wanted]) if wanted else {}
        return {
            wanted[id].id: id
            for id, part in parts.items()
            if stored_box(part.record.metadata) == wanted[id].box
        }

    def _search_images(self, searches: Sequence[tuple[Search | None, Targets]]) -> list[list[Hit]]:
        """The hits by images and crops, each image once with its best score."""
        by_image = _search(
            lambda: self.store, [s if PICTURES in targets else None for s, targets in searches]
        )
        by_crop = self._search_crops([s if CROPS in targets else None for s, targets in searches])
        return [
            _best_per_image([*images, *crops])[: search.k] if search and CROPS in targets else images
            for (search, targets), images, crops in zip(searches, by_image, by_crop, strict=True)
        ]

    def _search_crops(self, searches: Sequence[Search | None]) -> list[list[Hit]]:
        """The best crops of up to k images."""
        best_crops = self._best_crops(searches, CROP_OVERSAMPLING)
        # further crops of the same images may have displaced other images
        incomplete = [
            search if search and truncated and len(hits) < search.k else None
            for search, (hits, truncated) in zip(searches, best_crops, strict=True)
        ]
        deeper = self._best_crops(incomplete, len(GRID))
        return [
            (more or hits)[: search.k] if search else []
            for search, (hits, _), (more, _) in zip(searches, best_crops, deeper, strict=True)
        ]

    def _best_crops(
        self, searches: Sequence[Search | None], oversampling: int
    ) -> list[tuple[list[Hit], bool]]:
        """The best crop of each image among k x `oversampling` crops, and whether there may be more crops."""
        part_searches = [search and _part_search(search, CROPS, oversampling) for search in searches]
        return [
            (_best_per_image(map(to_image_hit, hits)), search is not None and len(hits) == search.k)
            for search, hits in zip(part_searches, _search(self.open_parts, part_searches), strict=True)
        ]

    def _search_captions(self, searches: Sequence[tuple[Search, Targets]]) -> list[list[Hit]]:
        """The hits by captions, as hits of their images."""
        caption_searches = [
            _part_search(search, CAPTIONS, 1) if CAPTIONS in targets else None for search, targets in searches
        ]
        return [list(map(to_image_hit, hits)) for hits in _search(self.open_parts, caption_searches)]


def _search(open_store: Callable[[], Store], searches: Sequence[Search | None]) -> list[list[Hit]]:
    """The hits of each search, in one request; none for None. Opens the store only for a search."""
    given = [search for search in searches if search is not None]
    results = iter(open_store().search(*given) if given else ())
    return [[] if search is None else next(results) for search in searches]


def _targets_of(search: Search, targets: Targets) -> Targets:
    """Where a search is run: only vectors know crops and captions, and without words nothing is found."""
    if isinstance(search, KnnSearch):
        return targets
    return () if isinstance(search, KeywordSearch) and not search.words else (PICTURES,)


def _image_targets(targets: Targets) -> Targets:
    return tuple(target for target in targets if target != CAPTIONS)


def _part_search(search: Search, kind: str, oversampling: int) -> Search:
    return replace(search, k=search.k * oversampling, where=part_filters(kind, search.where))


def _best_per_image(hits: Iterable[Hit]) -> list[Hit]:
    """One hit of each image, with its best score; among equal ones the first."""
    best: dict[str, Hit] = {}
    for hit in hits:
        if hit.id not in best or hit.score > best[hit.id].score:
            best[hit.id] = hit
    return rank_hits(best.values())


def _fuse(targets: Targets, images: Sequence[Hit], captions: Sequence[Hit]) -> list[Hit]:
    """One ranking by images and captions; without a score where only the caption was found."""
    by_image = Ranking(", ".join(_image_targets(targets)), 1.0, images)
    return reciprocal_rank_fusion(by_image, [Ranking(CAPTIONS, 1.0, captions)])


def _rescoring_search(vector: Vector | None, targets: Targets, hits: Sequence[Hit]) -> KnnSearch | None:
    """Finds by id the images of hits without a score, and of hits by caption alone; None for none."""
    ids = tuple(hit.id for hit in hits if math.isnan(hit.score) or targets == (CAPTIONS,))
    return KnnSearch(vector, len(ids), (HasId(ids),)) if ids and vector is not None else None


def _complete(hits: Sequence[Hit], images: Sequence[Hit]) -> list[Hit]:
    by_id = {image.id: image for image in images}
    return [_complete_hit(hit, by_id[hit.id]) if hit.id in by_id else hit for hit in hits]


def _complete_hit(hit: Hit, image: Hit) -> Hit:
    """The hit with the content of its image and, if it has no score, with score and box of the image."""
    if not math.isnan(hit.score):
        return replace(hit, content=image.content)
    explanation = tuple(
        detail._replace(score=image.score)
        if detail.score is not None and math.isnan(detail.score)
        else detail
        for detail in hit.explanation
    )
    return replace(hit, score=image.score, box=image.box, content=image.content, explanation=explanation)
