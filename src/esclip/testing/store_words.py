"""What every store promises of searching by words and by conditions alone, and of comparing every vector."""

from __future__ import annotations

import numpy as np
import pytest

from esclip._core.analysis import analyze_query, former_words
from esclip._core.filters import AllOf, AnyOf, HasId, HasWords, Not
from esclip._core.searches import KeywordSearch, KnnSearch, Scan, Search
from esclip._core.types import Hit, Metadata, StoredDocument
from esclip._protocols import Store
from esclip._search.filter_parser import parse_filter
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import (
    FIELDS,
    SCHEMA,
    axis,
    document,
    random_documents,
    random_vectors,
    record,
    where,
)
from esclip.testing.store_case import StoreCase

TEXTS: dict[str, tuple[str, Metadata]] = {
    "a": ("Two dogs play in the snow", {"country": "Norway", "colors": ("white", "dark blue")}),
    "b": ("A dog", {"country": "Chile", "caption": "sleeping near Santiago"}),
    "c": ("A cat at the window", {"country": "Norway"}),
    "d": ("東京の夜、タワー", {"country": "日本"}),
    "e": ("서울에서 찍은 사진", {}),
    "f": ("黒猫", {"colors": ("black",)}),
    "g": ("", {"likes": 7}),
}

MATCHING: list[tuple[str, str]] = [
    ("dog", "ab"),
    ("DOGS", "ab"),
    ("the playing dogs", "ab"),
    ("santiago", "b"),
    ("norway", "ac"),
    ("Norway snow", "ac"),
    ("dark", "a"),
    ("東京", "d"),
    ("京の夜", "d"),
    ("大阪", ""),
    ("東", "d"),
    ("タワー", "d"),
    ("ﾀﾜｰ", "d"),
    ("서울", "e"),
    ("사진", "e"),
    ("부산", ""),
    ("猫", "f"),
    ("黒猫", "f"),
    ("nothing of this", ""),
]

MATCHING_WITHOUT_MARKS: list[tuple[str, str]] = [
    ("tromso", "a"),
    ("TROMSØ", "a"),
    ("lodz", "b"),
    ("Aero", "c"),
    ("ışık", "d"),
    ("ISIK", "d"),
    ("محمد", "e"),
    ("שלום", "f"),
    ("da nang", "g"),
    ("đa nẵng", "g"),
]

WORDS_AS_A_CONDITION: list[tuple[str, str]] = [
    ("words~dog", "ab"),
    ("words~DOGS snow", "a"),
    ("words~norway window", "c"),
    ('words~"dark, blue"', "a"),
    ("words~snow,santiago", "ab"),
    ("words!~dog", "cdefg"),
    ("!(words~dog & words~snow)", "bcdefg"),
    ("words~dog & country=Norway", "a"),
    ("words~dog | colors=black", "abf"),
    ("words~東京", "d"),
    ("words~サ", ""),
    ("words~norw", ""),
]


def hits(store: Store, search: Search) -> list[Hit]:
    """One search of the store."""
    (found,) = store.search(search)
    return found


def _matching(store: Store, query: str) -> str:
    """Ids of what has words of the query, in their order."""
    return "".join(hit.id for hit in hits(store, KeywordSearch(analyze_query(query), 10)))


