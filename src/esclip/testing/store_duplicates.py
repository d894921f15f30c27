"""What every store promises of pictures that are nearly the same: folded in results, grouped in an index."""

from __future__ import annotations

import numpy as np
import pytest

from esclip import (
    DuplicateGroup,
    Hits,
    ImageIndex,
    IndexNotFound,
    Keywords,
    Query,
    SimilarTo,
    VectorQuery,
    open_index,
)
from esclip._core.types import Metadata, StoredDocument, Vector, cosines, unit_rows
from esclip._protocols import Store
from esclip.testing.documents import SCHEMA, axis, random_vectors, record
from esclip.testing.store_case import StoreCase


def family(
    name: str, vector: Vector, size: int, spread: float, seed: int, **metadata: str
) -> list[StoredDocument]:
    """Pictures around a vector: the more spread, the less alike."""
    around = unit_rows(vector + spread * random_vectors(size, seed))
    return [picture(f"{name}{n:02}", row, metadata) for n, row in enumerate(around)]


def picture(id: str, vector: Vector, metadata: Metadata | None = None, content: str = "") -> StoredDocument:
    """A document whose description names its family."""
    return StoredDocument(
        record(id, metadata or {}, description=f"picture of {id[:-2]}"), vector, content or id
    )


def library() -> list[StoredDocument]:
    """Sixty pictures that have nothing to do with each other, and three families."""
    loners = [picture(f"x{n:02}", row) for n, row in enumerate(random_vectors(60, 51))]
    copies = [picture(f"same{n:02}", axis(2), content="the same bytes") for n in range(45)]
    return [
        *loners,
        *family("beach", axis(0), 20, 0.08, 52, country="Norway"),
        *family("house", axis(1), 3, 0.08, 53),
        *copies,
    ]


def ids(hits: Hits) -> list[str]:
    """The ids, in the order of the hits."""
    return [hit.id for hit in hits]


class StoreDuplicates(StoreCase):
    """An index with families of pictures."""

    @pytest.fixture
    def families(self, store: Store) -> ImageIndex:
        """The index of the library in this store."""
        store.ensure_index(SCHEMA)
        with store.bulk_load():
            assert store.upsert(library()) == []
        return open_index(store, encoder="palette")

    def test_collapsed_hits(self, families: ImageIndex) -> None:
        """The best of each family stays, has the others, and k hits come back; no two are alike."""
        query = axis(0) + 0.9 * axis(1) + 0.8 * axis(2)
        hits = families.search(Query(VectorQuery(query), k=12, collapse=0.9))
        assert len(hits) == 12
        assert [hit.rank for hit in hits] == list(range(1, 13))
        folded = {hit.id[:-2]: hit.duplicates for hit in hits if hit.duplicates}
        assert [(name, len(others)) for name, others in folded.items()] == [
            ("beach", 19),
            ("house", 2),
            ("same", 44),
        ]
        assert folded["same"] == tuple(f"same{n:02}" for n in range(1, 45))
        vectors = np.stack([one.vector for one in families.store.documents(ids(hits)).values()])
        assert all((cosines(vectors, row) >= 0.9).sum() == 1 for row in vectors)
        plain = families.search(Query(VectorQuery(query), k=12))
        assert all(hit.duplicates == () for hit in plain)

    def test_collapsed_pages(self, families: ImageIndex) -> None:
        """Pages laid end to end are the whole list, which ends where there are no others."""
        whole = families.search(Query(VectorQuery(axis(0)), k=200, collapse=0.9))
        assert len(whole) == 63
        pages = [
            hit
            for at in range(0, 70, 7)
            for hit in families.search(Query(VectorQuery(axis(0)), k=7, offset=at, collapse=0.9))
        ]
        assert [(hit.rank, hit.id) for hit in pages] == [(hit.rank, hit.id) for hit in whole]

    def test_collapsed_queries_of_all_kinds(self, families: ImageIndex) -> None:
        """Neighbours, words, filters and fused rankings are collapsed too, a minimum score holds."""
        near = families.search(Query(SimilarTo("same07"), k=3, collapse=0.9))
        assert ids(near)[0] == "same00"
        assert "same07" not in (*ids(near), *near[0].duplicates)
        assert len(near) == 3
        (words,) = families.search(Query(Keywords("same"), k=3, collapse=0.9))
        assert len(words.duplicates) == 44
        (listed,) = families.search(Query(where="country=Norway", collapse=0.9))
        assert (listed.id, len(listed.duplicates)) == ("beach00", 19)
        fused = families.search(Query(VectorQuery(axis(1)), Keywords("beach"), k=2, collapse=0.9))
        assert {hit.id[:-2] for hit in fused} == {"beach", "house"}
        assert all(hit.score == hit.score for hit in fused)
        (least,) = families.search(Query(VectorQuery(axis(2)), k=5, min_score=0.999, collapse=0.9))
        assert len(least.duplicates) == 44

    def test_groups(self, families: ImageIndex) -> None:
        """Each family is a group, the largest first, of however many pictures; the others are in none."""
        counts: list[int] = []
        groups = families.duplicates(0.9, on_progress=counts.append)
        assert families_of(groups) == [("same", 45, True), ("beach", 20, False), ("house", 3, False)]
        assert counts[-1] == 128
        beach = groups[1]
        assert [hit.rank for hit in beach.hits] == list(range(1, 21))
        assert (beach.hits[0].id, beach.hits[0].score) == ("beach00", 1.0)
        held = families.store.documents(ids(beach.hits))
        true = [float(held[id].vector @ held["beach00"].vector) for id in ids(beach.hits)]
        np.testing.assert_allclose([hit.score for hit in beach.hits], true, atol=self.tolerance)
        assert true[1:] == sorted(true[1:], reverse=True)
        assert (beach.lowest, beach.highest) == (beach.hits[-1].score, beach.hits[1].score)

    def test_groups_among_some(self, families: ImageIndex) -> None:
        """A threshold and a filter say what takes part; where nothing is alike there is no group."""
        assert families_of(families.duplicates(1.0)) == [("same", 45, True)]
        assert families_of(families.duplicates(0.9, "country=Norway")) == [("beach", 20, False)]
        assert families.duplicates(0.9, "country=Chile") == []

    def test_no_groups_without_an_index(self, store: Store) -> None:
        """An index that isn't there, or is empty, has no groups: it is an error."""
        with pytest.raises(IndexNotFound):
            open_index(store, encoder="palette").duplicates()
        store.ensure_index(SCHEMA)
        with pytest.raises(IndexNotFound, match="empty"):
            open_index(store, encoder="palette").duplicates()


def families_of(groups: list[DuplicateGroup]) -> list[tuple[str, int, bool]]:
    """What a group is of, how many pictures, and whether they are exact."""
    return [("+".join(sorted({hit.id[:-2] for hit in one.hits})), len(one.hits), one.exact) for one in groups]
