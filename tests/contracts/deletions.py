"""What every store does when documents are taken out of an index: by id, by path, by a filter, by a prune.

Through the facade, with the palette encoder: two folders of pictures, one of which has a broken file as well.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import esclip
from esclip import ImageIndex, Store
from esclip._ingest.deletion import Deletion
from tests.contracts.parts import CountingPalette, names, paint
from tests.contracts.stores import OfAnyStore

__all__ = ["DeletionContract"]


class DeletionContract(OfAnyStore):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """The folders `a` and `ab`, whose names begin alike."""
        folder = tmp_path / "pictures"
        for name, color in (("a", "red"), ("a", "green"), ("ab", "blue"), ("ab", "yellow")):
            (folder / name).mkdir(parents=True, exist_ok=True)
            paint(folder / name / f"{color}.png", color)
        (folder / "a" / "broken.png").write_bytes(b"nothing")
        return folder

    @pytest.fixture
    def filled(self, store: Store, folder: Path) -> ImageIndex:
        """The index with all of them and their parts; it has no ledger on disk."""
        index = esclip.open_index(store, encoder=CountingPalette())
        assert index.ingest(folder, parts=["crops"]).written == 4
        return index

    def test_by_id(self, filled: ImageIndex) -> None:
        """A hit or its id: it is found no more, by none of its crops; what isn't held is told."""
        (red,) = filled.search_text("red", 1)
        (blue,) = filled.search_text("blue", 1)
        assert filled.delete([red, blue.id]) == 2
        assert sorted(names(filled.search_text("red", 10))) == ["green", "yellow"]
        assert sorted(names(filled.search_text("red", 10, targets=["crops"]))) == ["green", "yellow"]
        assert filled.stats().documents == 2
        with pytest.raises(esclip.DocumentNotFound, match=red.id):
            filled.delete(red.id)

    def test_by_path(self, filled: ImageIndex, folder: Path) -> None:
        """A folder that is gone with what was rejected there, but none whose name begins so; then a file."""
        shutil.rmtree(folder / "a")
        assert filled.delete(paths=folder / "a") == 2
        assert sorted(names(filled.search_text("red", 10))) == ["blue", "yellow"]
        assert not filled.rejection_counts()
        assert filled.delete(paths=[f"{folder}/ab/../ab/blue.png"]) == 1
        assert names(filled.search_text("red", 10, targets=["crops"])) == ["yellow"]

    def test_by_a_filter(self, filled: ImageIndex, folder: Path) -> None:
        """Alone, of all documents; with a path or an id, of those only."""
        assert filled.delete(paths=folder / "a", where="folder=ab") == 0
        (red,) = filled.search_text("red", 1)
        assert filled.delete([red], paths=folder / "ab", where="file_name=red.png,green.png,blue.png") == 2
        assert filled.delete(where={"folder": "a"}) == 1
        assert names(filled.search_text("red", 10, targets=["pictures", "crops"])) == ["yellow"]

    def test_asked_before(self, filled: ImageIndex, folder: Path) -> None:
        """It is told what would go, and what isn't held; a "no" keeps all."""
        told: list[Deletion] = []

        def no(found: Deletion) -> bool:
            told.append(found)
            return False

        assert filled.delete("x", paths=folder / "a", confirm=no) == 0
        assert told == [Deletion(2, 1, ("x",))]
        assert filled.stats().documents == 4
        assert sum(filled.rejection_counts().values()) == 1

    def test_a_rejection_alone(self, filled: ImageIndex, folder: Path) -> None:
        """It is forgotten by its id, with no document."""
        (kept,) = filled.rejections()
        (folder / "a" / "broken.png").unlink()
        assert filled.retry().rejected == 1
        assert filled.delete(kept.id) == 0
        assert not filled.rejection_counts()

    def test_what_is_still_there_comes_back(self, filled: ImageIndex, folder: Path) -> None:
        """The next ingest finds it new, with its parts."""
        assert filled.delete(paths=folder / "ab") == 2
        assert filled.ingest(folder).written == 2
        assert len(filled.search_text("blue", 10, targets=["crops"])) == 4

    def test_a_prune_of_a_path_that_is_gone(self, filled: ImageIndex, folder: Path) -> None:
        """Nothing goes that nobody has agreed to: a disk that isn't mounted looks the same."""
        (folder / "a").rename(folder.parent / "moved")
        with pytest.raises(esclip.SourceError, match="prune=True"):
            filled.ingest(folder / "a")
        report = filled.ingest(folder / "a", folder / "ab", prune=True)
        assert (report.pruned, report.unpruned, report.skipped) == (0, 2, 2)
        assert sum(filled.rejection_counts().values()) == 1
        asked: list[tuple[str, int]] = []

        def yes(path: str, documents: int) -> bool:
            asked.append((path, documents))
            return True

        report = filled.ingest(folder / "a", prune=True, confirm=yes)
        assert (report.pruned, report.unpruned, asked) == (2, 0, [(str(folder / "a"), 2)])
        assert sorted(names(filled.search_text("red", 10, targets=["crops"]))) == ["blue", "yellow"]
        assert not filled.rejection_counts()
        with pytest.raises(esclip.SourceError, match="is not there"):
            filled.ingest(folder / "a", prune=True)

    def test_a_prune_of_a_folder_that_is_empty(self, filled: ImageIndex, folder: Path) -> None:
        """It is a mount point without its disk, perhaps; one that keeps a picture is pruned unasked."""
        (folder / "a" / "red.png").unlink()
        assert filled.ingest(folder / "a", prune=True, max_rejection_rate=1).pruned == 1
        shutil.rmtree(folder / "ab")
        (folder / "ab").mkdir()
        report = filled.ingest(folder / "ab", prune=True)
        assert (report.pruned, report.unpruned) == (0, 2)
        assert filled.ingest(folder / "ab", prune=True, confirm=lambda *_: True).pruned == 2
        assert names(filled.search_text("red", 10)) == ["green"]

    def test_nothing_to_delete(self, filled: ImageIndex, store: Store) -> None:
        """No ids, paths and filter are an error, not all documents; so is an index that isn't there."""
        nothing: tuple[dict[str, str] | None, ...] = (None, {})
        for where in nothing:
            with pytest.raises(esclip.ConfigError, match="nothing to delete"):
                filled.delete([], paths=(), where=where)
        for id in ("", " "):
            with pytest.raises(esclip.ConfigError, match="id is empty"):
                filled.delete(id)
        with pytest.raises(esclip.ConfigError, match="path is empty"):
            filled.delete(paths="")  # the current directory is not meant
        for odd in ("\ud800", "\udcff", "a\0b"):
            with pytest.raises(esclip.DocumentNotFound, match="nothing of"):
                filled.delete(odd)
        with pytest.raises(esclip.IndexExists, match="holds the parts"):
            esclip.open_index(store.open_other(f"{store.index}_parts")).delete("x")
        with pytest.raises(esclip.IndexNotFound, match="elsewhere"):
            esclip.open_index(store.open_other("elsewhere")).delete("x")