class StoreWords(StoreCase):
    """Documents with texts, found by words; all documents, one page after the other."""

    @pytest.fixture
    def library(self, prepared: Store) -> Store:
        """The store with a few documents that have texts."""
        planted = [
            StoredDocument(record(id, metadata, description=text), axis(number))
            for number, (id, (text, metadata)) in enumerate(TEXTS.items())
        ]
        assert prepared.upsert(planted) == []
        with prepared.bulk_load():
            pass
        return prepared

    def test_words_are_kept(self, library: Store) -> None:
        """The words of the description and of all texts in the metadata are stored: stems, each once."""
        kept = self.peek(library, "a")
        assert kept is not None
        expected = ["blue", "dark", "dog", "in", "norway", "play", "snow", "the", "two", "white"]
        assert sorted(kept["words"]) == expected

    def test_matching(self, library: Store) -> None:
        """Documents that have one of the words are found, those with more of their weight first."""
        assert [(query, _matching(library, query)) for query, _ in MATCHING] == MATCHING

    def test_matching_without_marks(self, prepared: Store) -> None:
        """Strokes, ligatures and vowel points stand in nobody's way, neither in a query nor in a record."""
        texts = ("Tromsø", "Łódź", "Ærø", "ışık", "مُحَمَّد", "שָׁלוֹם", "Đà Nẵng")
        planted = [
            StoredDocument(record(id, description=f"{text}!"), axis(n))
            for n, (id, text) in enumerate(zip("abcdefg", texts, strict=True))
        ]
        assert prepared.upsert(planted) == []
        with prepared.bulk_load():
            pass
        found = [(query, _matching(prepared, query)) for query, _ in MATCHING_WITHOUT_MARKS]
        assert found == MATCHING_WITHOUT_MARKS

    def test_matching_of_former_words(self, prepared: Store) -> None:
        """A word counts as held also in the form in which an older version kept it, and weighs the same."""
        texts = {"a": "tromso snow", "b": "tromsø", "c": "snow", "d": "sun"}
        documents = [StoredDocument(record(id, description=text), axis(0)) for id, text in texts.items()]
        assert prepared.upsert(documents) == []
        self.plant_words(prepared, "b", ["tromsø"])
        with prepared.bulk_load():
            pass
        query = "Tromsø snow"
        found = hits(prepared, KeywordSearch(analyze_query(query), 10, former=former_words(query)))
        assert {hit.id: [one.part for one in hit.explanation] for hit in found} == {
            "a": ["tromso", "snow"],
            "b": ["tromso"],
            "c": ["snow"],
        }
        assert [hit.score for hit in found] == pytest.approx([1, 0.5, 0.5], abs=1e-6)

    def test_words_as_a_condition(self, library: Store) -> None:
        """A filter by words leaves the documents that have them all, whatever else is searched for."""
        for expression, expected in WORDS_AS_A_CONDITION:
            filters = parse_filter(expression, FIELDS)
            assert "".join(hit.id for hit in hits(library, Scan(9, filters))) == expected
            near = hits(library, KnnSearch(axis(1), 9, filters))
            assert "".join(sorted(hit.id for hit in near)) == expected
            among = hits(library, KeywordSearch(("dog", "snow", "picture"), 9, filters))
            assert {hit.id for hit in among} == {*expected} & {*"ab"}

    def test_former_words_as_a_condition(self, prepared: Store) -> None:
        """A filter finds a word also in the form in which an older version kept it."""
        texts = {"a": "tromsø snow", "b": "Tromso", "c": "snow"}
        documents = [StoredDocument(record(id, description=text), axis(0)) for id, text in texts.items()]
        assert prepared.upsert(documents) == []
        self.plant_words(prepared, "a", ["tromsø", "snow"])
        with prepared.bulk_load():
            pass
        for expression, expected in {
            "words~Tromsø": "ab",
            "words~Tromsø snow": "a",
            "words!~Tromsø": "c",
        }.items():
            assert (
                "".join(hit.id for hit in hits(prepared, Scan(9, parse_filter(expression, FIELDS))))
                == expected
            )

    def test_no_words_as_a_condition(self, library: Store) -> None:
        """All of no words are had by every document."""
        assert len(hits(library, Scan(9, (HasWords(()),)))) == len(TEXTS)
        none = AllOf((Not(HasWords(())), AnyOf((HasWords((("dog",),)), HasId(("g",))))))
        assert hits(library, Scan(9, (none,))) == []

    def test_matching_scores(self, library: Store) -> None:
        """A score is the share of the words' weight that a document has, rare words weighing more."""
        found = hits(library, KeywordSearch(("dog", "snow", "zebra"), 10))
        rare, common, unknown = (np.log(1 + (7 - n + 0.5) / (n + 0.5)) for n in (1, 2, 0))
        expected = [(common + rare) / (rare + common + unknown), common / (rare + common + unknown)]
        np.testing.assert_allclose([hit.score for hit in found], expected, atol=1e-6)
        assert [(hit.id, hit.rank) for hit in found] == [("a", 1), ("b", 2)]
        assert hits(library, KeywordSearch(("dog", "snow"), 1))[0].score == pytest.approx(1)

    def test_every_kind_of_hit_knows_its_bytes(self, prepared: Store) -> None:
        """Whatever a hit was found by, it has the fingerprint of its picture's bytes, or an empty one."""
        about = {"a": "0" * 24, "b": ""}
        with prepared.bulk_load():
            for id, content in about.items():
                found = StoredDocument(record(id, description="a dog"), axis(0), content)
                assert prepared.upsert([found]) == []
        for search in (KnnSearch(axis(0), 9), KeywordSearch(("dog",), 9), Scan(9)):
            assert {hit.id: hit.content for hit in hits(prepared, search)} == about

    def test_matching_where(self, library: Store) -> None:
        """Conditions take documents out, and leave the scores of the others as they are."""
        both = {hit.id: hit.score for hit in hits(library, KeywordSearch(("dog", "snow"), 10))}
        chile = hits(library, KeywordSearch(("dog", "snow"), 10, (where("country", "Chile"),)))
        assert [hit.id for hit in chile] == ["b"]
        assert chile[0].score == pytest.approx(both["b"], abs=1e-6)
        assert hits(library, KeywordSearch(("dog",), 10, (where("country", "Peru"),))) == []

    def test_matching_agrees_with_memory(self, prepared: Store) -> None:
        """Among random texts, the best scores are those of the in-memory store."""
        rng = np.random.default_rng(3)
        vocabulary = [f"w{n}" for n in range(40)]
        texts = [" ".join(rng.choice(vocabulary, 6)) for _ in range(300)]
        planted = [
            StoredDocument(record(f"{n:03}", description=text), axis(n % 16)) for n, text in enumerate(texts)
        ]
        oracle = MemoryStore("oracle")
        for store in (oracle, prepared):
            store.ensure_index(SCHEMA)
            assert store.upsert(planted) == []
        with prepared.bulk_load():
            pass
        for words in [("w1",), ("w1", "w2", "w3"), ("w5", "w39", "absent"), tuple(vocabulary)]:
            for k in (1, 20, 300):
                expected, found = (
                    hits(oracle, KeywordSearch(words, k)),
                    hits(prepared, KeywordSearch(words, k)),
                )
                np.testing.assert_allclose(
                    [hit.score for hit in found], [hit.score for hit in expected], atol=1e-6
                )
                assert len(expected) == k or k == 300

    @pytest.mark.parametrize("held", ["Zürich", "Zu\u0308rich"])
    @pytest.mark.parametrize("asked", ["Zürich", "Zu\u0308rich"])
    def test_values_in_any_form(self, prepared: Store, held: str, asked: str) -> None:
        """A filter finds a text in whichever form it was typed, and an older version has kept it."""
        planted = [document("a"), document("b", metadata={"country": "Chile"})]
        object.__setattr__(planted[0].record, "metadata", {"country": held, "colors": (held, "red")})
        self.plant(prepared, planted)
        for expression in (f"country={asked}", f"colors={asked}", {"country": [asked, "Peru"]}):
            filters = parse_filter(expression, FIELDS)
            assert [hit.id for hit in hits(prepared, Scan(9, filters))] == ["a"]
        assert [hit.id for hit in hits(prepared, Scan(9, parse_filter(f"country!={asked}", FIELDS)))] == ["b"]

    def test_an_update_changes_the_words(self, library: Store) -> None:
        """New texts of a held picture are found, and the old ones no more."""
        assert library.update([record("b", {"country": "Peru"}, description="A horse")]) == []
        with library.bulk_load():
            pass
        assert [hit.id for hit in hits(library, KeywordSearch(("hors",), 10))] == ["b"]
        assert [hit.id for hit in hits(library, KeywordSearch(("dog",), 10))] == ["a"]

    def test_listing(self, library: Store) -> None:
        """All documents come in the order of their ids, page after page, each once."""
        first = hits(library, Scan(3))
        assert [(hit.id, hit.rank, hit.score) for hit in first] == [
            ("a", 1, 1.0),
            ("b", 2, 1.0),
            ("c", 3, 1.0),
        ]
        assert [hit.id for hit in hits(library, Scan(3, after="c"))] == ["d", "e", "f"]
        assert [hit.id for hit in hits(library, Scan(3, after="f"))] == ["g"]
        assert hits(library, Scan(3, after="g")) == []
        assert first[0].metadata == TEXTS["a"][1]

    def test_listing_where(self, library: Store) -> None:
        """Conditions alone list what fulfils them."""
        norway = where("country", "Norway")
        assert [hit.id for hit in hits(library, Scan(10, (norway,)))] == ["a", "c"]
        assert [hit.id for hit in hits(library, Scan(10, (norway,), after="a"))] == ["c"]
        assert [hit.id for hit in hits(library, Scan(9, (Not(norway), Not(HasId(("b", "g"))))))] == [*"def"]

    def test_nearest_of_some_ids(self, library: Store) -> None:
        """Documents of given ids are compared with a vector, and no others."""
        found = hits(library, KnnSearch(axis(1), 10, (HasId(("b", "d", "ghost")),)))
        assert [(hit.id, round(hit.score, 5)) for hit in found] == [("b", 1.0), ("d", 0.0)]
        assert hits(library, KnnSearch(axis(1), 10, (HasId(()),))) == []

    def test_exact(self, prepared: Store) -> None:
        """An exact search finds what the in-memory store finds, filtered or not, however many are wanted."""
        oracle = MemoryStore("oracle")
        oracle.ensure_index(SCHEMA)
        documents = random_documents(400, seed=21)
        oracle.upsert(documents)
        with prepared.bulk_load():
            assert prepared.upsert(documents) == []
        for query in random_vectors(3, 22):
            for conditions in ((), (where("country", "Norway"),), (where("country", "nowhere"),)):
                for k in (1, 30, 20_000):
                    expected = hits(oracle, KnnSearch(query, k, conditions))
                    found = hits(prepared, KnnSearch(query, k, conditions, exact=k < 20_000))
                    assert [hit.id for hit in found] == [hit.id for hit in expected]
                    np.testing.assert_allclose(
                        [hit.score for hit in found], [hit.score for hit in expected], atol=self.tolerance
                    )

    def test_searches_of_all_kinds_at_once(self, library: Store) -> None:
        """Each of several searches of different kinds gets its own hits."""
        searches: list[Search] = [
            KeywordSearch(("dog",), 5),
            KnnSearch(axis(2), 1),
            Scan(2, after="b"),
            KnnSearch(axis(0), 2, exact=True),
            KeywordSearch(("猫",), 5),
        ]
        found = [[hit.id for hit in one] for one in library.search(*searches)]
        assert found[:3] == [["a", "b"], ["c"], ["c", "d"]]
        assert (found[3][0], found[4]) == ("a", ["f"])

    def test_a_sibling_is_another_index(self, library: Store) -> None:
        """An index beside it has documents of its own, is there again by its name, and goes by itself."""
        beside = library.open_other(f"{library.index}-beside")
        assert (beside.index, beside.address) == (f"{library.index}-beside", library.address)
        assert beside.schema() is None
        beside.ensure_index(SCHEMA)
        try:
            assert beside.upsert([document("z")]) == []
            again = library.open_other(f"{library.index}-beside")
            assert list(again.documents(["a", "z"])) == ["z"]
            assert list(library.documents(["a", "z"])) == ["a"]
        finally:
            beside.drop()
        assert library.schema() is not None
        beside.close()
