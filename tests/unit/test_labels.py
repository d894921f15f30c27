"""Labels: which there may be, how probable each is, and how an ingest keeps them."""

from __future__ import annotations

import math
import re
import shutil
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import orjson
import pytest
from PIL import Image

import esclip
from esclip import ConfigError, DecodeError, EncoderError, ImageIndex, LabelSet
from esclip._core.types import Vectors, unit_rows
from esclip._ingest.labels import Labeller
from esclip.encoders.checkpoints.logit_scale import LOGIT_SCALE, read_logit_scale
from esclip.encoders.palette import PaletteEncoder
from esclip.encoders.zero_shot import embed_labels, probabilities
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import random_vectors

PALETTE = PaletteEncoder()


class TestLabelling:
    """Labels as they are read."""

    def test_labels_with_commas(self) -> None:
        """Commas part labels; blanks around them, and blank ones, don't count."""
        assert LabelSet.read(" cat, hot dog,,狗,").labels == ("cat", "hot dog", "狗")
        assert LabelSet.read(" ").labels == ()

    def test_a_file_of_labels(self, tmp_path: Path) -> None:
        """A file has a label a line, with commas in it or not."""
        file = tmp_path / "labels.txt"
        file.write_text("\ufeffcat\r\n\r\nOslo, Norway\n dog \n", encoding="utf-8")
        assert LabelSet.read(str(file), ["{}"]).labels == ("cat", "Oslo, Norway", "dog")

    def test_files_that_can_not_be_read(self, tmp_path: Path) -> None:
        """A file that isn't there is not taken for a label, and one that is no text is refused."""
        with pytest.raises(ConfigError, match=r"labels\.txt"):
            LabelSet.read(str(tmp_path / "labels.txt"))
        (tmp_path / "labels.txt").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ConfigError, match="UTF-8"):
            LabelSet.read(str(tmp_path / "labels.txt"))

    def test_no_name_of_a_file_at_all(self) -> None:
        """What no file can be called is labels."""
        assert len(LabelSet.read(",".join(map(str, range(900)))).labels) == 900

    @pytest.mark.parametrize(
        ("labels", "said"),
        [
            (["cat", "dog", "cat "], "'cat' is given twice"),
            (["cat", " "], "empty"),
            (["a\nb"], "one line"),
            (["x" * 201], "short"),
            (list(map(str, range(1001))), "1,001 labels are too many; give 1,000"),
        ],
    )
    def test_labels_that_can_not_be_used(self, labels: list[str], said: str) -> None:
        """Labels come once each, say something, are short, and at most a thousand."""
        with pytest.raises(ConfigError, match=said):
            LabelSet(labels)

    @pytest.mark.parametrize("templates", [["a photo"], []])
    def test_templates_that_can_not_be_used(self, templates: list[str]) -> None:
        """There is a template, and each has a place for the label."""
        with pytest.raises(ConfigError, match=re.escape("{}")):
            LabelSet(["cat"], templates)

    def test_a_bare_text_is_no_list(self) -> None:
        """A string is not taken for a list of letters."""
        with pytest.raises(ValueError, match="read"):
            LabelSet("cat")

    def test_prompts(self) -> None:
        """Each label takes the place in each template; its own braces are left alone."""
        assert LabelSet(["a{}b", "c"], ["x {} {0}", "{}"]).prompts() == [
            ["x a{}b {0}", "a{}b"],
            ["x c {0}", "c"],
        ]

    def test_it_comes_back_from_json(self) -> None:
        """What an index remembers is the same labelling."""
        one = LabelSet(["狗", "cat"], ["{}!"])
        assert LabelSet.from_json(orjson.loads(orjson.dumps(one.to_json()))) == one
        with pytest.raises(ValueError, match="twice"):
            LabelSet.from_json({"labels": ["a", "a"], "templates": ["{}"]})

    def test_the_digest_knows_no_order(self) -> None:
        """Labels in another order are the same labels; other labels or templates are not."""
        one = LabelSet(["a", "b"])
        assert one.digest == LabelSet(["b", "a"]).digest
        assert len({one.digest, LabelSet(["a", "c"]).digest, LabelSet(["a", "b"], ["{}"]).digest, ""}) == 4
        assert LabelSet([]).digest == ""


