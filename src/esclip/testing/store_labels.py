"""What every store promises of labels: metadata that is computed from vectors, and found like any other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import esclip
from esclip._core.analysis import analyze_query
from esclip._core.labels import TEMPLATES, Labels, LabelSet
from esclip._core.searches import KeywordSearch
from esclip._core.types import StoredDocument
from esclip._index import ImageIndex
from esclip._protocols import Store
from esclip.testing.documents import SCHEMA, axis, document, nearest, record, where
from esclip.testing.encoder import RecordingEncoder
from esclip.testing.pictures import PLAIN, draw_photos
from esclip.testing.store_case import StoreCase

LABELS = "red,blue,gelb"


def stems(index: ImageIndex, where: str) -> set[str]:
    """What is found under a condition, by the names of the files."""
    return {Path(hit.location).stem for hit in index.search_text("red", 20, where)}


class StoreLabels(StoreCase):
    """Labels at ingest, and what is derived in general."""

    @pytest.fixture
    def photos(self, tmp_path: Path) -> Path:
        """A folder with a plain picture of each colour."""
        return draw_photos(tmp_path / "photos")

    @pytest.fixture
    def encoder(self) -> RecordingEncoder:
        """What the index is filled with."""
        return RecordingEncoder()

    @pytest.fixture
    def filled(self, store: Store, photos: Path, encoder: RecordingEncoder) -> Iterator[ImageIndex]:
        """An index of a plain picture of each colour, labelled."""
        with esclip.open_index(store, encoder=encoder) as index:
            index.ingest(photos, labels=LABELS)
            yield index

    def test_what_is_derived_is_kept_as_metadata(self, prepared: Store) -> None:
        """Derived values are written, filtered, searched by word and given back like those of the source."""
        written = replace(record("a", {"likes": 1}), derived={"country": "Chile"}, derivation="1")
        with prepared.bulk_load():
            assert prepared.upsert([StoredDocument(written, axis(0)), document("b")]) == []
        raw = self.peek(prepared, "a")
        assert raw is not None
        assert (raw["country"], raw["likes"]) == ("Chile", 1)
        (hit,) = nearest(prepared, axis(0), 9, [where("country", "Chile")])
        assert (
            hit.metadata == prepared.documents(["a"])["a"].record.metadata == {"country": "Chile", "likes": 1}
        )
        assert [
            [hit.id for hit in hits] for hits in prepared.search(KeywordSearch(analyze_query("chile"), 9))
        ] == [["a"]]

    def test_what_is_derived_is_updated(self, prepared: Store) -> None:
        """An update exchanges derived values, and takes out what is no longer derived."""
        prepared.upsert(
            [StoredDocument(replace(record("a"), derived={"country": "Chile", "likes": 1}), axis(0))]
        )
        with prepared.bulk_load():
            assert prepared.update([replace(record("a"), derived={"country": "Peru"})]) == []
        assert [hit.id for hit in nearest(prepared, axis(0), 9, [where("country", "Peru")])] == ["a"]
        assert nearest(prepared, axis(0), 9, [where("likes", 1)]) == []
        assert prepared.documents(["a"])["a"].record.metadata == {"country": "Peru"}

    def test_fingerprints_know_the_recipe_alone(self, prepared: Store) -> None:
        """What was derived doesn't change a record's fingerprint, but how it was derived does."""
        plain = record("a")
        prepared.upsert(
            [StoredDocument(replace(plain, derived={"country": "Chile"}, derivation="1"), axis(0))]
        )
        (held,) = prepared.fingerprints(["a"]).values()
        assert held == replace(plain, derivation="1").fingerprint
        assert held.pixels == plain.fingerprint.pixels
        assert held.record not in (
            plain.fingerprint.record,
            replace(plain, derivation="2").fingerprint.record,
        )

    def test_an_index_remembers_its_labels(self, store: Store) -> None:
        """The labels of the last time that it was prepared with some; without, they stay."""
        store.ensure_index(SCHEMA)
        assert "labelling" not in self.peek_schema(store)
        for labels in (["cat", "dog"], ["狗"], []):
            label_set = LabelSet(labels, ["{}", "a {}"])
            store.ensure_index(replace(SCHEMA, label_set=label_set))
            store.ensure_index(SCHEMA)
            assert self.peek_schema(store)["labelling"] == {"labels": labels, "templates": ["{}", "a {}"]}
            assert store.schema() == replace(SCHEMA, label_set=label_set)

    def test_labels_are_found_by_filters(self, filled: ImageIndex) -> None:
        """A picture has its most probable label, its probability, and one for each label."""
        assert "red" in stems(filled, "label=red")
        assert "blue" in stems(filled, "label=blue & label_probability>=0.99")
        assert stems(filled, "p_gelb>=0.9") == {"yellow"}
        (hit,) = filled.search_text("yellow", 1)
        assert hit.metadata["label"] == "gelb"
        assert hit.metadata["label_probability"] == hit.metadata["p_gelb"] == pytest.approx(0.9999, abs=1e-4)
        shares = [value for name, value in hit.metadata.items() if name.startswith("p_")]
        assert len(shares) == 3
        assert sum(float(str(share)) for share in shares) == pytest.approx(1, abs=1e-5)

    def test_templates_are_remembered(self, store: Store, photos: Path) -> None:
        """Labels without templates take the last ones, until others are named or labels are taken away."""
        with esclip.open_index(store, encoder=RecordingEncoder()) as index:

            def templates(labels: Labels) -> tuple[str, ...]:
                index.ingest(photos, labels=labels)
                schema = store.schema()
                assert schema is not None
                assert schema.label_set is not None
                return schema.label_set.templates

            assert templates(LabelSet(["red", "blue"], ["{}"])) == ("{}",)
            assert templates("red,green") == templates(["red"]) == ("{}",)
            assert templates(LabelSet(["red"])) == TEMPLATES
            assert templates(LabelSet(["red"], ["{}"])) == ("{}",)
            index.ingest(photos, labels="")
            assert templates("red") == TEMPLATES

    def test_labels_are_remembered(self, filled: ImageIndex, photos: Path) -> None:
        """The same ingest again skips all, and one that names no labels goes on with the same."""
        assert filled.ingest(photos, labels=LABELS).skipped == len(PLAIN)
        assert filled.ingest(photos).skipped == len(PLAIN)
        (photos / "red.png").rename(photos / "new.png")
        assert filled.ingest(photos).written == 1
        assert {"new", "red"} <= stems(filled, "label=red")

    def test_other_labels_need_no_encoding(
        self, filled: ImageIndex, photos: Path, encoder: RecordingEncoder
    ) -> None:
        """Pictures are labelled anew from the vectors that are held; the labels before are gone."""
        encoder.batches.clear()
        assert filled.ingest(photos, labels=["绿", "orange"]).written == len(PLAIN)
        assert encoder.batches == []
        assert stems(filled, "p_绿>0.9") == {"green"}
        assert stems(filled, "p_gelb>=0") == stems(filled, "label=red") == set()
        assert filled.ingest(photos).skipped == len(PLAIN)

    def test_an_end_before_all_are_labelled(self, store: Store, filled: ImageIndex, photos: Path) -> None:
        """What a run with other labels has not come to is labelled so by the next, which names none."""
        schema = store.schema()
        assert schema is not None
        store.ensure_index(replace(schema, label_set=LabelSet(["gelb", "pink"])))  # as far as that run came
        (photos / "red.png").unlink()
        assert filled.ingest(photos).written == len(PLAIN) - 1
        assert stems(filled, "p_pink>0.9") == {"pink"}
        assert stems(filled, "label=red") == {"red"}  # not read again, and so as it was

    def test_labels_can_be_taken_away(self, filled: ImageIndex, photos: Path) -> None:
        """An ingest with no labels leaves none, and nor do those that follow."""
        assert filled.ingest(photos, labels="").written == len(PLAIN)
        assert stems(filled, "exists(label) | exists(p_red)") == set()
        assert filled.ingest(photos).skipped == len(PLAIN)
        assert filled.stats().labels == ()
