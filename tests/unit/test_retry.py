"""Rejections over several runs: kept until the index holds their records, and tried again on their own."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import esclip
from esclip import ImageIndex, IngestReport, Reason, Rejection, Stage, StoreError
from esclip._ingest.ledger import Ledger
from esclip._ingest.retry import LedgerSource
from esclip._protocols import Source
from esclip.sources import FolderSource
from esclip.testing.pictures import PLAIN
from esclip.testing.source import SourceContract, records_of
from tests.refusing_stores import RefusingStore
from tests.servers import PictureServer, body, status


class TestLedgerSource(SourceContract):
    @pytest.fixture
    def origin(self, tmp_path: Path) -> Path:
        folder = tmp_path / "pictures"
        folder.mkdir()
        for name in ("a.jpg", "b.jpg", "c.jpg", "gone.jpg"):
            (folder / name).write_bytes(b"picture")
        ledger = Ledger(tmp_path / "index.rejections.sqlite")
        for record in records_of(FolderSource(folder)):
            ledger.add(
                Rejection(record.id, record.location, Stage.DECODE, Reason.NOT_AN_IMAGE, "b'pic'", record)
            )
        ledger.add(Rejection("", "photos.tsv:7", Stage.READ, Reason.BAD_ROW, "too few columns"))
        ledger.close()
        (folder / "gone.jpg").unlink()
        return folder

    def open(self, origin: Path) -> Source:
        ledger = Ledger(origin.parent / "index.rejections.sqlite")
        return LedgerSource(ledger, FolderSource(origin).fields)

    def change(self, origin: Path) -> set[str]:
        [record] = [r for r in records_of(self.open(origin)) if r.location.endswith("b.jpg")]
        (origin / "b.jpg").write_bytes(b"another picture")
        return {record.id}

    def test_covers_its_own_records(self, origin: Path) -> None:
        """It covers nothing: what isn't in the ledger has not left a source."""
        source = self.open(origin)
        assert not any(source.covers(record.location) for record in records_of(source))


