"""An ingest by Ray's processes, on a cluster that was started with nothing of what the driver has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import esclip
from esclip._core.types import Box
from scripts.make_vision_models import make_blip, make_yolos
from tests.bucket_service import bucket_service
from tests.faults.ray_cluster import ray_cluster
from tests.plain_pictures import jpeg

pytestmark = pytest.mark.timeout(600)

COLORS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def environ() -> Iterator[Mapping[str, str]]:
    """What a driver, a process of its own, needs to find a cluster: Ray reads that when it is imported."""
    pytest.importorskip("ray")
    with ray_cluster() as cluster:
        yield cluster.environ


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for color in COLORS:
        Image.new("RGB", (300, 400), color).save(folder / f"{color}.png")
    return folder


def drive(environ: Mapping[str, str], folder: Path, *command: object, status: int = 0) -> Any:
    """Run Python in a folder as a driver. Returns the JSON that it prints; its errors, where it fails."""
    ran = subprocess.run(
        [sys.executable, *map(str, command)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environ},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == status, ran.stderr
    return ran.stderr if status else json.loads(ran.stdout)


FUNCTIONS = """
import json, os, sys, threading
from pathlib import Path
import esclip

class Halver:
    name = "halver"

    def __init__(self, loads):
        self.loads = loads

    def __setstate__(self, state):
        self.__dict__.update(state)
        (self.loads / os.urandom(8).hex()).touch()

    def __call__(self, picture):
        height, width = picture.shape[:2]
        return [[0, 0, width / 2, height]]

words, lock = ["red", "green", "blue"], threading.Lock()

def namer(pictures):
    return [f"a picture of {words[int(one[0, 0].argmax())]}" for one in pictures]

def careful(pictures):
    with lock:
        return ["a picture" for one in pictures]

halver = Halver(Path("loads").absolute())
hooks = {"captioner": globals()[sys.argv[1]], "detector": halver, "parts": ["crops"]}
with esclip.open_index("store", encoder="palette") as index:
    reports = [index.ingest("pictures", workers=1, on=on, **hooks) for on in ("ray", "ray", None)]
print(json.dumps([(report.written, report.skipped) for report in reports]))
"""


def test_functions(environ: Mapping[str, str], folder: Path, tmp_path: Path) -> None:
    """Pictures are described and cropped by functions as in one process, loaded once in each process."""
    loads = tmp_path / "loads"
    loads.mkdir()
    script = tmp_path / "functions.py"
    script.write_text(FUNCTIONS, "utf-8")
    assert drive(environ, tmp_path, script, "namer") == [[3, 0], [0, 3], [0, 3]]
    with esclip.open_index(tmp_path / "store", encoder="palette") as index:
        hits = index.search_text("green", where="caption_by=namer", k=3)
        assert hits[0].description == "a picture of green"
        boxes = {hit.box for hit in index.search_text("red", targets="crops", k=3)}
    assert boxes == {Box(0.0, 0.0, 0.5, 1.0)}
    assert 1 <= len(list(loads.iterdir())) <= 2  # two ingests, with a part each


def test_what_cant_be_sent(environ: Mapping[str, str], folder: Path, tmp_path: Path) -> None:
    """A function with a lock in it ends the run before it begins, with what to do."""
    script = tmp_path / "functions.py"
    script.write_text(FUNCTIONS, "utf-8")
    (last,) = drive(environ, tmp_path, script, "careful", status=1).splitlines()[-1:]
    assert "captioner careful: it can't be sent to other processes: " in last
    assert "or a model's name" in last
    assert not (tmp_path / "store" / "image_search.lance").exists()


@pytest.mark.model
def test_models(environ: Mapping[str, str], folder: Path, tmp_path: Path) -> None:
    """Each process loads them, from folders relative to that of the driver."""
    make_blip(tmp_path / "blip-tiny")
    make_yolos(tmp_path / "yolos-tiny")
    where = ("--store", tmp_path / "store", "--encoder", "palette", "--json")
    models = ("--caption-model", "./blip-tiny", "--crop-model", "./yolos-tiny", "--crop-threshold", "0.1")
    command = ("-m", "esclip", "ingest", folder, *where, *models, "--parts", "crops")
    assert drive(environ, tmp_path, *command, "--on", "ray", "--workers", "1")["written"] == 3
    assert drive(environ, tmp_path, *command)["skipped"] == 3
    with esclip.open_index(tmp_path / "store", encoder="palette") as index:
        hits = index.search_text("red", where="caption_by=blip-tiny")
        assert len(hits) == 3
        assert all(hit.description for hit in hits)
        assert index.search_text("red", targets="crops")[0].box is not None


def test_buckets(environ: Mapping[str, str], tmp_path: Path) -> None:
    """What names the service and who asks it goes with the task to processes that lack it."""
    where = ("--store", tmp_path / "store", "--encoder", "palette", "--json")
    with bucket_service() as service:
        service.put("photos")
        for color in COLORS:
            service.put("photos", f"{color}.jpg", jpeg(color))
        command = ("-m", "esclip", "ingest", "s3://photos", *where, "--on", "ray", "--workers", "1")
        assert drive(environ, tmp_path, *command)["written"] == 3
    with esclip.open_index(tmp_path / "store", encoder="palette") as index:
        assert index.search_text("red", k=1)[0].location == "s3://photos/red.jpg"
