"""The pipeline: every record is accounted for, unchanged ones cost nothing, bad ones don't stop the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from esclip import Field, FieldType, ImageIndex, ImageRecord, IngestReport, Reason, Rejection, Stage
from esclip._concurrency.stop import CancelToken
from esclip._core.progress import Progress
from esclip._core.rejections import TooManyRejections
from esclip._core.schema import IndexInfo, IndexSchema, Space
from esclip._core.settings import MAX_REJECTION_RATE
from esclip._core.types import Pixels, StoredDocument, Vectors
from esclip._errors import SourceError, StoreUnavailable
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy
from esclip._ingest.id_set import IdSet
from esclip._ingest.pipeline import Steps, ingest
from esclip._ingest.progress import IngestProgress
from esclip._ingest.pruning import Pruning, delete_stale
from esclip._protocols import Encoder, Source, Store
from esclip.encoders import load_encoder
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import nearest


@dataclass
class ListSource(Source):
    """A source of given records."""

    items: Iterable[ImageRecord | Rejection]
    fields: Sequence[Field] = (Field("place", FieldType.KEYWORD),)
    fails_after: int | None = None
    closed: bool = False
    root: str = "/"

    def total(self) -> int | None:
        return len(self.items) if isinstance(self.items, list) else None

    def passed_over(self) -> Mapping[str, int]:
        return {}

    def covers(self, location: str) -> bool:
        return location.startswith(self.root)

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        try:
            for at, item in enumerate(self.items):
                if at == self.fails_after:
                    raise SourceError("the disk went away")
                yield item
        finally:
            self.closed = True


class SmallestSource(Source):
    """A source that writes what it must, and no more."""

    fields = (Field("place", FieldType.KEYWORD),)

    def __init__(self, record: ImageRecord) -> None:
        self._record = record

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        yield self._record


@dataclass
class CountingEncoder:
    """Another encoder that counts the pictures it is given."""

    inner: Encoder = field(default_factory=lambda: load_encoder("palette"))
    images: int = 0
    runtime = "counting"
    useful_side = None
    encode_concurrency = 2
    logit_scale = 100.0

    @property
    def space(self) -> Space:
        return self.inner.space

    def preprocess(self, image: Image.Image) -> Pixels:
        return self.inner.preprocess(image)

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        self.images += len(batch)
        return self.inner.encode_images(batch)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self.inner.encode_texts(texts)


class RefusingStore(MemoryStore):
    """A store that refuses documents whose place is "nowhere", and all once it is unavailable."""

    available = True

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        if not self.available:
            raise StoreUnavailable("gone")
        bad = [d.record for d in documents if d.record.metadata.get("place") == "nowhere"]
        refused = [Rejection(r.id, r.location, Stage.WRITE, Reason.WRITE_REJECTED, "no") for r in bad]
        return refused + super().upsert([d for d in documents if d.record not in bad])


def run(
    source: Source,
    store: Store,
    encoder: object = None,
    *,
    stop: CancelToken | None = None,
    pruning: Pruning | None = None,
    **options: object,
) -> IngestReport:
    """An ingest of `source` into `store`, with the facade's defaults."""
    encoder = encoder or CountingEncoder()
    stop = stop or CancelToken()
    store.ensure_index(IndexSchema(encoder.space, tuple(source.fields)))  # type: ignore[attr-defined]
    options = {"max_rejection_rate": MAX_REJECTION_RATE} | options
    progress = IngestProgress(store, "palette", options)  # type: ignore[arg-type]
    with Fetcher(HostPolicy(()), workers=2, stopped=stop.event) as fetcher:
        steps = Steps(encoder, store, fetcher, progress, stop, batch_size=4, workers=2)  # type: ignore[arg-type]
        ingest(source, steps)
    if pruning and not stop.requested:
        progress.count_pruned(*delete_stale(source, store, steps.seen, pruning))
    return progress.report(stopped=stop.requested)


