"""Unsplash datasets: the folder, its parts, and the records that come of them."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from esclip._core.types import ImageRecord
from esclip._errors.reasons import Reason
from esclip._protocols import Source
from esclip.sources import UnsplashSource, open_source
from esclip.testing.source import SourceContract, records_of, rejections_of
from scripts.make_unsplash import make_dataset
from tests.unit.unsplash_tables import URL, child, ids, metadata, photo, told, write


class TestUnsplashSource(SourceContract):
    @pytest.fixture
    def origin(self, tmp_path: Path) -> Path:
        folder = tmp_path / "dataset"
        make_dataset(folder, 50, keywords_per_photo=9)
        with (folder / "photos.tsv000").open("a") as file:
            file.write("cut\thttps://unsplash.com/photos/cut\n")
        return folder

    def open(self, origin: Path) -> Source:
        return UnsplashSource(origin)

    def change(self, origin: Path) -> set[str]:
        part = origin / "photos.tsv001"
        part.write_text(part.read_text().replace("\tt\t", "\tf\t", 1))
        before = [r.id for r in records_of(self.open(origin)) if r.metadata["featured"]]
        return {record.id for record in records_of(self.open(origin))[25:26] if record.id not in before}


class TestUnsplashSourceWithoutOtherTables(TestUnsplashSource):
    @pytest.fixture
    def origin(self, tmp_path: Path) -> Path:
        rows = [photo(id, photo_submitted_at="2020-01-02 03:04:05", photo_featured="t") for id in "abcd"]
        write(tmp_path / "photos.tsv", [*rows, photo("")])
        return tmp_path

    def change(self, origin: Path) -> set[str]:
        table = origin / "photos.tsv"
        table.write_text(table.read_text().replace("\tt\n", "\tf\n", 1))
        return {"a"}


@pytest.mark.parametrize(
    "name", ["photos.tsv000", "photos.csv000", "photos.tsv", "photos.csv", "photos.tsv000.gz"]
)
def test_reads_every_name_that_releases_use(tmp_path: Path, name: str) -> None:
    """Fields are separated by tabs whatever the extension says; the file itself may be named too."""
    path = write(tmp_path / name, [photo("a", photo_description="one, two; three"), photo("b")])
    for given in (tmp_path, path):
        records = records_of(open_source([given]))
        assert [(record.id, record.description) for record in records] == [
            ("a", "one, two; three"),
            ("b", ""),
        ]


def test_reads_parts_in_order_each_by_its_own_header(tmp_path: Path) -> None:
    """Parts may differ in extension, packing and order of columns, and have no rows."""
    write(tmp_path / "photos.csv010", [photo("d")])
    write(tmp_path / "photos.tsv002.gz", [dict(reversed(photo("c").items()))])
    write(tmp_path / "photos.tsv001", [photo("b")])
    write(tmp_path / "photos.tsv000", [photo("a")], columns=["photo_image_url", "photo_id"])
    write(tmp_path / "photos.tsv003", [], columns=["photo_id", "photo_image_url"])
    (tmp_path / "Photos.tsv005").touch()
    (tmp_path / "._photos.tsv000").write_bytes(b"\0\1")
    records = records_of(open_source([tmp_path]))
    assert [(record.id, record.location) for record in records] == [(id, f"{URL}-{id}") for id in "abcd"]


def test_a_part_that_lies_there_packed_and_unpacked_counts_once(tmp_path: Path) -> None:
    """Unpacking with the packed file kept does not double the dataset."""
    for name in ("photos.tsv000", "photos.tsv000.gz"):
        write(tmp_path / name, [photo("a")])
    assert ids(tmp_path) == ["a"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_reads_the_dialect(tmp_path: Path, end: str, bom: bytes) -> None:
    """Quoted tabs, newlines and quotes belong to the value, with any line end and a byte order mark."""
    text = 'a "b"\tc\nd'
    path = write(tmp_path / "photos.tsv000", [photo("a", photo_description=text), photo("-b")], end=end)
    path.write_bytes(bom + path.read_bytes())
    first, second = records_of(open_source([tmp_path]))
    assert (first.description, second.id) == (text, "-b")


def test_words_that_look_like_null_are_words(tmp_path: Path) -> None:
    """Namibia's code, and a keyword "null", are text; only nothing is null."""
    write(tmp_path / "keywords.tsv", [child("a", keyword="null", suggested_by_user="t")])
    found = metadata(tmp_path, photo_location_country="NA", photo_location_city="nan", exif_camera_make="")
    assert found == {"country": "NA", "city": "nan", "keywords": ("null",), "keywords_from": "user"}


def test_a_very_long_value_is_read(tmp_path: Path) -> None:
    """A field of 16 MB is a field."""
    text = ("x" * 99 + "\n") * 160_000
    write(tmp_path / "photos.tsv", [photo("a", photo_description=text), photo("b")])
    assert [len(record.description) for record in records_of(open_source([tmp_path]))] == [len(text), 0]


