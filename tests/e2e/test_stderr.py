"""What stands on stderr after a command: lines of esclip's own, and nothing else."""

from __future__ import annotations

import io
import random
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.command_line import Esclip, Ran
from tests.models import Models, tiny_models  # noqa: F401  # a fixture
from tests.runtimes import TORCH


def lines_of_others(ran: Ran) -> list[str]:
    """The lines that don't say whose they are."""
    return [line for line in ran.err.splitlines() if not line.startswith("esclip: ")]


@pytest.mark.model
def test_a_first_ingest_says_nothing_of_others(
    esclip: Esclip,
    photos: Path,
    tiny_models: Models,  # noqa: F811
) -> None:
    """A model that is exported loads torch, whose libraries list at the exit what they have left."""
    model = ("--encoder", tiny_models.clip, "--text-encoder", tiny_models.texts)
    ran = esclip("ingest", photos, *model)
    assert "preparing pictures" in ran.err
    assert lines_of_others(ran) == []
    assert lines_of_others(esclip("search-text", "red")) == []


@pytest.mark.model
def test_torch_says_nothing(esclip: Esclip, photos: Path, tiny_models: Models) -> None:  # noqa: F811
    """A command that computes in torch writes results, and nothing on stderr."""
    model = ("--encoder", tiny_models.clip, "--device", TORCH)
    ran = esclip("classify", photos / "red.png", "--labels", "red,blue", *model)
    assert len(ran.out.splitlines()) == 2
    assert ran.err == ""


def test_damaged_pictures_say_nothing(esclip: Esclip, tmp_path: Path) -> None:
    """What libraries in C have to say about a damaged picture is in the rejections, not between our lines."""
    folder, rng = tmp_path / "damaged", random.Random(1)
    folder.mkdir()
    whole = io.BytesIO()
    Image.effect_noise((64, 64), 80).save(whole, "TIFF", compression="tiff_adobe_deflate")
    for number in range(8):
        data = bytearray(whole.getvalue())
        for at in rng.sample(range(300, len(data) - 300), 40):
            data[at] = rng.randrange(256)
        (folder / f"{number}.tif").write_bytes(data)
    ran = esclip("ingest", folder, "--encoder", "palette", "--max-rejection-rate", "1")
    assert "rejected (" in ran.err
    assert lines_of_others(ran) == []


def run(program: str) -> subprocess.CompletedProcess[str]:
    """A process whose stderr is its own, up to the end of the program."""
    begin = "from esclip._cli.stderr import keep_stderr\nkeep_stderr()\n"
    return subprocess.run(
        [sys.executable, "-c", begin + program], capture_output=True, text=True, timeout=60, check=False
    )


def test_libraries_in_python_say_nothing() -> None:
    """Warnings and logs of other libraries aren't shown, nor is what is written from below Python."""
    ran = run(
        "import logging, os, sys, warnings\n"
        "warnings.warn('old')\n"
        "logging.getLogger('library').warning('full')\n"
        "os.write(2, b'from below')\n"
        "print('esclip: here', file=sys.stderr)"
    )
    assert (ran.returncode, ran.stderr) == (0, "esclip: here\n")


def test_a_crash_is_told() -> None:
    """A process that dies in C doesn't die in silence."""
    ran = run("import faulthandler\nfaulthandler._sigsegv()")
    assert ran.returncode < 0
    assert "Segmentation fault" in ran.stderr


def test_no_stderr_is_no_error() -> None:
    """A command whose stderr is closed does its work."""
    command = f"{sys.executable} -m esclip --version 2>&-"
    ran = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout[:6]) == (0, b"esclip")