@pytest.fixture
def pictures(tmp_path: Path) -> list[ImageRecord]:
    """Twenty plain pictures."""
    found = []
    for n in range(20):
        path = tmp_path / f"{n}.png"
        Image.new("RGB", (8, 8), (n * 12, 0, 255 - n * 12)).save(path)
        found.append(ImageRecord(f"id{n}", str(path), path, "v1", metadata={"place": f"p{n}"}))
    return found


def accounted(report: IngestReport) -> tuple[int, int, int, int]:
    """The report's counts, checked to add up."""
    assert report.read == report.skipped + report.written + report.rejected
    assert sum(report.rejections.values()) == report.rejected
    return report.read, report.skipped, report.written, report.rejected


def test_every_record_is_written_and_found(pictures: list[ImageRecord]) -> None:
    """All pictures of a source become documents."""
    store = MemoryStore("i")
    assert accounted(run(ListSource([*pictures]), store)) == (20, 0, 20, 0)
    assert set(store.fingerprints([r.id for r in pictures])) == {r.id for r in pictures}


def test_a_source_needs_fields_and_records_only(pictures: list[ImageRecord]) -> None:
    """The rest has defaults: its total is unknown, nothing is left out, and it covers no document."""
    source = SmallestSource(pictures[0])
    assert accounted(run(source, MemoryStore("i"))) == (1, 0, 1, 0)
    assert (source.total(), source.passed_over(), source.covers(pictures[0].location)) == (None, {}, False)


def test_a_second_run_encodes_nothing(pictures: list[ImageRecord]) -> None:
    """Unchanged records are skipped before their pictures are touched."""
    store = MemoryStore("i")
    run(ListSource([*pictures]), store)
    for record in pictures:
        Path(record.location).unlink()
    encoder = CountingEncoder()
    assert accounted(run(ListSource([*pictures]), store, encoder)) == (20, 20, 0, 0)
    assert encoder.images == 0


class CountingStore(MemoryStore):
    """Counts the requests for the figures of the index, each of which is a refresh of an engine."""

    infos = 0

    def info(self) -> IndexInfo | None:
        self.infos += 1
        return super().info()


def test_a_run_that_finds_nothing_new_asks_for_no_figures(pictures: list[ImageRecord]) -> None:
    """Whether the index has pictures with the same bytes is asked once, where there are bytes to look up."""
    store = CountingStore("i")
    for infos in (1, 1):
        run(ListSource([*pictures]), store)
        assert store.infos == infos


def test_new_metadata_is_written_without_encoding(pictures: list[ImageRecord]) -> None:
    """A record whose picture is the same has its document updated, its vector kept."""
    store = MemoryStore("i")
    run(ListSource([*pictures]), store)
    before = store.documents(["id3"])["id3"].vector
    changed = [*pictures[:3], replace(pictures[3], metadata={"place": "elsewhere"}), *pictures[4:]]
    encoder = CountingEncoder()
    assert accounted(run(ListSource([*changed]), store, encoder)) == (20, 19, 1, 0)
    assert encoder.images == 0
    assert store.documents(["id3"])["id3"].record.metadata == {"place": "elsewhere"}
    assert (store.documents(["id3"])["id3"].vector == before).all()


def test_a_changed_picture_is_encoded_again(pictures: list[ImageRecord]) -> None:
    """A record with another version has its picture encoded anew, and only that one."""
    store = MemoryStore("i")
    run(ListSource([*pictures]), store)
    Image.new("RGB", (8, 8), "green").save(pictures[5].location)
    encoder = CountingEncoder()
    changed = [*pictures[:5], replace(pictures[5], image_version="v2"), *pictures[6:]]
    assert accounted(run(ListSource([*changed]), store, encoder)) == (20, 19, 1, 0)
    assert encoder.images == 1
    (hit, *_) = nearest(store, encoder.encode_texts(["green"])[0], 1)
    assert hit.id == "id5"


