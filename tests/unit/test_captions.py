"""Descriptions that come with pictures: where they are read from, and what is wrong with them."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

import esclip
from esclip import ConfigError, ImageRecord, SourceError, StoredDocument
from esclip._core.captions import MAX_CAPTION_BYTES
from esclip.sources import open_source
from esclip.stores.memory import MemoryStore
from esclip.stores.wrapper import StoreWrapper
from scripts.make_unsplash import make_dataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "more/c.jpg"):
        Image.new("RGB", (8, 8)).save(folder / name)
    return folder


def captions(folder: Path, given: str | Path, **options: object) -> dict[str, str]:
    """The descriptions of a folder's pictures by their names."""
    source = open_source([folder], captions=given, **options)  # type: ignore[arg-type]
    records = [record for record in source.records(Event()) if isinstance(record, ImageRecord)]
    assert source.total() == len(records)
    assert all(source.covers(record.location) for record in records)
    return {Path(record.location).name: record.description for record in records}


class TestSidecars:
    def test_beside_the_picture(self, folder: Path) -> None:
        """A text named after the whole file comes first, then one with the picture's name."""
        (folder / "a.txt").write_text("an a", encoding="utf-8")
        (folder / "a.jpg.txt").write_text("\ufeff  the a\n", encoding="utf-8")
        (folder / "more" / "c.txt").write_text("ein Hündchen", encoding="utf-8")
        assert captions(folder, "sidecar") == {"a.jpg": "the a", "b.jpg": "", "c.jpg": "ein Hündchen"}

    def test_no_more_than_a_caption(self, folder: Path) -> None:
        """Of an endless text the beginning is taken, to a whole character."""
        (folder / "a.txt").write_text("x" + "ü" * MAX_CAPTION_BYTES, encoding="utf-8")
        caption = captions(folder, "sidecar")["a.jpg"]
        assert len(caption.encode()) == MAX_CAPTION_BYTES - 1
        assert set(caption[1:]) == {"ü"}

    def test_what_can_not_be_read(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        """It is no caption and no rejection; how many there are is told once."""
        (folder / "a.txt").write_bytes(b"\xff\xfe\xfd")
        (folder / "b.txt").mkdir()
        os.mkfifo(folder / "more" / "c.txt")
        (folder / "more" / "c.jpg.txt").write_bytes(b"\xc3(")
        assert captions(folder, "sidecar") == {"a.jpg": "", "b.jpg": "", "c.jpg": ""}
        (warning,) = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
        assert warning.startswith("no captions from 2 text files")
        assert f"{folder / 'a.txt'}: line 1 is not UTF-16" in warning

    def test_links_out_of_the_folder(
        self, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """They would bring any text of the machine into the index; a link to one beside it is that text."""
        secret = tmp_path / "secret.txt"
        secret.write_text("KEY=1", encoding="utf-8")
        (folder / "texts.txt").write_text("a text", encoding="utf-8")
        (folder / "first.txt").symlink_to("texts.txt")
        for target, expected in {
            secret: "",
            Path("../secret.txt"): "",
            Path("/proc/self/environ"): "",
            Path("../pictures/../secret.txt"): "",
            Path("a.txt"): "",
            Path("first.txt"): "a text",
            folder / "first.txt": "a text",
            Path("../pictures/first.txt"): "a text",
        }.items():
            (folder / "a.txt").symlink_to(target)
            caplog.clear()
            assert captions(folder, "sidecar")["a.jpg"] == expected, target
            assert ("1 text file beside pictures, which can't be read" in caplog.text) is (not expected)
            (folder / "a.txt").unlink()

    def test_only_when_asked_for(self, folder: Path) -> None:
        """Text files are none of ours otherwise."""
        (folder / "a.txt").write_text("an a", encoding="utf-8")
        (record, *_) = open_source([folder]).records(Event())
        assert isinstance(record, ImageRecord)
        assert record.description == ""


class TestCaptionFile:
    def test_paths(self, folder: Path, tmp_path: Path) -> None:
        """They are relative to the file, with detours, or absolute; others say nothing."""
        text = f'{{"pictures/../pictures/a.jpg": "one", "{folder}/more/c.jpg": " three "}}'
        file = tmp_path / "captions.json"
        file.write_text(text, encoding="utf-8")
        assert captions(folder, file) == {"a.jpg": "one", "b.jpg": "", "c.jpg": "three"}

    def test_entries_without_a_picture(
        self, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """They are counted in a warning, but where records are left out."""
        file = tmp_path / "Captions.JSON"
        file.write_text('{"pictures/a.jpg": "one", "pictures/z.jpg": "?", "y.jpg": "?"}', encoding="utf-8")
        captions(folder, str(file), limit=1)
        assert not caplog.records
        captions(folder, str(file))
        assert "2 captions of 3 for no picture" in caplog.text

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("{", "is no JSON"),
            ("[]", "has to be an object"),
            ('{"a.jpg": "x", "": 1}', "what it says of '' is no text"),
            (None, "can't be read: No such file"),
        ],
    )
    def test_another_file(self, folder: Path, tmp_path: Path, text: str | None, told: str) -> None:
        """What is no object of texts is named before anything is ingested."""
        file = tmp_path / "captions.json"
        if text is not None:
            file.write_text(text, encoding="utf-8")
        with pytest.raises(SourceError, match=f"{file}.*{told}"):
            captions(folder, file)

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_any_encoding_with_a_mark(self, folder: Path, encoding: str) -> None:
        """A file as a program of Windows writes it; one in another encoding is told by its line."""
        text = '{\r\n"a.jpg": "ein Hündchen"\r\n}'
        (folder / "c.json").write_bytes(text.encode(encoding))
        assert captions(folder, folder / "c.json")["a.jpg"] == "ein Hündchen"
        (folder / "c.json").write_bytes(text.encode("cp1252"))
        with pytest.raises(
            SourceError, match=r"c.json can't be read: line 2 is not UTF-8 .* save it as UTF-8"
        ):
            captions(folder, folder / "c.json")

    def test_a_link_out_of_its_folder(self, folder: Path, tmp_path: Path) -> None:
        """It is told and not followed: a folder that came with pictures may hold it."""
        secret = tmp_path / "secret.json"
        secret.write_text('{"a.jpg": "KEY=1"}', encoding="utf-8")
        (folder / "captions.json").symlink_to(secret)
        with pytest.raises(SourceError, match=r"captions.json can't be read: it is a link out of its folder"):
            captions(folder, folder / "captions.json")

    def test_the_pictures_of_a_dataset(self, tmp_path: Path) -> None:
        """By the picture's file where it is on disk."""
        make_dataset(tmp_path / "data", photos=2, images=tmp_path / "images")
        (first, _) = sorted((tmp_path / "images").iterdir())
        (tmp_path / "c.json").write_text(f'{{"images/{first.name}": "mine"}}', encoding="utf-8")
        source = open_source([tmp_path / "data"], images=tmp_path / "images", captions=tmp_path / "c.json")
        known = {r.id: r.description for r in source.records(Event()) if isinstance(r, ImageRecord)}
        assert known[first.stem] == "mine"
        assert list(known.values()).count("mine") == 1


class TestColumn:
    def test_it_becomes_the_description(self, tmp_path: Path) -> None:
        """Where it has a value; else the description is what it was."""
        make_dataset(tmp_path, photos=20)
        before = [r for r in open_source([tmp_path]).records(Event()) if isinstance(r, ImageRecord)]
        after = [
            r
            for r in open_source([tmp_path], captions="photo_location_country").records(Event())
            if isinstance(r, ImageRecord)
        ]
        countries = [r.metadata.get("country") for r in before]
        assert len(set(countries)) > 1
        wanted = [country or r.description for country, r in zip(countries, before, strict=True)]
        assert [r.description for r in after] == wanted

    def test_a_column_of_ones_own(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A column that no release has is not warned of when it is asked for."""
        table = "photo_id\tphoto_image_url\tmy_words\na\thttps://images.unsplash.com/a\tmy own\n"
        (tmp_path / "photos.tsv000").write_text(table, encoding="utf-8")
        (record,) = open_source([tmp_path], captions="my_words").records(Event())
        assert isinstance(record, ImageRecord)
        assert record.description == "my own"
        assert not caplog.records

    def test_no_such_column(self, tmp_path: Path, folder: Path) -> None:
        """The nearest is named; without a dataset there is none."""
        make_dataset(tmp_path / "data", photos=2)
        with pytest.raises(ConfigError, match=r"photos.*no column 'photo_descripton'.*photo_description"):
            open_source([tmp_path / "data"], captions="photo_descripton")
        with pytest.raises(ConfigError, match=r"sidecars would be a column.*\.json file, or sidecar"):
            open_source([folder], captions="sidecars")


def test_captions_are_found_by_their_words_and_change_without_encoding(folder: Path) -> None:
    """A caption that is new, other or gone is written to its document alone."""
    index = esclip.open_index(MemoryStore("p"), encoder="palette")
    index.ingest(folder)
    (folder / "b.txt").write_text("a lighthouse", encoding="utf-8")
    assert index.ingest(folder, captions="sidecar").written == 1
    found = index.search_text("black", 3)
    assert sorted(hit.description for hit in found) == ["", "", "a lighthouse"]
    (folder / "b.txt").unlink()
    assert index.ingest(folder, captions="sidecar").written == 1
    assert {hit.description for hit in index.search_text("black", 3)} == {""}


def described(index: esclip.ImageIndex) -> dict[str, str]:
    """The descriptions that an index holds, by the names of the pictures."""
    return {Path(hit.location).name: hit.description for hit in index.search_text("black", 20)}


class TestWithoutCaptions:
    """An ingest that is given no captions reads none, and leaves those that there are."""

    def test_of_several_paths_and_kinds(self, folder: Path, tmp_path: Path) -> None:
        """Each path's stay, when the file is gone as well; one path's can be taken away alone."""
        index = esclip.open_index(MemoryStore("p"), encoder="palette")
        (folder / "a.txt").write_text("beside", encoding="utf-8")
        (tmp_path / "c.json").write_text('{"pictures/more/c.jpg": "in a file"}', encoding="utf-8")
        index.ingest(folder / "a.jpg", folder / "b.jpg", captions="sidecar")
        index.ingest(folder / "more", captions=tmp_path / "c.json")
        (tmp_path / "c.json").unlink()
        (folder / "a.txt").write_text("not read", encoding="utf-8")
        assert index.ingest(folder).skipped == 3
        assert described(index) == {"a.jpg": "beside", "b.jpg": "", "c.jpg": "in a file"}
        assert index.ingest(folder / "more", captions="").written == 1
        assert described(index) == {"a.jpg": "beside", "b.jpg": "", "c.jpg": ""}

    def test_of_what_has_changed(self, folder: Path) -> None:
        """Another picture, other labels and a retry: the caption stays with all of them."""
        index = esclip.open_index(MemoryStore("p"), encoder="palette")
        (folder / "a.txt").write_text("a caption", encoding="utf-8")
        index.ingest(folder, captions="sidecar")
        assert index.ingest(folder, labels="red,black").written == 3
        assert described(index)["a.jpg"] == "a caption"
        (folder / "a.jpg").write_bytes(b"broken")
        assert index.ingest(folder, captions="sidecar").rejected == 1
        Image.new("RGB", (9, 9), "red").save(folder / "a.jpg")
        assert index.retry().written == 1
        assert index.ingest(folder).skipped == 3
        Image.new("RGB", (7, 7), "blue").save(folder / "a.jpg")
        assert index.ingest(folder).written == 1
        assert index.ingest(folder, captions="sidecar").skipped == 3
        assert described(index)["a.jpg"] == "a caption"

    def test_that_an_older_version_has_written(self, folder: Path) -> None:
        """It did not say that a description is a caption, but a file has no other."""
        store = MemoryStore("p")
        index = esclip.open_index(store, encoder="palette")
        index.ingest(folder)
        for id, _ in list(store.scan_locations()):
            document = store.documents([id])[id]
            store.upsert([replace(document, record=replace(document.record, description="as ever"))])
        assert index.ingest(folder).written == 3
        assert set(described(index).values()) == {"as ever"}
        assert index.ingest(folder).skipped == 3

    def test_of_a_text_that_can_not_be_read(self, folder: Path) -> None:
        """It takes no caption away."""
        index = esclip.open_index(MemoryStore("p"), encoder="palette")
        (folder / "a.txt").write_text("a caption", encoding="utf-8")
        index.ingest(folder, captions="sidecar")
        (folder / "a.txt").write_bytes(b"\xff\xfe\xfd")
        assert index.ingest(folder, captions="sidecar").skipped == 3
        assert described(index)["a.jpg"] == "a caption"

    def test_of_a_dataset(self, tmp_path: Path) -> None:
        """Its own descriptions follow the dataset, and are back when captions are taken away."""
        table = tmp_path / "photos.tsv000"
        header = "photo_id\tphoto_image_url\tphoto_description\tmine\n"
        url = "https://images.unsplash.com/a"
        store = MemoryStore("p")
        index = esclip.open_index(store, encoder="palette")
        images = tmp_path / "images"
        images.mkdir()
        for name in ("a", "b"):
            Image.new("RGB", (8, 8)).save(images / f"{name}.jpg")

        def ingest(own: str, captions: str | None) -> list[str]:
            rows = [f"{name}\t{url}{name}\t{own}\t{mine}" for name, mine in (("a", "mine"), ("b", ""))]
            table.write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
            index.ingest(tmp_path, images=images, captions=captions)
            return [document.record.description for document in store.documents(["a", "b"]).values()]

        assert ingest("old", "mine") == ["mine", "old"]
        assert ingest("new", None) == ["mine", "new"]
        assert ingest("newer", "") == ["newer", "newer"]
        assert ingest("newest", None) == ["newest", "newest"]

    def test_of_what_is_unchanged(self, folder: Path) -> None:
        """No document is read of pictures that have not changed, with captions or without."""

        class Read(StoreWrapper):
            def documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
                read.extend(ids)
                return super().documents(ids)

        read: list[str] = []
        index = esclip.open_index(Read(MemoryStore("p")), encoder="palette")
        (folder / "a.txt").write_text("a caption", encoding="utf-8")
        index.ingest(folder, captions="sidecar")
        read.clear()
        assert index.ingest(folder).skipped == 3
        assert read == []
