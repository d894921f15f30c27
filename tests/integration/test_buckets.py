"""Pictures in buckets, of a server of S3's protocol on the loopback interface."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event

import pytest

from esclip import ImageIndex, IngestReport, open_index
from esclip._errors import FetchError, SourceError
from esclip._errors.reasons import Reason
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy
from esclip._files.buckets import BucketPath
from esclip._protocols import Source
from esclip._search.previews import read_previews
from esclip.sources import open_source
from esclip.sources.bucket import BucketSource
from esclip.testing.source import SourceContract, records_of
from tests.bucket_service import Service
from tests.command_line import Esclip
from tests.plain_pictures import jpeg

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def bucket(service: Service) -> str:
    """A bucket with three pictures, and what is none."""
    name = service.make_bucket()
    pictures = {"red.jpg": "red", "2024/norway/blue.jpg": "blue", "2024/ü b.jpg": "green"}
    for key, color in pictures.items():
        service.put(name, key, jpeg(color))
    for key in ("list.csv", "2024/shard.tar", ".trash/a.jpg", "2024/thumbs/a.jpg"):
        service.put(name, key, b"no picture")
    return name


def source_of(bucket: str, *exclude: str) -> Source:
    return open_source([f"s3://{bucket}"], exclude=exclude)


class TestBucketSource(SourceContract):
    @pytest.fixture
    def origin(self, bucket: str, service: Service) -> Path:
        service.put(bucket, "2024//odd.jpg", b"a name with an empty part")
        return Path(bucket)

    def open(self, origin: Path) -> Source:
        return BucketSource(BucketPath("s3", origin.name, ""))

    def change(self, origin: Path) -> set[str]:
        [location] = {record.location for record in records_of(self.open(origin)) if "red" in record.location}
        Service(os.environ["AWS_ENDPOINT_URL_S3"]).put(origin.name, "red.jpg", b"changed")
        return {record.id for record in records_of(self.open(origin)) if record.location == location}


def test_finds_the_pictures_of_a_prefix_as_those_of_a_folder(bucket: str) -> None:
    """Hidden objects are left out, others counted; exclusions are relative to what was named."""
    source = source_of(bucket, "/2024/thumbs")
    records = {record.location: record for record in records_of(source)}
    begin = f"s3://{bucket}"
    assert records.keys() == {f"{begin}/{key}" for key in ("red.jpg", "2024/norway/blue.jpg", "2024/ü b.jpg")}
    assert source.passed_over() == {"archive": 1, "table": 1, "excluded": 1}
    blue = records[f"{begin}/2024/norway/blue.jpg"].metadata
    assert (blue["file_name"], blue["folder"], blue["file_size"]) == ("blue.jpg", "norway", len(jpeg("blue")))
    assert "2024/norway" in blue["folders"]  # type: ignore[operator]
    below = records_of(open_source([f"s3://{bucket}/2024/"], exclude=["thumbs"]))
    assert {record.id for record in below} == {
        record.id for location, record in records.items() if "/2024/" in location
    }


def test_covers_what_it_would_find(bucket: str) -> None:
    """Neither another bucket, nor what is excluded or beside the prefix, is removed with it."""
    source = open_source([f"s3://{bucket}/2024"], exclude=["thumbs"])
    assert source.covers(f"s3://{bucket}/2024/gone.jpg")
    others = ("", "x/2024/a.jpg", "/2024x/a.jpg", "/a.jpg", "/2024/thumbs/a.jpg")
    assert not any(source.covers(f"s3://{bucket}{other}") for other in others)
    one = open_source([f"s3://{bucket}/red.jpg"])
    assert one.covers(f"s3://{bucket}/red.jpg")
    assert not one.covers(f"s3://{bucket}/2024/red.jpg")


def ingest(index: ImageIndex, *paths: str, **options: object) -> IngestReport:
    return index.ingest(*paths, exclude=["thumbs"], **options)  # type: ignore[arg-type]


def test_a_second_ingest_reads_only_what_has_changed(bucket: str, service: Service, tmp_path: Path) -> None:
    """The listing tells; an object that is gone stays in the index until it is pruned."""
    with open_index(tmp_path / "i.lance", encoder="palette") as index:
        assert ingest(index, f"s3://{bucket}").written == 3
        assert [hit.location for hit in index.search_text("red", k=1)] == [f"s3://{bucket}/red.jpg"]
        service.put(bucket, "2024/ü b.jpg", jpeg("green", (48, 48)))
        service.delete(bucket, "2024/norway/blue.jpg")
        again = ingest(index, f"s3://{bucket}/")
        assert (again.written, again.skipped) == (1, 1)
        pruned = ingest(index, f"s3://{bucket}", prune=True)
        assert (pruned.skipped, pruned.pruned) == (2, 1)


def test_a_terminal_previews_and_copies_where_the_bucket_is_allowed(
    bucket: str, service: Service, tmp_path: Path
) -> None:
    """An index may be a stranger's: what it names is not read by itself."""
    with open_index(tmp_path / "i.lance", encoder="palette") as index:
        service.put(bucket, "red%231%3F.jpg", jpeg("red"))
        ingest(index, f"s3://{bucket}/red#1?.jpg")
        hits = index.search_text("red")
        assert read_previews(hits) == [None]
        assert read_previews(hits, [f"s3://{bucket}"]) != [None]
        assert len(hits.copy_to(tmp_path / "copies").failures) == 1
        [copy] = hits.copy_to(tmp_path / "copies", allow_hosts=[f"s3://{bucket}"]).paths.values()
        assert copy.name == "01_red#1_.jpg"
        assert copy.read_bytes() == jpeg("red")