class TestProbabilities:
    """The softmax of cosines."""

    @pytest.mark.parametrize("scale", [0.5, 10.0, 100.0])
    def test_they_are_the_softmax(self, scale: float) -> None:
        """Each is exp of the cosine times the scale, over the sum of all."""
        pictures, labels = random_vectors(7, 1), random_vectors(5, 2)
        for row, picture in zip(probabilities(pictures, labels, scale), pictures, strict=True):
            powers = [math.exp(scale * float(np.dot(picture.astype(float), label))) for label in labels]
            assert row.tolist() == pytest.approx([power / sum(powers) for power in powers], rel=1e-5)

    def test_high_scales_do_not_overflow(self) -> None:
        """Whatever the scale, probabilities are numbers that add up to 1."""
        rows = probabilities(random_vectors(3, 1), random_vectors(4, 2), 1e4)
        assert np.isfinite(rows).all()
        assert rows.sum(axis=1).tolist() == pytest.approx([1, 1, 1])

    def test_the_mean_of_templates_counts(self) -> None:
        """A label's vector is the direction of the mean of its prompts' vectors."""
        vectors = embed_labels(PALETTE, LabelSet(["red", "blue"], ["{}", "{} and green", "{}"]))
        for label, vector in zip(["red", "blue"], vectors, strict=True):
            rows = PALETTE.encode_texts([label, f"{label} and green", label])
            np.testing.assert_allclose(vector, unit_rows([rows.mean(axis=0)])[0], atol=1e-6)

    def test_a_label_without_direction(self) -> None:
        """A label that the text tower makes nothing of is an error that names it."""

        class Deaf(PaletteEncoder):
            def encode_texts(self, texts: Sequence[str]) -> Vectors:
                return np.full((len(texts), 12), np.nan, dtype=np.float32)

        with pytest.raises(EncoderError, match="'cat'"):
            embed_labels(Deaf(), LabelSet(["cat"]))


class TestClassify:
    """The function for those who have no index."""

    def test_pictures_in_any_form(self, photos: Path) -> None:
        """Paths, bytes and images are told apart; labels may be of several languages."""
        path = photos / "red.png"
        pictures: list[str | Path | bytes | Image.Image] = [
            str(path),
            path.read_bytes(),
            Image.new("RGB", (9, 9), "blue"),
        ]
        found = esclip.classify(*pictures, labels=["rouge", "蓝", "grün"], encoder="palette")
        assert [guesses[0].label for guesses in found] == ["rouge", "rouge", "蓝"]
        for guesses in found:
            assert guesses[0].probability > 0.99
            assert sum(guess.probability for guess in guesses) == pytest.approx(1)
            assert sorted(guesses, key=lambda guess: -guess.probability) == list(guesses)

    def test_more_than_a_batch(self, photos: Path) -> None:
        """Many pictures come back in their order."""
        colors = ["red", "blue", "green", "pink"] * 20
        images = [Image.new("RGB", (9, 9), color) for color in colors]
        found = esclip.classify(*images, labels=",".join(sorted(set(colors))), encoder=PALETTE)
        assert [guesses[0].label for guesses in found] == colors

    def test_a_half_and_a_half(self) -> None:
        """A picture of two labels shares the probability between them."""
        picture = Image.new("RGB", (64, 64), "red")
        picture.paste("blue", (0, 0, 32, 64))
        ((first, second, third),) = esclip.classify(picture, labels="green,red,blue", encoder="palette")
        assert {first.label, second.label} == {"red", "blue"}
        assert first.probability == pytest.approx(second.probability)
        assert third.probability < 0.01

    def test_what_is_wrong(self, photos: Path) -> None:
        """No labels, no picture, and a text tower beside a loaded encoder are errors."""
        with pytest.raises(ConfigError, match="no labels"):
            esclip.classify(photos / "red.png", labels=[], encoder="palette")
        with pytest.raises(DecodeError):
            esclip.classify(b"no picture", labels="red", encoder="palette")
        with pytest.raises(ConfigError, match="text_encoder"):
            esclip.classify(labels="red", encoder=PALETTE, text_encoder="other")