def test_bad_records_are_counted_with_stage_and_reason(pictures: list[ImageRecord], tmp_path: Path) -> None:
    """Rejections of every stage reach the report and the callback; the others are written all the same."""
    page = tmp_path / "page.jpg"
    page.write_text("<html>")
    bad: list[ImageRecord | Rejection] = [
        Rejection("", "photos.tsv000:7", Stage.READ, Reason.BAD_ROW, "too few columns"),
        ImageRecord("gone", "/gone.png", tmp_path / "gone.png", "v1"),
        ImageRecord("page", str(page), page, "v1"),
        replace(pictures[0], id="refused", metadata={"place": "nowhere"}),
    ]
    seen: list[Rejection] = []
    report = run(ListSource([*bad, *pictures]), RefusingStore("i"), on_rejection=seen.append)
    assert accounted(report) == (24, 0, 20, 4)
    assert {(r.id, r.stage, r.reason) for r in seen} == {
        ("", Stage.READ, Reason.BAD_ROW),
        ("gone", Stage.FETCH, Reason.FILE_NOT_FOUND),
        ("page", Stage.DECODE, Reason.NOT_AN_IMAGE),
        ("refused", Stage.WRITE, Reason.WRITE_REJECTED),
    }


def test_the_first_of_two_rows_with_one_id_counts(pictures: list[ImageRecord]) -> None:
    """A further row of an id is skipped, now and in the next run, whatever it says."""
    store = MemoryStore("i")
    twice = [*pictures, replace(pictures[0], description="another")]
    assert accounted(run(ListSource([*twice]), store)) == (21, 1, 20, 0)
    assert accounted(run(ListSource([*twice]), store)) == (21, 21, 0, 0)
    assert store.documents(["id0"])["id0"].record.description == ""


def test_a_run_with_too_many_rejections_is_stopped(tmp_path: Path) -> None:
    """Once the share of rejections is above the budget, the run ends with what it has counted so far."""
    gone = [ImageRecord(str(n), f"/{n}", tmp_path / f"{n}.png", "v1") for n in range(5000)]
    source = ListSource([*gone])
    with pytest.raises(TooManyRejections, match="file_not_found") as raised:
        run(source, MemoryStore("i"))
    assert accounted(raised.value.report)[0] < 5000
    assert source.closed


def test_few_rejections_are_judged_at_the_end_only(tmp_path: Path, pictures: list[ImageRecord]) -> None:
    """Fewer than a hundred records are all tried before the budget is looked at."""
    gone = [ImageRecord(str(n), f"/{n}", tmp_path / f"gone{n}.png", "v1") for n in range(15)]
    assert accounted(run(ListSource([*gone, *pictures]), MemoryStore("i"))) == (35, 0, 20, 15)
    with pytest.raises(TooManyRejections):
        run(ListSource([*gone, *pictures[:10]]), MemoryStore("i"))


@pytest.mark.parametrize("fault", ["source", "store", "progress"])
def test_a_failure_ends_everything(fault: str, pictures: list[ImageRecord]) -> None:
    """An error anywhere is raised, closes the source and leaves no thread behind."""
    before = threading.active_count()
    source = ListSource([*pictures], fails_after=15 if fault == "source" else None)
    store = RefusingStore("i")
    store.available = fault != "store"

    def on_progress(progress: Progress) -> None:
        if fault == "progress":
            raise KeyboardInterrupt

    with pytest.raises((SourceError, StoreUnavailable, KeyboardInterrupt)):
        run(source, store, on_progress=on_progress)
    assert source.closed
    assert threading.active_count() == before


def test_progress_reaches_the_total(pictures: list[ImageRecord]) -> None:
    """The last progress says that all is done."""
    seen: list[Progress] = []
    run(ListSource([*pictures]), MemoryStore("i"), on_progress=seen.append)
    assert (seen[-1].total, seen[-1].done, seen[-1].encoded) == (20, 20, 20)