@pytest.fixture
def server(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PictureServer]:
    """Serves a picture of each colour, /red.png and so on; none was fetched before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pictures = {f"/{path.name}": body(path.read_bytes()) for path in photos.rglob("*.png")}
    with PictureServer(pictures) as server:
        yield server


@pytest.fixture
def dataset(tmp_path: Path, server: PictureServer) -> Path:
    """An Unsplash dataset whose pictures are at the server."""
    folder = tmp_path / "unsplash"
    folder.mkdir()
    rows = "".join(f"{color}\t{server.url(f'/{color}.png')}\tNorway\n" for color in PLAIN)
    (folder / "photos.tsv").write_text(f"photo_id\tphoto_image_url\tphoto_location_country\n{rows}")
    return folder


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ImageIndex]:
    with esclip.open_index(tmp_path / "store", encoder="palette") as index:
        yield index


def ingest(index: ImageIndex, *paths: Path, **options: object) -> IngestReport:
    """An ingest from the loopback that may reject everything."""
    return accounted(index.ingest(*paths, allow_hosts=["127.0.0.1"], max_rejection_rate=1, **options))  # type: ignore[arg-type]


def retry(index: ImageIndex, *reasons: Reason | str) -> IngestReport:
    return accounted(index.retry(reasons=reasons, allow_hosts=["127.0.0.1"]))


def accounted(report: IngestReport) -> IngestReport:
    assert report.read == report.skipped + report.written + report.rejected
    return report


def kept(index: ImageIndex) -> dict[str, str]:
    """Reasons by id."""
    return {rejection.id: rejection.reason.value for rejection in index.rejections()}


def held(index: ImageIndex) -> set[str]:
    return set(index.store.fingerprints(list(PLAIN)))


def test_just_what_was_rejected_is_tried_again(
    index: ImageIndex, dataset: Path, server: PictureServer
) -> None:
    """A retry asks for the pictures that were rejected and no other; what it writes leaves the ledger."""
    right = dict(server.routes)
    server.routes.update({"/red.png": status(404), "/blue.png": status(410), "/pink.png": status(403)})
    assert ingest(index, dataset).rejected == 3
    assert kept(index) == {"red": "http_404", "blue": "http_410", "pink": "http_403"}
    server.routes.update({"/red.png": right["/red.png"], "/blue.png": right["/blue.png"]})
    server.requests.clear()
    report = retry(index)
    assert (report.read, report.written, report.rejected) == (3, 2, 1)
    assert set(server.requests) == {"/red.png", "/blue.png", "/pink.png"}
    assert kept(index) == {"pink": "http_403"}
    assert held(index) == set(PLAIN) - {"pink"}
    (hit,) = index.search_text("red", 1, where={"country": "Norway"})
    assert hit.id == "red"


def test_a_retry_may_be_of_some_reasons_only(index: ImageIndex, dataset: Path, server: PictureServer) -> None:
    """Reasons can be named; what was rejected for others is not asked for and stays."""
    right = dict(server.routes)
    server.routes.update({"/red.png": status(404), "/blue.png": status(410), "/pink.png": status(403)})
    ingest(index, dataset)
    server.routes.update(right)
    server.requests.clear()
    assert retry(index, "http_404", Reason.HTTP_403).written == 2
    assert set(server.requests) == {"/red.png", "/pink.png"}
    assert kept(index) == {"blue": "http_410"}
    assert index.rejection_counts() == {Reason.HTTP_410: 1}
    assert index.rejection_counts(["http_404"]) == {}


def test_what_fails_again_is_counted_with_its_new_reason(
    index: ImageIndex, dataset: Path, server: PictureServer
) -> None:
    """That all fail again is no failure of the run; the ledger says why now, and how often."""
    server.routes["/red.png"] = status(404)
    ingest(index, dataset)
    server.routes["/red.png"] = status(410)
    report = retry(index)
    assert (report.read, report.rejected, report.rejections) == (1, 1, {Reason.HTTP_410: 1})
    [rejection] = index.rejections()
    assert (rejection.reason, rejection.attempts) == (Reason.HTTP_410, 2)
    with pytest.raises(esclip.TooManyRejections):
        index.retry(allow_hosts=["127.0.0.1"], max_rejection_rate=0.5)
    assert [rejection.attempts for rejection in index.rejections()] == [3]


def test_the_next_ingest_is_not_told_twice(index: ImageIndex, dataset: Path, server: PictureServer) -> None:
    """What a retry wrote is unchanged for the next ingest, which finds nothing to do."""
    right = server.routes["/red.png"]
    server.routes["/red.png"] = status(404)
    ingest(index, dataset)
    server.routes["/red.png"] = right
    retry(index)
    assert ingest(index, dataset).skipped == len(PLAIN)


def test_an_ingest_settles_what_it_finds_in_the_index(
    index: ImageIndex, dataset: Path, server: PictureServer
) -> None:
    """A record that got into the index, by this ingest or a run that was killed, leaves the ledger."""
    right = dict(server.routes)
    server.routes.update({"/red.png": status(404), "/blue.png": status(404)})
    ingest(index, dataset)
    [red, _] = sorted(index.rejections(), key=lambda rejection: rejection.id, reverse=True)
    server.routes["/red.png"] = right["/red.png"]
    assert ingest(index, dataset).written == 1
    assert kept(index) == {"blue": "http_404"}
    index._stores.ledger.add(red)  # as if a kill had come between the write and the settling
    report = retry(index, "http_404")
    assert (report.skipped, report.rejected) == (1, 1)
    assert kept(index) == {"blue": "http_404"}
    index._stores.ledger.add(red)
    assert ingest(index, dataset).rejected == 1
    assert kept(index) == {"blue": "http_404"}


def test_what_has_left_the_source_is_forgotten_by_an_ingest_of_all(
    index: ImageIndex, dataset: Path, server: PictureServer
) -> None:
    """Rows that are gone or were put right don't stay; to ingest a part or another source changes none."""
    server.routes.update({"/red.png": status(404), "/blue.png": status(404)})
    table = dataset / "photos.tsv"
    whole = table.read_text()
    table.write_text(f"{whole}a row\tof\tmany\tcolumns\n")
    ingest(index, dataset)
    assert set(kept(index)) == {"red", "blue", ""}
    table.write_text("".join(line for line in whole.splitlines(True) if not line.startswith("red")))
    ingest(index, dataset, limit=5)
    ingest(index, dataset / ".." / "photos")
    with pytest.raises(esclip.TooManyRejections):
        index.ingest(dataset, allow_hosts=["127.0.0.1"], max_rejection_rate=0)
    assert set(kept(index)) == {"red", "blue", ""}
    ingest(index, Path(os.path.relpath(dataset)))
    assert kept(index) == {"blue": "http_404"}


