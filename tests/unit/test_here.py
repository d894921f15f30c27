"""`--here` leaves the pictures of the folder where the user stands, however it is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from esclip import open_index
from esclip._cli.app import app
from esclip.stores.lance.store import LanceStore
from tests.unit.test_ingest import run as run_pipeline
from tests.unit.test_picture_facts import OlderFolder

Run = Callable[..., Result]

PICTURES = {
    "2024/a.png": "red",
    '2024/no "r", way*/b.png': "blue",
    "2024 x/c.png": "red",
    "2025/d.png": "green",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pictures, and a link to one of its folders."""
    folder = tmp_path / "pictures"
    for name, color in PICTURES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), color).save(folder / name)
    (tmp_path / "link").symlink_to(folder / "2024")
    return folder


@pytest.fixture
def run(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in a folder; its index has all pictures."""
    monkeypatch.setenv("ESCLIP_STORE", str(tmp_path / "index"))
    monkeypatch.setenv("ESCLIP_ENCODER", "palette")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def run_in(place: Path, *words: str, named: Path | None = None, status: int = 0) -> Result:
        monkeypatch.chdir(place)
        monkeypatch.setenv("PWD", str(named or place))
        ran = CliRunner().invoke(app, list(words))
        assert ran.exit_code == status, ran.output
        return ran

    with open_index(tmp_path / "index", encoder="palette") as index:
        index.ingest(folder)
    return run_in


def names(ran: Result) -> list[str]:
    """The file names in lines of paths."""
    return sorted(Path(line).name for line in ran.stdout.splitlines())


def test_every_search_is_of_the_folder(run: Run, folder: Path) -> None:
    """The folder and all below it are left, not one beside it whose name begins so."""
    place, odd = folder / "2024", folder / '2024/no "r", way*'
    assert names(run(place, "search", "--here", "--paths")) == ["a.png", "b.png"]
    assert names(run(odd, "search-text", "red", "--here", "--paths")) == ["b.png"]
    assert names(run(folder, "search-text", "red", "--here", "--paths")) == [
        "a.png",
        "b.png",
        "c.png",
        "d.png",
    ]
    assert names(run(place, "search", "red", "--here", "--where", "file_name=b*", "--paths")) == ["b.png"]
    assert names(run(folder / "2025", "search-image", "d.png", "--here", "--paths")) == ["d.png"]
    groups = run(folder, "duplicates", "--here")
    assert {line.split("\t")[-1] for line in groups.stdout.splitlines()} == {
        str(folder / "2024 x/c.png"),
        str(folder / "2024/a.png"),
    }
    assert run(place, "duplicates", "--here").stdout == ""


def test_a_folder_that_a_link_leads_to(run: Run, folder: Path, tmp_path: Path) -> None:
    """Pictures are found by the folder's own path, and by the one by which it was ingested."""
    assert names(run(tmp_path / "link", "search", "--here", "--paths", named=tmp_path / "link")) == [
        "a.png",
        "b.png",
    ]
    Image.new("RGB", (9, 9), "white").save(folder / "2024" / "new.png")
    run(tmp_path, "ingest", str(tmp_path / "link" / "new.png"))
    ran = run(folder / "2024", "search", "--here", "--paths", named=tmp_path / "link")
    assert names(ran) == ["a.png", "b.png", "new.png"]
    ran = run(folder / "2024", "search", "--here", "--paths", named=folder / "2025")  # a lie
    assert names(ran) == ["a.png", "b.png"]


def test_a_folder_that_is_not_in_the_index(run: Run, tmp_path: Path) -> None:
    """The error names folder and index, and what to do."""
    other = tmp_path / "other"
    other.mkdir()
    for command in (("search-text", "red"), ("search",), ("duplicates",)):
        ran = run(other, *command, "--here", status=1)
        assert f"index 'image_search' has no picture of {other}; ingest it by: esclip ingest ./" in ran.stderr


def test_an_index_that_knows_no_folders(run: Run, folder: Path, tmp_path: Path) -> None:
    """An index of an older version says that its pictures are to be ingested again."""
    with LanceStore(tmp_path / "index", "older") as store:
        run_pipeline(OlderFolder(folder), store)
    ran = run(folder, "search", "--here", "--index", "older", status=1)
    assert "index 'older' knows no folders of its pictures" in ran.stderr
    run(folder, "ingest", ".", "--index", "older")
    assert names(run(folder / "2025", "search", "--here", "--index", "older", "--paths")) == ["d.png"]