def test_the_same_bytes_are_encoded_once(pictures: list[ImageRecord], tmp_path: Path) -> None:
    """A picture under several names costs one forward pass, in one run and in the next; each is written."""
    store, encoder = MemoryStore("i"), CountingEncoder()
    first = [replace(pictures[0], id=f"copy{n}") for n in range(30)]
    assert accounted(run(ListSource([*pictures[:5], *first]), store, encoder)) == (35, 0, 35, 0)
    assert encoder.images == 5
    renamed = tmp_path / "renamed.png"
    Path(pictures[1].location).rename(renamed)
    moved = ImageRecord("moved", str(renamed), renamed, "v9")
    touched = replace(pictures[2], image_version="v2")
    assert accounted(run(ListSource([moved, touched]), store, encoder)) == (2, 0, 2, 0)
    assert encoder.images == 5
    assert (store.documents(["moved"])["moved"].vector == store.documents(["id1"])["id1"].vector).all()
    assert store.fingerprints(["id2"])["id2"] == touched.fingerprint


def test_nothing_but_copies_flows_all_the_same(pictures: list[ImageRecord]) -> None:
    """A source of one picture under endless names is encoded a few times, and written on the way."""
    source = ListSource(replace(pictures[0], id=f"copy{n}") for n in count())
    stop, encoder = CancelToken(), CountingEncoder()
    report = run(source, AskingStore(stop), encoder, stop=stop)
    assert accounted(report)[2] > 256
    assert 1 <= encoder.images <= 32


def test_copies_share_a_rejection(tmp_path: Path) -> None:
    """Bytes that are no picture are rejected under each of their names."""
    page = tmp_path / "page.jpg"
    page.write_text("<html>")
    source = ListSource([ImageRecord(f"{n}", str(page), page, "v1") for n in range(9)])
    report = run(source, MemoryStore("i"), max_rejection_rate=1.0)
    assert accounted(report) == (9, 0, 0, 9)
    assert report.rejections == {Reason.NOT_AN_IMAGE: 9}


class AskingStore(MemoryStore):
    """A store that asks for the run's end when it is first written to."""

    def __init__(self, stop: CancelToken) -> None:
        super().__init__("i")
        self.stop = stop
        self.hurried = False

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        self.stop.request()
        return super().upsert(documents)

    @contextmanager
    def bulk_load(self, cancelled: threading.Event | None = None) -> Iterator[None]:
        yield
        self.hurried = cancelled is not None and cancelled.is_set()


