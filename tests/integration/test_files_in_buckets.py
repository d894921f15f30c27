"""Tables, archives and videos in buckets, of a server of S3's protocol on the loopback interface."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from esclip import open_index
from esclip._core.types import ImageRecord
from esclip._errors import SourceError
from esclip._errors.reasons import Reason
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy
from esclip._files.buckets import BucketPath
from esclip._files.objects import ObjectFile
from esclip._protocols import Source
from esclip.sources import open_source
from esclip.testing.source import SourceContract, records_of, rejections_of
from tests.bucket_service import Service
from tests.plain_pictures import bmp, jpeg
from tests.unit.test_archives import SHARD, write_tar, write_zip
from tests.unit.test_videos import write_film

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def bucket(service: Service) -> str:
    """An empty bucket."""
    return service.make_bucket()


def upload(bucket: str, file: Path) -> str:
    """Put a file into a bucket; its address."""
    Service(os.environ["AWS_ENDPOINT_URL_S3"]).put(bucket, file.name, file.read_bytes())
    return f"s3://{bucket}/{file.name}"


class InBucket(SourceContract):
    """A source that reads an object, written as a file first."""

    name: str

    @pytest.fixture
    def origin(self, tmp_path: Path, bucket: str) -> Path:
        self.write(tmp_path / self.name, "green")
        upload(bucket, tmp_path / self.name)
        return tmp_path / bucket

    def open(self, origin: Path) -> Source:
        return open_source([f"s3://{origin.name}/{self.name}"])

    def write(self, file: Path, color: str) -> None:
        """Write it, with a picture of this colour."""
        raise NotImplementedError

    def change(self, origin: Path) -> set[str]:
        before = {record.id: record.fingerprint for record in records_of(self.open(origin))}
        self.write(origin.parent / self.name, "white")
        upload(origin.name, origin.parent / self.name)
        after = {record.id: record.fingerprint for record in records_of(self.open(origin))}
        changed = {id for id in after if after[id] != before[id]}
        assert len(changed) == 1
        return changed


class TestTarInBucket(InBucket):
    name = "shard.tar"

    def write(self, file: Path, color: str) -> None:
        write_tar(file, [(name, bmp(color) if name == "002.bmp" else data) for name, data in SHARD])


@pytest.mark.filterwarnings("ignore:Duplicate name")
class TestZipInBucket(InBucket):
    name = "shard.zip"

    def write(self, file: Path, color: str) -> None:
        members = [(name, bmp(color) if name == "002.bmp" else data) for name, data in SHARD]
        write_zip(file, [*members, ("003.bmp", b"twice")])


class TestParquetInBucket(InBucket):
    """As Hugging Face's data sets are, with pictures inside."""

    name = "train.parquet"

    def write(self, file: Path, color: str) -> None:
        pictures = [{"bytes": bmp(one), "path": f"{one}.bmp"} for one in ("red", "blue", color)]
        days = [datetime(2024, 5, day, tzinfo=UTC) for day in range(1, 5)]
        pq.write_table(pa.table({"image": [*pictures, None], "taken": days}), file, row_group_size=2)


class TestTableInBucket(InBucket):
    name = "list.csv"

    def write(self, file: Path, color: str) -> None:
        rows = [f"https://example.org/{name}.jpg,2024-05-01,{name}" for name in ("a", "b", "c")]
        rows[2] += color
        file.write_text("\n".join(["url,taken,title", *rows, "a row of one column"]) + "\n")


def test_a_shard_is_ingested_skipped_and_read_again(bucket: str, tmp_path: Path) -> None:
    """Its pictures are known by the archive's address and their names; what was in it is pruned with it."""
    address = upload(bucket, write_tar(tmp_path / "shard.tar", SHARD[:9]))
    with open_index(tmp_path / "i.lance", encoder="palette") as index:
        report = index.ingest(address)
        assert (report.read, report.written) == (3, 3)
        assert index.ingest(address).skipped == 3
        hits = index.search_text("blue", k=1)
        assert hits[0].location == f"{address}#003.bmp"
        assert hits[0].description == "a blue picture"
        [copy] = hits.copy_to(tmp_path / "copies", allow_hosts=[f"s3://{bucket}"]).paths.values()
        assert (copy.name, copy.read_bytes()) == ("01_003.bmp", bmp("blue"))
        upload(bucket, write_tar(tmp_path / "shard.tar", SHARD[:6]))
        again = index.ingest(address, prune=True)
        assert (again.skipped, again.pruned) == (2, 1)


