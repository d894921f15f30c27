"""One text in several forms: found, matched and opened whichever was typed, and whichever the disk has."""

from __future__ import annotations

import itertools
import json
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

import esclip
from esclip import ImageIndex, ImageRecord, LabelSet
from esclip._core.text_forms import compose, forms
from esclip._files.locations import existing_path
from esclip.stores.memory import MemoryStore

NFC, NFD = (unicodedata.normalize(form, "Müller") for form in ("NFC", "NFD"))
BOTH = [(typed, on_disk) for typed, on_disk in itertools.product((NFC, NFD), repeat=2)]
NAMES = ["-".join("NFC" if one == NFC else "NFD" for one in pair) for pair in BOTH]


@pytest.fixture(params=BOTH, ids=NAMES)
def typed(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A name as it is typed; the disk has a folder and a picture of that name, in the same form or not."""
    typed, on_disk = request.param
    (tmp_path / on_disk).mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / on_disk / f"{on_disk}.png")
    return str(typed)


def index_of(path: Path, **options: str | Path) -> ImageIndex:
    """An index of the pictures there."""
    index = esclip.open_index(MemoryStore("forms"), encoder="palette")
    assert index.ingest(path, **options).written == 1  # type: ignore[arg-type]
    return index


class TestNames:
    def test_a_folder_is_found_and_its_files_open(self, typed: str, tmp_path: Path) -> None:
        """A path in either form leads to the same pictures with the same ids; locations are the disk's."""
        (hit,) = index_of(tmp_path / typed).search_text("red")
        assert Path(hit.location).read_bytes()[1:4] == b"PNG"
        assert hit.id == index_of(tmp_path).search_text("red")[0].id
        (alike,) = index_of(tmp_path).search_image(tmp_path / typed / f"{typed}.png")
        assert alike.id == hit.id

    def test_filters(self, typed: str, tmp_path: Path) -> None:
        """An equal text is an equal text, in an expression and in a dictionary; hits have it in NFC."""
        index = index_of(tmp_path)
        for where in (f"file_name={typed}.png", f'folder="{typed}"', {"folder": typed}, {"folder": [typed]}):
            assert [hit.metadata["folder"] for hit in index.search_text("red", where=where)] == [NFC]
            assert len(index.search_text("red", where=f"folder!={typed}")) == 0

    def test_captions(self, typed: str, tmp_path: Path) -> None:
        """Entries of a captions file and text files beside pictures are theirs in either form."""
        file = tmp_path / "captions.json"
        file.write_text(json.dumps({f"{typed}/{typed}.png": "a portrait"}), encoding="utf-8")
        assert index_of(tmp_path, captions=file).search_text("red")[0].description == "a portrait"
        (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
        (folder / f"{typed}.txt").write_text("beside", encoding="utf-8")
        assert index_of(tmp_path, captions="sidecar").search_text("red")[0].description == "beside"

    def test_nothing_changes_when_it_is_typed_otherwise(self, typed: str, tmp_path: Path) -> None:
        """Another form of the path is the same pictures: nothing is written again, and nothing removed."""
        index = index_of(tmp_path)
        report = index.ingest(tmp_path / typed, prune=True)
        assert (report.written, report.skipped, report.pruned) == (0, 1, 0)

    def test_two_files_of_one_name(self, tmp_path: Path) -> None:
        """Where a disk has both forms, both are pictures, and a path means the one with its very name."""
        if not _keeps_both(tmp_path):
            pytest.skip("this disk takes both names for one")
        for name, color in ((NFC, "red"), (NFD, "blue")):
            Image.new("RGB", (8, 8), color).save(tmp_path / f"{name}.png")
        index = esclip.open_index(MemoryStore("both"), encoder="palette")
        assert index.ingest(tmp_path).written == 2
        for name, color in ((NFC, "red"), (NFD, "blue")):
            assert existing_path(tmp_path / f"{name}.png").name == f"{name}.png"
            assert index.search_image(tmp_path / f"{name}.png")[0].score == pytest.approx(1)
            assert index.search_text(color, 1)[0].location == str(tmp_path / f"{name}.png")

    def test_a_path_that_is_not_there(self, tmp_path: Path) -> None:
        """It stays as it is, and is told as it was typed."""
        for name in (NFC, NFD, f"{NFD}/{NFC}", "\ud800", f"{NFD}\0"):
            assert existing_path(tmp_path / name) == tmp_path / name


class TestTexts:
    def test_a_record_has_them_in_one_form(self) -> None:
        """Description and metadata are in NFC; what a store refuses is left to the store."""
        wrong = {"keywords": (NFD, 3)}
        record = ImageRecord(
            NFD, NFD, NFD, "1", description=NFD, metadata={"a": NFD, "b": (NFD, "x"), "c": 1}
        )
        assert (record.id, record.location, record.picture) == (NFD, NFD, NFD)
        assert (record.description, record.metadata) == (NFC, {"a": NFC, "b": (NFC, "x"), "c": 1})
        assert ImageRecord("a", "b", "c", "1", metadata=wrong).metadata == {"keywords": (NFC, 3)}  # type: ignore[arg-type]

    def test_labels(self) -> None:
        """The same label in two forms is one label, and no two."""
        assert LabelSet([NFD]) == LabelSet([NFC])
        with pytest.raises(esclip.ConfigError, match="twice"):
            LabelSet([NFC, NFD])

    def test_forms(self) -> None:
        """The text as it is comes first, then those that it hasn't."""
        assert forms("plain") == ("plain",)
        assert forms(NFC) == (NFC, NFD)
        assert forms(NFD) == (NFD, NFC)
        assert forms("東京") == ("東京",)
        assert compose("\ud800\u0308") == "\ud800\u0308"


def _keeps_both(folder: Path) -> bool:
    (folder / NFC).touch()
    both = not (folder / NFD).exists()
    (folder / NFC).unlink()
    return both
