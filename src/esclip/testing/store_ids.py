"""What every store promises of ids and fingerprints."""

from __future__ import annotations

from esclip._protocols import Store
from esclip.testing.documents import EVERYTHING, axis, document, nearest, record
from esclip.testing.store_case import StoreCase, count

HOSTILE_IDS = [
    "-abc",
    " spaces around ",
    "it's",
    'say "hi"',
    "a'; DROP TABLE x; --",
    "' OR 1=1 --",
    "back\\slash/and/slash",
    "a,b&c=d?e#f%20g",
    "{'a': [1]}",
    "*",
    ".",
    "..",
    "_id",
    "null",
    "007",
    "日本語 🐘",
    "\u00e9",
    "e\u0301",
    "ABC",
    "abc",
    "x" * 512,
    "é" * 256,
]


class StoreIds(StoreCase):
    """Any id, and what is held of it."""

    def test_fingerprints_see_writes_at_once(self, prepared: Store) -> None:
        """A fingerprint is there as soon as upsert has returned, outside and inside of loading."""
        prepared.upsert([document("a")])
        assert prepared.fingerprints(["a", "b"]) == {"a": record("a").fingerprint}
        with prepared.bulk_load():
            prepared.upsert([document("b")])
            assert set(prepared.fingerprints(["a", "b", "c"])) == {"a", "b"}
            prepared.update([record("a", image_version="2")])
            assert prepared.fingerprints(["a"]) == {"a": record("a", image_version="2").fingerprint}

    def test_fingerprints_of_planted_documents(self, prepared: Store) -> None:
        """Fingerprints written by others are read as they are."""
        self.plant(prepared, [document("a", metadata=EVERYTHING)])
        assert prepared.fingerprints(["a"]) == {"a": record("a", EVERYTHING).fingerprint}

    def test_fingerprints_of_large_pages(self, prepared: Store) -> None:
        """A page of a thousand ids, repeated ones included, is answered whole."""
        documents = [document(f"{i:04}") for i in range(1000)]
        assert prepared.upsert(documents) == []
        asked = [d.record.id for d in documents] + ["0007", "missing"]
        expected = {d.record.id: d.record.fingerprint for d in documents}
        assert prepared.fingerprints(asked) == expected

    def test_ids_that_no_document_has(self, prepared: Store) -> None:
        """Half a surrogate pair, which odd bytes of a command line become, is an id that isn't held."""
        prepared.upsert([document("a")])
        odd = ["\udcff", "a\ud800b"]
        assert set(prepared.documents([*odd, "a"])) == set(prepared.fingerprints([*odd, "a"])) == {"a"}
        assert (prepared.documents(odd), prepared.fingerprints(odd), prepared.vectors_by_content(odd)) == (
            {},
            {},
            {},
        )
        prepared.delete(odd)
        prepared.delete([*odd, "b"])
        assert set(prepared.documents(["a", "x" * 600])) == {"a"}
        rejections = prepared.upsert([document(odd[0])]) + prepared.update([record(odd[1])])
        assert [rejection.id for rejection in rejections] == odd

    def test_hostile_ids(self, prepared: Store) -> None:
        """An id is any text, compared exactly: quotes, slashes, case and Unicode forms included."""
        with prepared.bulk_load():
            for turn in range(2):
                pages = [document(id, axis(turn)) for id in HOSTILE_IDS]
                assert prepared.upsert(pages) == []
        assert count(prepared) == len(HOSTILE_IDS)
        assert set(prepared.fingerprints([*HOSTILE_IDS, "aBc", "'"])) == set(HOSTILE_IDS)
        for id in HOSTILE_IDS:
            assert prepared.documents([id])[id].record.id == id
        assert {hit.id for hit in nearest(prepared, axis(1), 99)} == set(HOSTILE_IDS)
        assert prepared.update([record(id, {"likes": 1}) for id in HOSTILE_IDS]) == []
        raw = self.peek(prepared, "a'; DROP TABLE x; --")
        assert raw is not None
        assert raw["likes"] == 1
