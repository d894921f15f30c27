"""Pictures of hits, copied into a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import esclip
from esclip import ConfigError, Hit, Hits
from esclip._cli.app import app
from esclip._search.copying import MAX_NAME_BYTES, numbered_name
from tests.plain_pictures import jpeg, png
from tests.servers import PictureServer, body, redirect, status


def hits_at(*locations: str | Path, first: int = 1) -> Hits:
    """Hits whose pictures are there, best first."""
    return Hits(
        Hit(rank, f"id{rank}", 0.5, str(location), None, "", {})
        for rank, location in enumerate(locations, start=first)
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for color in ("red", "green", "blue"):
        (folder / f"{color}.png").write_bytes(png(color))
    return folder


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_copies_are_numbered_by_rank(photos: Path, tmp_path: Path) -> None:
    """The first letters of the names put them in the hits' order; the bytes are the same."""
    report = hits_at(photos / "red.png", photos / "blue.png").copy_to(tmp_path / "new" / "best")
    assert names_in(tmp_path / "new" / "best") == ["01_red.png", "02_blue.png"]
    assert report.paths["id2"].read_bytes() == png("blue")
    assert (report.present, report.failures) == (0, {})
    assert list(hits_at(photos / "red.png", first=100).copy_to(tmp_path).paths.values()) == [
        tmp_path / "100_red.png"
    ]


def test_nothing_is_overwritten(photos: Path, tmp_path: Path) -> None:
    """The same picture is there already; another file stays, and so does what a link leads to."""
    best, other = tmp_path / "best", tmp_path / "other"
    hits = hits_at(*(photos / f"{color}.png" for color in ("red", "green", "blue")))
    hits[:1].copy_to(best)
    other.write_bytes(png("green"))
    (best / "02_green.png").symlink_to(other)
    (best / "03_blue.png").write_text("mine")
    report = hits.copy_to(best)
    assert (list(report.paths), report.present) == (["id1"], 1)
    assert all("is there already" in report.failures[id] for id in ("id2", "id3"))
    assert (best / "03_blue.png").read_text() == "mine"
    (best / "02_green.png").unlink()
    (best / "02_green.png").symlink_to(tmp_path / "nowhere")
    assert "id2" in hits.copy_to(best).failures
    assert not (tmp_path / "nowhere").exists()


def test_what_is_no_picture_is_not_copied(photos: Path, tmp_path: Path) -> None:
    """An index that names other files of this machine as pictures brings none of them into the folder."""
    secret, gone = tmp_path / "secret.png", photos / "gone.png"
    secret.write_text("s3cret")
    report = hits_at(secret, gone, photos, "relative", "a\0b", photos / "red.png").copy_to(tmp_path / "best")
    assert names_in(tmp_path / "best") == ["06_red.png"]
    assert report.failures["id1"].startswith("not_an_image: ")
    assert report.failures["id2"].startswith("file_not_found: ")
    assert len(report.failures) == 5