def test_what_has_no_record_is_left_to_an_ingest(
    index: ImageIndex, dataset: Path, server: PictureServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Broken rows stay as they are in a retry, which says how many."""
    with (dataset / "photos.tsv").open("a") as table:
        table.write("a row\tof\tmany\tcolumns\n")
    server.routes["/red.png"] = status(404)
    ingest(index, dataset)
    assert (retry(index).read, retry(index, "bad_row").read) == (1, 0)
    assert "1 rejection of rows or folders that gave no record" in caplog.text
    [row] = index.rejections(["bad_row"])
    assert (row.attempts, row.record) == (1, None)


def test_a_file_is_tried_as_it_is_now(index: ImageIndex, photos: Path) -> None:
    """A file that was replaced, is gone, or is back: a later ingest finds it unchanged in the index."""
    bad = photos / "bad.png"
    bad.write_bytes(b"no picture")
    index.ingest(photos)
    bad.unlink()
    assert retry(index).rejections == {Reason.FILE_NOT_FOUND: 1}
    [rejection] = index.rejections()
    assert (rejection.reason, rejection.stage, rejection.attempts) == (Reason.FILE_NOT_FOUND, Stage.READ, 2)
    Image.new("RGB", (9, 9), "red").save(bad)
    assert retry(index).written == 1
    assert list(index.rejections()) == []
    assert index.ingest(photos).skipped == len(PLAIN) + 1


def test_pictures_on_disk_of_a_dataset_are_tried_again(
    index: ImageIndex, dataset: Path, photos: Path, tmp_path: Path
) -> None:
    """A picture that `images` lacked is found when it is there, under its own id and with its metadata."""
    images = tmp_path / "images"
    images.mkdir()
    for path in photos.rglob("*.png"):
        if path.stem != "red":
            path.rename(images / f"{path.stem}.jpg")
    assert ingest(index, dataset, images=images).rejections == {Reason.FILE_NOT_FOUND: 1}
    (photos / "red.png").rename(images / "red.jpg")
    assert retry(index).written == 1
    assert ingest(index, dataset, images=images).skipped == len(PLAIN)


def test_what_the_store_refused_is_tried_again(photos: Path) -> None:
    """A document that the store didn't take is rejected with its record, in memory too."""
    store = RefusingStore("colors")
    with esclip.open_index(store, encoder="palette") as index:
        assert ingest(index, photos).rejected == len(PLAIN)
        assert index.rejection_counts() == {Reason.WRITE_REJECTED: len(PLAIN)}
        store.is_refusing = False
        assert retry(index).written == len(PLAIN)
        assert index.rejection_counts() == {}


def test_dropping_an_index_removes_its_ledger(index: ImageIndex, photos: Path, tmp_path: Path) -> None:
    """Nothing of the index is left, and a new one of its name begins without rejections."""
    (photos / "bad.png").write_bytes(b"no picture")
    index.ingest(photos)
    assert (tmp_path / "store" / "image_search.rejections.sqlite").is_file()
    index.drop()
    assert list((tmp_path / "store").iterdir()) == []
    for ask in (index.rejections, index.rejection_counts, index.retry):
        with pytest.raises(esclip.IndexNotFound, match="fill it by an ingest"):
            ask()


def test_an_index_without_rejections_has_none(index: ImageIndex, photos: Path) -> None:
    """To have none is no error, to try them again neither; an unknown reason is a mistake."""
    index.ingest(photos)
    assert (list(index.rejections()), index.rejection_counts(), retry(index).read) == ([], {}, 0)
    for ask in (index.rejections, index.rejection_counts):
        with pytest.raises(ValueError, match="http_999"):
            ask(["http_999"])


def test_a_run_whose_ledger_can_not_be_written_does_not_begin(
    index: ImageIndex, photos: Path, tmp_path: Path
) -> None:
    """No reason is lost silently: the first thing that is told is the ledger."""
    (photos / "bad.png").write_bytes(b"no picture")
    (tmp_path / "store" / "image_search.rejections.sqlite").mkdir(parents=True)
    with pytest.raises(StoreError, match="ledger"):
        index.ingest(photos)
    assert index.stats().documents == 0


def test_a_ledger_that_fails_in_the_middle_ends_the_run(
    index: ImageIndex, photos: Path, tmp_path: Path
) -> None:
    """A reason that can't be kept any more is an error, not a rejection that nobody hears of."""

    def spoil(rejection: Rejection) -> None:
        other = sqlite3.connect(tmp_path / "store" / "image_search.rejections.sqlite", timeout=60)
        other.execute("DROP TABLE rejections")
        other.close()

    for name in ("bad.png", "worse.png"):
        (photos / name).write_bytes(b"no picture")
    with pytest.raises(StoreError, match="no such table"):
        index.ingest(photos, on_rejection=spoil)