class TestAtIngest:
    """What an ingest keeps; the stores' own part is in their contract."""

    @pytest.fixture
    def index(self) -> ImageIndex:
        return esclip.open_index(MemoryStore("labels"), encoder="palette")

    @pytest.mark.parametrize(
        ("labels", "said"),
        [
            (["hot dog", "Hot-Dog"], "'hot dog' and 'Hot-Dog'"),
            (["🐘", "cat"], "'🐘'"),
            (list(map(str, range(101))), "101 labels.*100 at most"),
        ],
    )
    def test_labels_that_can_not_be_kept(
        self, index: ImageIndex, photos: Path, labels: list[str], said: str
    ) -> None:
        """Each label needs a field of its own; nothing is written where one has none."""
        with pytest.raises(ConfigError, match=said):
            index.ingest(photos, labels=labels)
        with pytest.raises(esclip.IndexNotFound):
            index.stats()

    def test_a_hundred_labels(self, index: ImageIndex, photos: Path) -> None:
        """As many as a hundred labels are kept."""
        index.ingest(photos, labels=[f"red {number}" for number in range(100)])
        assert len([field for field in index.stats().fields if field.name.startswith("p_red_")]) == 100

    def test_names_of_fields(self) -> None:
        """A label's field is its letters and digits in lower case, of any language."""
        labelling = LabelSet(["Golden Retriever", "C'est l'été!", "红 狗", "a_b"])
        names = [field.name for field in Labeller(PALETTE, labelling).fields[2:]]
        assert names == ["p_golden_retriever", "p_c_est_l_été", "p_红_狗", "p_a_b"]

    def test_copies_are_labelled(self, index: ImageIndex, photos: Path) -> None:
        """Pictures of the same bytes, in one run or in a later one, are labelled like the first."""
        shutil.copy(photos / "red.png", photos / "same.png")
        index.ingest(photos, labels="red,blue")
        shutil.copy(photos / "red.png", photos / "later.png")
        assert index.ingest(photos).written == 1
        found = {Path(hit.location).stem for hit in index.search_text("red", 20, "p_red>0.99")}
        assert found == {"red", "same", "later"}

    def test_a_retry_labels(self, index: ImageIndex, photos: Path) -> None:
        """What is had by a retry is labelled as the ingest would have done."""
        good = (photos / "red.png").read_bytes()
        (photos / "red.png").write_bytes(b"not yet")
        assert index.ingest(photos, labels="red,blue").rejected == 1
        (photos / "red.png").write_bytes(good)
        assert index.retry().written == 1
        (hit,) = index.search_text("red", 1, "p_red>0.99")
        assert Path(hit.location).stem == "red"
        assert index.ingest(photos).written == 0

    def test_new_metadata_keeps_its_labels(self, index: ImageIndex, photos: Path) -> None:
        """A record whose metadata alone has changed is updated, labels and all."""
        index.ingest(photos, labels="red,blue")
        before = index.search_text("red", 1)[0]
        moved = photos.rename(photos.parent / "moved")
        index.ingest(moved)
        after = {Path(hit.location).stem: hit for hit in index.search_text("red", 30, 'folder="moved"')}
        assert after["red"].metadata["p_red"] == before.metadata["p_red"]


class TestLogitScale:
    """The scale in the weights of a model."""

    @pytest.mark.parametrize(
        ("name", "kind", "pack"),
        [
            ("logit_scale", "F32", lambda value: struct.pack("<f", value)),
            ("model.logit_scale", "F16", lambda value: struct.pack("<e", value)),
            ("logit_scale", "BF16", lambda value: struct.pack("<f", value)[2:]),
            ("logit_scale", "F64", lambda value: struct.pack("<d", value)),
        ],
    )
    def test_it_is_read(self, tmp_path: Path, name: str, kind: str, pack: Callable[[float], bytes]) -> None:
        """The tensor's exp is the scale, in whichever format it is."""
        file = weights(tmp_path, name, kind, pack(2.5))
        assert read_logit_scale([tmp_path / "none.bin", file]) == pytest.approx(math.exp(2.5), rel=0.02)

    @pytest.mark.parametrize("value", [math.nan, math.inf, 50.0, -math.inf])
    def test_what_was_not_learned(self, tmp_path: Path, value: float) -> None:
        """A number that no model has is not taken."""
        assert (
            read_logit_scale([weights(tmp_path, "logit_scale", "F32", struct.pack("<f", value))])
            == LOGIT_SCALE
        )

    @pytest.mark.parametrize(
        "data", [b"", b"\xff" * 40, struct.pack("<Q", 2) + b"{}", struct.pack("<Q", 9) + b'{"a": [1]']
    )
    def test_other_files(self, tmp_path: Path, data: bytes) -> None:
        """A file without it, or that is broken, counts as one of CLIP's."""
        (tmp_path / "model.safetensors").write_bytes(data)
        assert read_logit_scale([tmp_path / "model.safetensors"]) == LOGIT_SCALE
        assert read_logit_scale([tmp_path / "missing.safetensors"]) == LOGIT_SCALE


def weights(folder: Path, name: str, kind: str, data: bytes) -> Path:
    """A file with one number, and another tensor before it."""
    tensors = {
        "__metadata__": {"format": "pt"},
        "first": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        name: {"dtype": kind, "shape": [], "data_offsets": [8, 8 + len(data)]},
    }
    header = orjson.dumps(tensors)
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8) + data)
    return path
