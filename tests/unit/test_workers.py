"""An ingest by worker processes: what the driver keeps. The workers are in this process, without Ray."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

import esclip
from esclip import (
    CancelToken,
    ConfigError,
    ImageIndex,
    IngestReport,
    RecordOutcome,
    TooManyRejections,
    write_manifest,
)
from esclip._core.options import resolve
from esclip._core.outcomes import Result
from esclip._ingest import ray_workers
from esclip._ingest.distribution import (
    CLOUD_VARIABLES,
    cloud_variables,
    ingest_by_workers,
    may_use_gpu,
    worker_task,
)
from esclip._ingest.options import IngestOptions
from esclip._ingest.pruning import Pruning
from esclip._ingest.reading import Reading
from esclip._ingest.worker import Hooks, IndexAddress, WorkerTask, ingest_part
from esclip.encoders.palette import PaletteEncoder
from esclip.sources import open_source
from esclip.stores.memory import MemoryStore
from tests.command_line import Esclip
from tests.missing import without
from tests.transfers import assert_equal

T = TypeVar("T")


class HereWorkers:
    """Runs functions in this thread, each part twice, as if the first process had died at its end."""

    count = 2

    def __init__(self) -> None:
        self.parts = 0
        self.before_part: Callable[[int], object] = lambda number: None

    def pack(self, task: WorkerTask) -> WorkerTask:
        return task

    def run(self, function: Callable[..., T], task: WorkerTask) -> T:
        return function(task)

    def map(
        self,
        function: Callable[..., T],
        task: WorkerTask,
        parts: Iterator[tuple[str, bytes]],
        stop: CancelToken,
    ) -> Iterator[T]:
        for part in parts:
            if stop.requested:
                return
            self.before_part(self.parts)
            self.parts += 1
            if self.parts % 2:
                function(task, *part)
            yield function(task, *part)


@pytest.fixture
def records(photos: Path, tmp_path: Path) -> Path:
    """Pictures, texts, one of both twice, a row that is none and a picture that is none."""
    pictures = sorted(path.name for path in photos.iterdir() if path.is_file())
    (photos / "broken.png").write_bytes(b"no picture")
    lines: list[dict[str, Any]] = [
        {"id": f"p{number}", "path": pictures[number % len(pictures)], "year": number}
        for number in range(250)
    ]
    lines[150] = {"id": "t", "text": "she smiled"}
    lines[200] = {"id": "p1", "path": "broken.png", "year": 7}
    lines += [{"id": "x", "path": "broken.png"}, {"id": "odd", "path": 7}]
    file = photos / "list.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return file


@pytest.fixture
def listed(records: Path, tmp_path: Path) -> Path:
    """A manifest of it, in three parts."""
    write_manifest(records, out=tmp_path / "manifest", records=100)
    return tmp_path / "manifest"


def ingest(
    index: ImageIndex, folder: Path, path: Path, workers: HereWorkers | None = None, **options: Any
) -> IngestReport:
    """An ingest of `path` into the index of this folder, as `ImageIndex.ingest` has it done by Ray."""
    resolved, workers = resolve(IngestOptions, options), workers or HereWorkers()
    source = open_source([path])
    address = IndexAddress(folder, index.store.index, None, "palette", None, None, None, None)
    task = worker_task(address, source, resolved)
    pruning = Pruning((str(path),), lambda *_: True) if resolved["prune"] else None
    target = index._target(source, index.store.schema(), resolved)
    return ingest_by_workers(
        Reading(source, str(path), pruning),
        PaletteEncoder(),
        target,
        index._stores.ledger,
        resolved,
        workers,
        task,
    )


def test_as_an_ingest_of_one_process(records: Path, listed: Path, tmp_path: Path) -> None:
    """Documents, ledger, counts and calibration are those of an ingest without workers."""
    store, workers = tmp_path / "store", HereWorkers()
    with (
        esclip.open_index(MemoryStore("photos"), encoder="palette") as plain,
        esclip.open_index(store, "photos", encoder="palette") as index,
    ):
        expected = plain.ingest(records, parts=["crops"], labels=["red", "blue"])
        report = ingest(index, store, listed, workers, parts=["crops"], labels=["red", "blue"])
        assert workers.parts == 3
        assert report.read == expected.read - 1  # the one with another's id
        assert report.skipped + report.written == expected.written
        assert report.rejections == expected.rejections
        for one in (plain.store, index.store):
            schema = one.schema()
            assert schema
            assert schema.calibration
        assert_equal(plain.store, index.store)
        for beside in ("photos_texts", "photos_parts"):
            assert_equal(plain.store.open_other(beside), index.store.open_other(beside))
        told = [[(one.id, one.reason, one.detail) for one in each.rejections()] for each in (plain, index)]
        assert told[0] == told[1]


def test_the_ledger_forgets_what_is_there_now(photos: Path, tmp_path: Path) -> None:
    """What was rejected before and is written by a worker leaves the ledger; so does what has left."""
    store = tmp_path / "store"
    for name in ("a.png", "b.png"):
        (photos / name).write_bytes(b"no picture")
    with esclip.open_index(store, encoder="palette") as index:
        assert ingest(index, store, photos).rejected == 2
        (photos / "a.png").write_bytes(next(photos.glob("red*")).read_bytes())
        (photos / "b.png").unlink()
        assert ingest(index, store, photos).rejected == 0
        assert not list(index.rejections())


def test_pruning_is_by_all_records(photos: Path, tmp_path: Path) -> None:
    """What no part has is removed once, by the driver."""
    store = tmp_path / "store"
    with esclip.open_index(store, encoder="palette") as index:
        before = ingest(index, store, photos).read
        next(photos.glob("red*")).unlink()
        report = ingest(index, store, photos, prune=True)
        assert (report.pruned, len(index)) == (1, before - 1)


def test_outcomes_are_told_by_their_place_in_the_run(listed: Path, tmp_path: Path) -> None:
    """Each record once, numbered on from part to part."""
    told: list[RecordOutcome] = []
    store = tmp_path / "store"
    with esclip.open_index(store, encoder="palette") as index:
        report = ingest(index, store, listed, on_outcome=told.append)
    assert sorted(outcome.number for outcome in told) == list(range(1, report.read + 1))
    assert {one.id for one in told if one.result is Result.REJECTED} == {"x", "odd"}


def test_too_many_rejections_of_all_parts_together(photos: Path, tmp_path: Path) -> None:
    """The share is that of the whole run: it ends, and says what was rejected."""
    for number in range(300):
        (photos / f"broken-{number:03}.png").write_bytes(b"no picture")
    store = tmp_path / "store"
    with (
        esclip.open_index(store, encoder="palette") as index,
        pytest.raises(TooManyRejections, match="not_an_image"),
    ):
        ingest(index, store, photos)


def test_a_stop_leaves_the_rest(listed: Path, tmp_path: Path) -> None:
    """No part is begun after it, and the report counts what was done."""
    store, stop, workers = tmp_path / "store", CancelToken(), HereWorkers()
    workers.before_part = lambda number: stop.request() if number == 1 else None
    with esclip.open_index(store, encoder="palette") as index:
        report = ingest(index, store, listed, workers, stop=stop)
        assert report.stopped
        assert report.read == report.skipped + report.written + report.rejected == 200
        assert ingest(index, store, listed).skipped >= 199


def test_other_sources_are_cut_into_parts(records: Path, listed: Path, tmp_path: Path) -> None:
    """A source that is no manifest gives what its manifest does, in parts of its own size."""
    workers = HereWorkers(), HereWorkers()
    stores = tmp_path / "store", tmp_path / "other"
    for store, path, some in zip(stores, (records, listed), workers, strict=True):
        with esclip.open_index(store, encoder="palette") as index:
            assert ingest(index, store, path, some).rejected == 2
    assert [some.parts for some in workers] == [1, 3]


def test_what_other_processes_cant_open_is_refused(
    photos: Path, tmp_path: Path, quick_esclip: Esclip
) -> None:
    """A store in memory, an encoder that is an object, several indexes, a vector cache."""
    with pytest.raises(ConfigError, match="can't open this store"):
        esclip.open_index(MemoryStore("here"), encoder="palette").ingest(photos, on="ray")
    with pytest.raises(ConfigError, match="lets one process in"):
        esclip.open_index(tmp_path / "lite.db", encoder="palette").ingest(photos, on="ray")
    with pytest.raises(ConfigError, match="load the encoder themselves"):
        esclip.open_index(tmp_path, encoder=PaletteEncoder()).ingest(photos, on="ray")
    with pytest.raises(ValueError, match="on is for an index"):
        esclip.encode(photos, out=tmp_path / "cache", encoder="palette", on="ray")
    with pytest.raises(ValueError, match="on is 'spark', not one of ray"):
        esclip.open_index(tmp_path, encoder="palette").ingest(photos, on="spark")
    assert "--on" in quick_esclip("ingest", photos, "--on", "spark", status=2).err


def test_without_ray_one_line_says_how_to_install_it(
    photos: Path, tmp_path: Path, quick_esclip: Esclip
) -> None:
    """Nothing is written before."""
    with without("ray"):
        command = ("ingest", photos, "--store", tmp_path / "store", "--encoder", "palette", "--on", "ray")
        err = quick_esclip(*command, status=1).err
        assert "ray" not in sys.modules
    assert err == "esclip: on: workers by Ray need it: pip install 'esclip[ray]'\n"
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("encoder", "device", "captioner", "may"),
    [
        (None, None, None, True),
        ("clip-ViT-B-32", "cuda:0", None, True),
        ("clip-ViT-B-32", "cpu", None, False),
        ("palette", None, None, False),
        ("palette", None, "", False),
        ("palette", None, print, False),
        ("palette", None, "blip", True),
        ("http://gpu:8090", None, None, False),
        ("http://gpu:8090", None, Path("blip"), True),
    ],
)
def test_a_gpu_is_asked_for_where_a_model_may_use_one(
    encoder: str | None, device: str | None, captioner: Any, may: bool
) -> None:
    """Not for an encoder server, for colours, or where a device is named that is another."""
    address = IndexAddress(Path("store"), "photos", None, encoder, None, device, None, None)
    assert may_use_gpu(WorkerTask(address, (), {}, Hooks(captioner=captioner))) == may


def test_what_describes_pictures_and_finds_crops_goes_along(photos: Path, tmp_path: Path) -> None:
    """Records, captions and crops are those of an ingest without workers, which skips them then."""
    store = tmp_path / "store"

    def namer(pictures: Sequence[Any]) -> list[str]:
        return ["a picture"] * len(pictures)

    def halver(picture: Any) -> list[list[float]]:
        return [[0, 0, picture.shape[1] / 2, picture.shape[0]]]

    hooks: Any = {"captioner": namer, "detector": halver, "parts": ["crops"]}
    with (
        esclip.open_index(MemoryStore("photos"), encoder="palette") as plain,
        esclip.open_index(store, "photos", encoder="palette") as index,
    ):
        expected = plain.ingest(photos, **hooks)
        assert ingest(index, store, photos, **hooks).rejected == 0
        assert_equal(plain.store, index.store)
        assert_equal(plain.store.open_other("photos_parts"), index.store.open_other("photos_parts"))
        assert index.search_text("red", where="caption_by=namer", k=1)[0].description == "a picture"
        assert ingest(index, store, photos, **hooks).skipped == expected.written
        assert index.ingest(photos, **hooks).skipped == expected.written


def test_what_a_worker_cant_load() -> None:
    """The driver is told what lacks, and of which of both."""
    task = WorkerTask(
        IndexAddress(Path("store"), "photos", None, None, None, None, None, None),
        (),
        {},
        Hooks(captioner=b"cnowhere\nnamer\n."),
    )
    with pytest.raises(ConfigError, match=r"captioner: a worker .*No module named 'nowhere'"):
        ingest_part(task, "part 1", b"")


def test_which_variables_go_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key takes its secret with it, and the lack of a token; without one a worker keeps its own."""
    for name in CLOUD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert cloud_variables() == {}
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert cloud_variables() == {"AWS_REGION": "eu-north-1"}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    expected = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hidden", "AWS_SESSION_TOKEN": None}
    assert cloud_variables() == expected | {"AWS_REGION": "eu-north-1"}
    address = IndexAddress(Path("store"), "photos", None, None, None, None, None, None)
    assert "hidden" not in repr(WorkerTask(address, (), {}, environment=cloud_variables()))
    assert "hidden" not in repr(cloud_variables())


def test_variables_are_as_before() -> None:
    """What Ray reads from the environment is there for as long as it runs."""
    import os

    with ray_workers.variables({"ESCLIP_TEST_RAY": "1", "PATH": "x"}):
        assert (os.environ["ESCLIP_TEST_RAY"], os.environ["PATH"]) == ("1", "x")
    assert "ESCLIP_TEST_RAY" not in os.environ
    assert os.environ["PATH"] != "x"


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "127.0.0.1:99999", "[::1]:9"])
def test_a_cluster_that_is_not_there_is_told_at_once(
    photos: Path, tmp_path: Path, quick_esclip: Esclip, address: str
) -> None:
    """Ray alone would try it for minutes."""
    pytest.importorskip("ray")
    command = ("ingest", photos, "--store", tmp_path / "store", "--encoder", "palette", "--on", "ray")
    err = quick_esclip(*command, status=1, RAY_ADDRESS=address).err
    assert err.startswith(f"esclip: on: Ray at RAY_ADDRESS '{address}' can't be used: ")
    assert err.count("\n") == 1