def test_a_prefix_that_is_gone_is_pruned_when_confirmed(
    bucket: str, service: Service, tmp_path: Path
) -> None:
    """As a folder that isn't there any more."""
    path = f"s3://{bucket}/2024/norway"
    with open_index(tmp_path / "i.lance", encoder="palette") as index:
        assert ingest(index, path).written == 1
        service.delete(bucket, "2024/norway/blue.jpg")
        with pytest.raises(SourceError, match="not there any more"):
            ingest(index, path)
        assert ingest(index, path, prune=True).unpruned == 1
        assert ingest(index, path, prune=True, confirm=lambda root, number: root == path).pruned == 1


def test_buckets_in_a_table_are_read_where_they_are_allowed(
    bucket: str, tmp_path: Path, quick_esclip: Esclip
) -> None:
    """A table's author names none; what was rejected for it can be tried again."""
    table = tmp_path / "list.csv"
    table.write_text(f"url,year\ns3://{bucket}/red.jpg,2024\ns3://{bucket}/gone.jpg,2025\n")
    index = ("--store", tmp_path / "i.lance", "--encoder", "palette")
    quick_esclip("ingest", table, *index, "--max-rejection-rate", "1")
    ran = quick_esclip("rejections", "--store", tmp_path / "i.lance", "--json")
    assert {one["reason"] for one in ran.hits} == {"bad_url"}
    allowed = ("--allow-host", f"s3://{bucket}", "--max-rejection-rate", "1")
    assert quick_esclip("retry", *index, *allowed, "--json").json["written"] == 1
    ran = quick_esclip("rejections", "--store", tmp_path / "i.lance", "--json")
    assert [one["reason"] for one in ran.hits] == ["http_404"]
    [hit] = quick_esclip("search", f"s3://{bucket}/red.jpg", *index, "--json").hits
    assert hit["location"] == f"s3://{bucket}/red.jpg"


@pytest.mark.parametrize("path", ["s3://no-such-bucket", "s3://no-such-bucket/a", "s3://{}/nothing"])
def test_what_is_not_there_is_one_line(bucket: str, path: str, tmp_path: Path, quick_esclip: Esclip) -> None:
    """Nothing is written."""
    ran = quick_esclip("ingest", path.format(bucket), "--store", tmp_path / "i.lance", status=1)
    assert "there is no such bucket, or nothing of this name in it" in ran.err
    assert not (tmp_path / "i.lance").exists()


def test_an_object_that_is_nothing_that_is_read_says_so(bucket: str, service: Service) -> None:
    """By its name."""
    service.put(bucket, "notes.docx", b"PK")
    with pytest.raises(SourceError, match="neither a picture by its name, nor a table, archive or video"):
        open_source([f"s3://{bucket}/notes.docx"])


def test_without_permission_the_bucket_can_not_be_listed(bucket: str, service: Service) -> None:
    """What the service says is told, and pictures are rejected for it."""
    source = source_of(bucket)
    service.check_credentials("0")
    try:
        with pytest.raises(SourceError, match=r"can't be read: .*access denied"):
            source_of(bucket)
        [rejection] = source.records(Event())
        assert (rejection.reason, rejection.location) == (Reason.HTTP_403, f"s3://{bucket}")  # type: ignore[union-attr]
        with (
            Fetcher(HostPolicy(None)) as fetcher,
            pytest.raises(FetchError) as refused,
        ):
            fetcher.fetch(f"s3://{bucket}/red.jpg")
        assert refused.value.reason is Reason.HTTP_403
    finally:
        service.check_credentials("inf")


def test_an_object_that_goes_before_it_is_read_is_rejected(bucket: str, service: Service) -> None:
    """Or that is too large; the others are read."""
    [record] = records_of(open_source([f"s3://{bucket}/red.jpg"]))
    service.delete(bucket, "red.jpg")
    with Fetcher(HostPolicy({f"s3://{bucket}"}), max_bytes=100) as fetcher:
        with pytest.raises(FetchError) as gone:
            fetcher.fetch(record.picture)
        assert gone.value.reason is Reason.HTTP_404
        with pytest.raises(FetchError) as large:
            fetcher.fetch(f"s3://{bucket}/2024/ü b.jpg")
        assert large.value.reason is Reason.TOO_LARGE


class _Busy(BaseHTTPRequestHandler):
    """Fails twice, and then gives a picture."""

    failures = 2

    def do_HEAD(self) -> None:
        busy = _Busy.failures > 0
        _Busy.failures -= 1
        self.send_response(503 if busy else 200)
        self.send_header("Content-Length", "0" if busy else "7")
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(206)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"picture")

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_busy_service_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the policy of all downloads."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
        with Fetcher(HostPolicy(None), backoff=0.01) as fetcher:
            assert fetcher.fetch("s3://photos/a.jpg") == b"picture"
            assert _Busy.failures == -1
        server.shutdown()