@pytest.mark.parametrize("name", ["shard.tar", "shard.zip", "rows.parquet"])
def test_what_is_in_an_object_is_read_by_its_address(bucket: str, tmp_path: Path, name: str) -> None:
    """As a search by it, a retry and a copy do."""
    file = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.table({"image": [bmp("red"), bmp("blue")]}), file)
    else:
        (write_zip if name.endswith("zip") else write_tar)(file, [("0", bmp("red")), ("1", bmp("blue"))])
    address = upload(bucket, file)
    with Fetcher(HostPolicy({f"s3://{bucket}"})) as fetcher:
        assert fetcher.fetch(f"{address}#1") == bmp("blue")


def test_a_shard_that_is_cut_off_gives_what_is_there(bucket: str, tmp_path: Path) -> None:
    """And one rejection for the rest."""
    file = write_tar(tmp_path / "shard.tar", SHARD)
    file.write_bytes(file.read_bytes()[:4096])
    source = open_source([upload(bucket, file)])
    found = list(source.records(Event()))
    assert [isinstance(one, ImageRecord) for one in found] == [True, False]
    [rejection] = rejections_of(source)
    assert (rejection.reason, rejection.location) == (Reason.UNREADABLE_FILE, f"s3://{bucket}/shard.tar")
    assert "the archive" in rejection.detail


def test_an_object_that_goes_while_it_is_read_is_one_rejection(
    bucket: str, service: Service, tmp_path: Path
) -> None:
    """Of an archive; a table says it as an error, as a file's does."""
    source = open_source([upload(bucket, write_tar(tmp_path / "shard.tar", SHARD))])
    (tmp_path / "list.csv").write_text("url,year\nhttps://example.org/a.jpg,1\n")
    table = open_source([upload(bucket, tmp_path / "list.csv")])
    service.delete(bucket, "shard.tar")
    service.delete(bucket, "list.csv")
    [rejection] = source.records(Event())
    assert "there is no such object" in rejection.detail  # type: ignore[union-attr]
    with pytest.raises(SourceError, match="can't be read: there is no such object"):
        list(table.records(Event()))


def test_paths_in_a_table_are_names_beside_it(bucket: str, service: Service, tmp_path: Path) -> None:
    """It names no file of this machine, whoever wrote it."""
    service.put(bucket, "red.jpg", jpeg("red"))
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(jpeg("blue"))
    lines = [{"path": name} for name in ("red.jpg", str(secret), "~/a.jpg", "../a.jpg")]
    file = tmp_path / "list.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    pictures = [record.picture for record in records_of(open_source([upload(bucket, file)]))]
    begin = f"s3://{bucket}/"
    assert pictures == [f"{begin}red.jpg", f"{begin}{secret}", f"{begin}~/a.jpg", f"{begin}../a.jpg"]
    with open_index(tmp_path / "i.lance", encoder="palette") as index:
        report = index.ingest(f"{begin}list.jsonl", max_rejection_rate=1)
        assert (report.read, report.written, report.rejected) == (4, 1, 3)


def test_frames_of_a_film_are_read_where_it_is(bucket: str, tmp_path: Path) -> None:
    """Each by requests for what is around it."""
    address = upload(bucket, write_film(tmp_path / "film.mp4"))
    here = records_of(open_source([tmp_path / "film.mp4"]))
    there = records_of(open_source([address]))
    assert [one.metadata["time"] for one in there] == [one.metadata["time"] for one in here]
    with Fetcher(HostPolicy(None)) as fetcher:
        assert fetcher.fetch(there[1].picture) == fetcher.fetch(here[1].picture)


def test_texts_beside_pictures_are_their_captions(bucket: str, service: Service) -> None:
    """Those that the listing of their folder has."""
    for key, data in (("a/red.jpg", jpeg("red")), ("a/red.txt", b"a door"), ("b.jpg", jpeg("blue"))):
        service.put(bucket, key, data)
    service.put(bucket, "b.jpg.txt", b"the sea")
    records = records_of(open_source([f"s3://{bucket}"], captions="sidecar"))
    assert {record.location[-5:]: record.description for record in records} == {
        "d.jpg": "a door",
        "b.jpg": "the sea",
    }


def test_what_is_in_archives_is_not_of_their_folder(bucket: str, service: Service) -> None:
    """An ingest of the folder, which names no archive, prunes nothing of it."""
    service.put(bucket, "red.jpg", jpeg("red"))
    source = open_source([f"s3://{bucket}"])
    assert source.covers(f"s3://{bucket}/gone.jpg")
    assert not source.covers(f"s3://{bucket}/shard.tar#001.jpg")


def test_an_object_that_is_replaced_while_it_is_read_is_an_error(bucket: str, service: Service) -> None:
    """Neither less of it, nor parts of two."""
    service.put(bucket, "a.bin", bytes(100))
    with ObjectFile(BucketPath("s3", bucket, "a.bin")) as file:
        assert file.read(10) == bytes(10)
        service.put(bucket, "a.bin", b"b" * 50)
        with pytest.raises(OSError, match="it was replaced while it was read"):
            file.read(90)