def test_urls_are_fetched_by_an_ingests_rules(tmp_path: Path) -> None:
    """Only from hosts that an ingest would ask; a failure is told, and the others are copied."""
    routes = {
        "/a.png": body(png("red")),
        "/deep/photo-1": body(jpeg("blue")),
        "/b%2F..%2F..%2Fevil.png": body(png("red")),
        "/page.png": body(b"<html>"),
        "/moved.png": redirect("/a.png"),
        "/gone.png": status(404),
    }
    with PictureServer(routes) as server:
        hits = hits_at(*(server.url(path) for path in routes))
        refused = hits.copy_to(tmp_path / "none")
        assert set(refused.failures) == {hit.id for hit in hits}
        assert not server.headers_seen
        report = hits.copy_to(tmp_path / "best", allow_hosts=["127.0.0.1"])
    assert names_in(tmp_path / "best") == ["01_a.png", "02_photo-1.jpg", "03_evil.png", "05_moved.png"]
    assert report.failures["id4"].startswith("not_an_image: ")
    assert report.failures["id6"].startswith("http_404: ")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../..", "/etc/passwd", "a\0b", "line\nend.png", "x\x1b[31m", "\udcff", "é" * 300,
             "a." + "b" * 300, ".hidden", "CON", "c:\\x", "name.", "a" * 300 + ".jpeg", "\u202egnp.exe"]
)  # fmt: skip
def test_a_name_stays_in_its_folder(name: str) -> None:
    """Whatever a location is called, the copy's name is one, short enough, for every system."""
    made = numbered_name(7, name)
    assert made.startswith("07_")
    assert made.isprintable()
    assert not set(made) & set('/\\:*?"<>|')
    assert len(made.encode()) <= MAX_NAME_BYTES + len("07_")
    assert not made.endswith((".", " "))
    assert len(made) > 3
    assert (Path("/best") / made).parent == Path("/best")
    if name.endswith(".jpeg"):
        assert made.endswith(".jpeg")


@pytest.mark.parametrize("folder", ["", "file/below", "https://host/best", "a\0b"])
def test_a_folder_that_can_not_be_made_is_told(
    photos: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is copied."""
    monkeypatch.chdir(photos)
    Path("file").touch()
    with pytest.raises(ConfigError):
        hits_at(photos / "red.png").copy_to(folder)
    assert names_in(photos) == ["blue.png", "file", "green.png", "red.png"]


def test_no_hits_make_no_folder(tmp_path: Path) -> None:
    """A search that finds nothing leaves nothing behind."""
    assert not hits_at().copy_to(tmp_path / "best").paths
    assert not (tmp_path / "best").exists()


class TestCommandLine:
    """`--copy-to` of the searches."""

    @pytest.fixture(autouse=True)
    def _index(self, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("ESCLIP_STORE", str(tmp_path / "store"))
        with esclip.open_index(tmp_path / "store", encoder="palette") as index:
            index.ingest(photos)

    def run(self, *words: str, status: int = 0, stdin: str | None = None) -> Result:
        ran = CliRunner().invoke(app, list(words), input=stdin)
        assert ran.exit_code == status, ran.output
        return ran

    def test_hits_are_copied_and_counted(self, tmp_path: Path) -> None:
        """Beside what the search prints; each failure is a line, and the exit status 1."""
        ran = self.run("search", "red", "-k", "2", "--copy-to", "best", "--paths")
        assert len(ran.stdout.splitlines()) == 2
        assert "2 pictures copied to best" in ran.stderr
        first = names_in(tmp_path / "best")[0]
        assert first == "01_red.png"
        (tmp_path / "best" / first).write_text("another")
        ran = self.run("search-image", "photos/red.png", "-k", "2", "--copy-to", "best", "-q", status=1)
        assert ran.stderr.count("\n") == 1
        assert "not copied: 1, " in ran.stderr
        ran = self.run("search", "red", "-k", "2", "--copy-to", "best", "--json", status=1)
        assert "0 pictures copied to best, 1 there already, 1 not" in ran.stderr

    def test_each_query_of_several_has_its_folder(self, tmp_path: Path) -> None:
        """Named by its number and its words; all queries are answered, whatever fails."""
        Path("best/001_red").mkdir(parents=True)
        Path("best/001_red/01_red.png").write_text("another")
        self.run("search-texts", "-", "-k", "1", "--copy-to", "best", stdin="red\nblue/../..\n", status=1)
        assert names_in(tmp_path / "best") == ["001_red", "002_blue_._"]
        assert names_in(tmp_path / "best" / "002_blue_._") == ["01_blue.png"]

    def test_an_empty_name_is_not_the_current_folder(self) -> None:
        """A variable that isn't set copies nothing to anywhere."""
        assert "--copy-to" in self.run("search", "red", "--copy-to", "", status=2).stderr