def test_an_id_that_comes_twice_is_given_twice(tmp_path: Path) -> None:
    """Which one counts is the pipeline's to say; ids differ by case."""
    write(tmp_path / "photos.tsv", [photo("a"), photo("A"), photo("a")])
    write(tmp_path / "colors.tsv", [child("a", keyword="red", coverage="1")])
    assert ids(tmp_path) == ["a", "A", "a"]
    assert records_of(open_source([tmp_path]))[0].metadata["colors"] == ("red",)


def test_a_photo_without_url_is_rejected_unless_its_picture_is_on_disk(tmp_path: Path) -> None:
    """There is nothing to fetch without a URL; with the pictures at hand there is nothing to fetch at all."""
    write(tmp_path / "photos.tsv", [{"photo_id": "a", "photo_image_url": ""}])
    assert [r.reason for r in rejections_of(open_source([tmp_path]))] == [Reason.BAD_URL]
    [record] = records_of(open_source([tmp_path], images=tmp_path))
    assert record.location == str(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    "url", ["https://images.unsplash.company%20by%20x", "https://[bad", "not a url", "file:///x"]
)
def test_a_photo_with_a_strange_url_is_a_record(tmp_path: Path, url: str) -> None:
    """A URL is judged where it is fetched."""
    write(tmp_path / "photos.tsv", [{"photo_id": "a", "photo_image_url": url}])
    [record] = records_of(open_source([tmp_path]))
    assert record.location == record.image_version == url


@pytest.mark.parametrize("url", ["/home/me/private.png", "file:///x.png", "http://[", "https://u:p@h/x", ""])
def test_a_picture_on_disk_is_at_its_url_only_where_that_is_one(tmp_path: Path, url: str) -> None:
    """Galleries show what is at a location: what a table says must not lead to another file of the disk."""
    good = photo("b", photo_url="https://unsplash.com/photos/b")
    write(tmp_path / "photos.tsv", [{"photo_id": "a", "photo_image_url": url, "photo_url": url}, good])
    bad, usual = records_of(open_source([tmp_path], images=tmp_path))
    assert (bad.location, bad.page) == (str(tmp_path / "a.jpg"), None)
    assert (usual.location, usual.page) == (good["photo_image_url"], good["photo_url"])


def test_pictures_on_disk_are_found_by_id_and_never_outside(tmp_path: Path) -> None:
    """With a folder of pictures an id has to be a file name."""
    write(tmp_path / "photos.tsv", [photo(id) for id in ("-a", "../b", "c/d", "..", "e\\f", "/g")])
    source = open_source([tmp_path], images=tmp_path)
    assert [record.picture for record in records_of(source)] == [tmp_path / "-a.jpg"]
    assert {rejection.reason for rejection in rejections_of(source)} == {Reason.BAD_ID}
    assert len(ids(tmp_path)) == 6


def test_folders_with_any_name_are_read(tmp_path: Path) -> None:
    """Brackets, stars and quotes are characters of a name, and no pattern."""
    for name in ("a[1]*", "b'?\"", "k=v {1,2}"):
        folder = tmp_path / name
        folder.mkdir()
        write(folder / "photos.tsv", [photo("a")])
        write(folder / "colors.tsv.gz", [child("a", keyword="red")])
        assert told(folder, "colors") == {"a": ("red",)}


@pytest.mark.parametrize("limit", [1, 4, 9])
def test_limit_takes_the_first(tmp_path: Path, limit: int) -> None:
    """The first photos are the same with all they have, and the total says so; broken rows count."""
    make_dataset(tmp_path, 8, keywords_per_photo=5, parts=3)
    with (tmp_path / "photos.tsv000").open("a") as file:
        file.write("cut\n")
    everything = list(open_source([tmp_path]).records(Event()))
    source = open_source([tmp_path], limit=limit)
    assert list(source.records(Event())) == everything[:limit]
    assert source.total() == limit


def test_a_temporary_folder_lasts_as_long_as_the_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there while records are read, so that a test of its end can fail."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    make_dataset(tmp_path / "dataset", 5)
    records = iter(open_source([tmp_path / "dataset"]).records(Event()))
    next(records)
    assert len(list(temporary.iterdir())) == 1
    assert sum(1 for _ in records) == 4
    assert list(temporary.iterdir()) == []


def test_a_dataset_and_a_picture_together(tmp_path: Path) -> None:
    """Several sources are one: their records in turn, and the fields of all."""
    (tmp_path / "set").mkdir()
    write(tmp_path / "set" / "photos.tsv", [photo("a")])
    (tmp_path / "b.jpg").write_bytes(b"picture")
    source = open_source([tmp_path / "set", tmp_path / "b.jpg"])
    assert [type(record) for record in source.records(Event())] == [ImageRecord, ImageRecord]
    assert {"iso", "file_size"} <= {field.name for field in source.fields}