def endless(path: Path) -> Iterator[ImageRecord]:
    """Records without end, each with bytes of its own."""
    for n in count():
        picture = path / f"{n}.bmp"
        Image.new("RGB", (2, 2), (n % 256, n // 256 % 256, 0)).save(picture)
        yield ImageRecord(f"id{n}", str(picture), picture, "v1")


def test_a_run_that_is_asked_to_stop_writes_what_is_in_flight(tmp_path: Path) -> None:
    """It reads no further, writes what is encoded, reports what is settled, and leaves no thread."""
    before = threading.active_count()
    stop = CancelToken()
    store = AskingStore(stop)
    source = ListSource(endless(tmp_path))
    report = run(source, store, stop=stop)
    assert report.stopped
    assert accounted(report)[2] >= 512
    assert len(list(store.scan_locations())) == report.written
    assert store.hurried
    assert source.closed
    assert threading.active_count() == before
    assert not stop.request(), "asked once before"


def test_a_stop_that_nobody_listens_to_is_told(pictures: list[ImageRecord]) -> None:
    """Asking before a run says that nobody listens yet, and the run then ends at once."""
    stop = CancelToken()
    assert not stop.request()
    report = run(ListSource(pictures), MemoryStore("i"), stop=stop)
    assert report.stopped
    assert accounted(report) == (0, 0, 0, 0)


class DeadStore(MemoryStore):
    """A store that, once it is written to, waits for a server that never answers."""

    def __init__(self, stop: CancelToken) -> None:
        super().__init__("i")
        self.stop = stop
        self.cancelled = threading.Event()

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        self.stop.request()
        assert self.cancelled.wait(60)
        raise StoreUnavailable("no answer")

    @contextmanager
    def bulk_load(self, cancelled: threading.Event | None = None) -> Iterator[None]:
        assert cancelled is not None
        self.cancelled = cancelled
        yield
        assert cancelled.wait(60)


def test_a_store_that_does_not_answer_holds_up_nobody(tmp_path: Path) -> None:
    """What it doesn't take within the grace is not in the report; the run ends as it was asked to."""
    stop = CancelToken()
    before = time.monotonic()
    report = run(ListSource(endless(tmp_path)), DeadStore(stop), stop=stop)
    assert report.stopped
    assert accounted(report) == (0, 0, 0, 0)
    assert time.monotonic() - before < 50


def test_a_stop_is_for_one_run(pictures: list[ImageRecord]) -> None:
    """Giving it to a second run is an error, not a run that reads nothing."""
    stop = CancelToken()
    assert accounted(run(ListSource(pictures), MemoryStore("i"), stop=stop))[2] == 20
    with pytest.raises(ValueError, match="one of its own"):
        run(ListSource(pictures), MemoryStore("i"), stop=stop)
    assert not stop.request()


def test_prune_removes_what_has_left_the_source(pictures: list[ImageRecord]) -> None:
    """Documents of the source without a record go, its others and those of other sources stay."""
    store = MemoryStore("i")
    elsewhere = replace(pictures[9], id="elsewhere", location="https://example.org/9")
    run(ListSource([*pictures[:9], elsewhere]), store)
    report = run(ListSource(pictures[:6]), store, pruning=Pruning())
    assert accounted(report) == (6, 6, 0, 0)
    assert report.pruned == 3
    assert {id for id, _ in store.scan_locations()} == {f"id{n}" for n in range(6)} | {"elsewhere"}


def test_prune_keeps_what_could_not_be_read(
    pictures: list[ImageRecord], caplog: pytest.LogCaptureFixture
) -> None:
    """A record whose picture is broken, and all below a folder that can't be listed, keep their documents."""
    store = MemoryStore("i")
    inside = [replace(p, location=f"/locked/deep/{p.id}") for p in pictures[:3]]
    gone = replace(pictures[3], location="/gone")
    broken = replace(pictures[4], picture=Path("/gone"), image_version="v2")
    run(ListSource([*inside, pictures[3], pictures[4]]), store)
    locked = Rejection("x", "/locked", Stage.READ, Reason.UNREADABLE_FILE, "no")
    vanished = Rejection("id3", gone.location, Stage.READ, Reason.FILE_NOT_FOUND, "no")
    report = run(ListSource([locked, vanished, broken]), store, pruning=Pruning(), max_rejection_rate=1.0)
    assert report.pruned == 1
    assert {id for id, _ in store.scan_locations()} == {"id0", "id1", "id2", "id4"}
    bad_row = Rejection("", "photos.tsv:3", Stage.READ, Reason.BAD_ROW, "no")
    report = run(ListSource([bad_row]), store, pruning=Pruning(), max_rejection_rate=1.0)
    assert report.pruned == 0
    assert "nothing was pruned" in caplog.text


def test_seen_ids_remembers_every_id() -> None:
    """No id is taken for new twice, also after most have moved into the sorted array."""
    seen = IdSet()
    assert all(seen.add(f"id{n}") for n in range(120_000))
    assert not any(seen.add(f"id{n}") for n in range(0, 120_000, 97))
    assert "id7" in seen
    assert "id120000" not in seen


def test_the_facade_is_what_the_package_exports() -> None:
    """`esclip.open_index` gives an `ImageIndex`."""
    import esclip

    with esclip.open_index(MemoryStore("i"), encoder="palette") as index:
        assert isinstance(index, ImageIndex)
