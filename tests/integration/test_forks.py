"""Forked processes, as of gunicorn, Celery and multiprocessing: they use what their parent had opened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.command_line import Esclip
from tests.encoder_servers import served
from tests.engines import ENGINES, engine_address
from tests.models import Models, tiny_models  # noqa: F401  # a fixture
from tests.runtimes import TORCH

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

PRELUDE = """
import json, multiprocessing, os, signal, sys, threading, time, warnings
from pathlib import Path
warnings.filterwarnings("ignore", "lance is not fork-safe")
import esclip

PLACE, PHOTOS, MODEL, TEXTS = sys.argv[1:5]
PHOTOS = Path(PHOTOS)

def begin(work):
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    said = "nothing"
    try:
        said = work()
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    os.write(writing, json.dumps(said).encode())
    os._exit(0)

def end(child, reading, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            with open(reading, "rb") as file:
                return json.loads(file.read() or b'"crashed"')
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"

def forked(work):
    return end(*begin(work))

def names(hits):
    return [Path(hit.location).stem for hit in hits]
"""


def run(
    tmp_path: Path, program: str, place: str | Path, photos: Path, models: Models | None = None
) -> list[Any]:
    """What a program prints as JSON that forks; it has a home of its own."""
    script = tmp_path / "forks.py"
    script.write_text(PRELUDE + program, encoding="utf-8")
    folders = (models.clip, models.texts) if models else ("", "")
    ran = subprocess.run(
        [sys.executable, str(script), str(place), str(photos), *map(str, folders)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    said: list[Any] = json.loads(ran.stdout)
    return said


def test_children_search_and_ingest_in_a_folder(esclip: Esclip, tmp_path: Path, photos: Path) -> None:
    """They use an index that the parent has opened, and so do a pool's processes, beside each other."""
    (photos / "broken.png").write_bytes(b"no")
    esclip("ingest", photos, "--encoder", "palette", "--store", tmp_path / "store")
    program = """
index = esclip.open_index(PLACE)

def work(color):
    found = [names(index.search_text(color, k=1)), names(index.search_image(PHOTOS / f"{color}.png", k=1))]
    return [*found, [kept.reason.value for kept in index.rejections()], index.ingest(PHOTOS).skipped]

children = [begin(lambda: work("red")) for _ in range(3)]
found = [end(*child) for child in children]
with multiprocessing.get_context("fork").Pool(2) as pool:
    pooled = pool.map_async(work, ["red", "black", "yellow"]).get(60)
print(json.dumps([found, pooled, work("red")]))
"""
    found, pooled, after = run(tmp_path, program, tmp_path / "store", photos)
    assert after == [["red"], ["red"], ["not_an_image"], 11]
    assert found == [after] * 3
    assert pooled == [[[color], [color], ["not_an_image"], 11] for color in ("red", "black", "yellow")]


def test_a_folder_that_the_parent_has_read_is_an_error(tmp_path: Path, photos: Path) -> None:
    """A child that would crash says why, also where it opens an index of its own; the parent goes on."""
    program = """
index = esclip.open_index(PLACE, encoder="palette")
index.ingest(PHOTOS)

def work():
    return names(index.search_text("red", k=1))

print(json.dumps([
    forked(work), forked(lambda: esclip.open_index(PLACE).similar("x")),
    forked(lambda: index.stats().index), work(),
]))
"""
    *children, parent = run(tmp_path, program, tmp_path / "store", photos)
    assert [one.partition(" can't")[0] for one in children] == [
        "StoreError: Lance, which keeps embedded indexes,"
    ] * 3
    assert parent == ["red"]


@pytest.mark.model
@pytest.mark.parametrize("device", ["cpu", TORCH])
def test_a_model_that_the_parent_has_used_is_an_error(
    tmp_path: Path,
    photos: Path,
    tiny_models: Models,  # noqa: F811
    device: str,
) -> None:
    """A child that would wait for ever says why, whether it uses its parent's model or loads its own."""
    program = f"""
from esclip._search.query_image import open_image

def load():
    return esclip.load_encoder(MODEL, device="{device}")

encoder = load()
pixels = [encoder.preprocess(open_image(PHOTOS / "red.png"))]

def texts():
    return encoder.encode_texts(["red"]).tolist()

def pictures(encoder=encoder):
    return encoder.encode_images(pixels).tolist()

before = [texts(), pictures()]
children = [forked(texts), forked(pictures), forked(lambda: pictures(load()))]
print(json.dumps([*children, [texts(), pictures()] == before]))
"""
    *children, unharmed = run(tmp_path, program, tmp_path / "store", photos, tiny_models)
    library = "OpenVINO" if device == "cpu" else "torch"
    why = f"EncoderError: {library} can't be used in a process that was forked"
    assert [one[: len(why)] for one in children] == [why] * 3
    assert unharmed


@pytest.mark.model
def test_children_load_a_model_that_the_parent_has_not(
    esclip: Esclip,
    tmp_path: Path,
    photos: Path,
    tiny_models: Models,  # noqa: F811
) -> None:
    """An index by a model that was only opened before the fork is searched by text and picture after it."""
    environ = {name: os.environ[name] for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME")}
    model = ("--encoder", tiny_models.clip, "--text-encoder", tiny_models.texts)
    esclip("ingest", photos, *model, "--store", tmp_path / "store", **environ)
    program = """
index = esclip.open_index(PLACE, encoder=MODEL, text_encoder=TEXTS)

def work():
    return [names(index.search_text("red")), names(index.search_image(PHOTOS / "red.png"))]

print(json.dumps([forked(work), forked(lambda: forked(work)), work()]))
"""
    first, second, own = run(tmp_path, program, tmp_path / "store", photos, tiny_models)
    assert len(own[0]) == 10
    assert first == second == own


AT_ONCE = """
COLORS = ("red", "green", "blue", "yellow")

def work(color):
    return sum(names(index.search_text(color, k=1)) == [color] for _ in range(40))

index.search_text("red")
children = [begin(lambda color=color: work(color)) for color in COLORS]
own = work("pink")
print(json.dumps([own, *(end(*child) for child in children)]))
"""


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["opensearch", "elasticsearch"])
def test_children_have_connections_of_their_own(tmp_path: Path, photos: Path, engine: str) -> None:
    """Processes that search at once get the answers to their own questions."""
    assert engine in ENGINES
    program = f"""
index = esclip.open_index(PLACE, "esclip-{uuid4().hex}", "palette")
index.ingest(PHOTOS)
{AT_ONCE}
index.drop()
"""
    assert run(tmp_path, program, engine_address(engine), photos) == [40] * 5


def test_children_ask_an_encoder_server_by_themselves(tmp_path: Path, photos: Path) -> None:
    """The same for an encoder on another machine."""
    with served() as server:
        program = f"""
encoder = esclip.load_encoder("{server.address}")
expected = {{color: encoder.encode_texts([color]).tolist() for color in ("red", "green", "blue")}}

def work(color):
    return sum(encoder.encode_texts([color]).tolist() == expected[color] for _ in range(40))

children = [begin(lambda color=color: work(color)) for color in expected]
own = work("red")
print(json.dumps([own, *(end(*child) for child in children)]))
"""
        assert run(tmp_path, program, tmp_path / "store", photos) == [40] * 4
