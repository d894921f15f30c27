"""Folders of images and single files: what is found, in which order, and under which id."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from esclip import ImageIndex
from esclip._core.types import ImageRecord
from esclip._errors import ConfigError, SourceError
from esclip._errors.reasons import Reason
from esclip._protocols import Source
from esclip.sources import FolderSource, open_source
from esclip.sources.folder import folder_paths
from esclip.stores.memory import MemoryStore
from esclip.testing.source import SourceContract, records_of, rejections_of


def write(path: Path, data: bytes = b"picture") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def found(folder: Path) -> list[str]:
    return [
        Path(record.location).relative_to(folder).as_posix() for record in records_of(open_source([folder]))
    ]


class TestFolderSource(SourceContract):
    @pytest.fixture
    def origin(self, tmp_path: Path) -> Path:
        folder = tmp_path / "pictures"
        for name in ("b.jpg", "a/z.png", "a/deep/er/y.webp", "日本.gif"):
            write(folder / name)
        (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
        return folder

    def open(self, origin: Path) -> Source:
        return FolderSource(origin)

    def change(self, origin: Path) -> set[str]:
        changed = origin / "a" / "z.png"
        [id] = [record.id for record in records_of(self.open(origin)) if record.location == str(changed)]
        changed.write_bytes(b"another picture")
        return {id}


def test_finds_pictures_by_extension_in_any_case(tmp_path: Path) -> None:
    """All that the decoder reads count, in capitals too, and nothing else does."""
    names = ["a.JPG", "b.jpeg", "c.png", "d.WebP", "e.gif", "f.bmp", "g.tif", "h.tiff"]
    names += ["i.jfif", "j.JPE", "k.avif", "l.HEIC", "m.heif", "n.hif", "o.dib", "p.apng"]
    for name in [*names, "q.txt", "r.jpg.part", "jpg"]:
        write(tmp_path / name)
    assert found(tmp_path) == names


def test_what_is_passed_over_is_counted_by_kind(tmp_path: Path) -> None:
    """Raw pictures, videos and linked folders are told, not what stands beside pictures or is hidden."""
    names = "a.jpg b/c.png b/d.CR2 e.dng f.MOV g.mp4 h.svg i.jxl j.md k jpg l.txt m.xmp n.AAE .o.mov .p/q.mov"
    names += " t.parquet u.CSV"
    for name in names.split():
        write(tmp_path / name)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b" / "loop.mov").symlink_to("..", target_is_directory=True)
    (tmp_path / "b" / "itself").symlink_to("itself")
    source = open_source([tmp_path / "b", tmp_path])
    expected = {"raw": 3, "video": 2, "other_pictures": 2, "linked_folders": 3, "other_files": 5, "table": 2}
    for _ in range(2):  # a second walk counts anew
        assert len(records_of(source)) == 3
        assert source.passed_over() == expected
    with ImageIndex(MemoryStore("i"), "palette", None) as index:
        report = index.ingest(tmp_path, max_rejection_rate=1)
    assert report.passed_over == expected | {"raw": 2, "linked_folders": 2, "other_files": 4}
    assert report.to_json()["passed_over"] == report.passed_over
    assert (report.read, report.rejected) == (2, 2)


def test_what_can_not_be_read_here_is_not_taken_for_gone(tmp_path: Path) -> None:
    """An index keeps its HEIC pictures when an installation without the extra prunes it."""
    write(tmp_path / "a.jpg")
    program = (
        "import sys; sys.modules['pillow_heif'] = None; from esclip.sources import open_source; "
        "print([open_source(sys.argv[1:2]).covers(path) for path in sys.argv[2:]])"
    )
    paths = [str(tmp_path / name) for name in ("a.jpg", "b.heic", "c.HIF", "d.avif")]
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), *paths], capture_output=True, text=True
    )
    assert done.stdout == "[True, False, False, True]\n", done.stderr
    assert all(map(open_source([tmp_path]).covers, paths))


def test_a_linked_folder_is_walked_where_it_is_named(tmp_path: Path) -> None:
    """Who names a link means what it leads to."""
    write(tmp_path / "pictures" / "a.jpg")
    (tmp_path / "link").symlink_to("pictures", target_is_directory=True)
    assert found(tmp_path / "link") == ["a.jpg"]


def test_a_folder_without_pictures_says_what_else_it_holds(tmp_path: Path) -> None:
    """Who has a folder of videos learns that it isn't empty."""
    write(tmp_path / "a.mov")
    with pytest.raises(SourceError, match=r"neither a photos table nor pictures .*; but videos 1"):
        open_source([tmp_path])


def test_leaves_out_what_is_hidden(tmp_path: Path) -> None:
    """Hidden files, files that macOS puts beside others, and all in hidden folders are left out."""
    for name in (".hidden.jpg", "._a.jpg", ".thumbnails/b.jpg", "c.jpg"):
        write(tmp_path / name)
    assert found(tmp_path) == ["c.jpg"]


def test_order_is_by_name_at_each_level(tmp_path: Path) -> None:
    """Folders and files are visited by their names, whatever order the disk has."""
    names = ["a.jpg", "b/1.jpg", "b/2/x.jpg", "b/3.jpg", "c.jpg"]
    for name in reversed(names):
        write(tmp_path / name)
    assert found(tmp_path) == names


def test_does_not_follow_links_to_folders(tmp_path: Path) -> None:
    """A link that leads back up can't catch the walk; a link to a file is a picture."""
    write(tmp_path / "in" / "a.jpg")
    (tmp_path / "in" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "in" / "link.jpg").symlink_to(tmp_path / "in" / "a.jpg")
    assert found(tmp_path / "in") == ["a.jpg", "link.jpg"]


def test_id_is_the_same_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture has one id, named by folder or by file, absolute or relative to any working directory."""
    picture = write(tmp_path / "a" / "b" / "c.jpg")
    monkeypatch.chdir(tmp_path)
    ids = [records_of(open_source([path]))[0].id for path in (tmp_path, "a", picture, "a/../a/b/c.jpg")]
    monkeypatch.chdir(tmp_path / "a" / "b")
    ids.append(records_of(open_source(["."]))[0].id)
    assert len(set(ids)) == 1
    assert len(ids[0]) == 20


def test_a_record_tells_what_is_known_of_its_file(tmp_path: Path) -> None:
    """Name, folder, size and time are metadata; size and time make the version."""
    picture = write(tmp_path / "holiday" / "a.jpg", b"12345")
    os.utime(picture, ns=(0, 1_600_000_000_123_456_789))
    [record] = records_of(open_source([tmp_path]))
    assert record.picture == picture
    assert record.location == str(picture)
    assert record.image_version == "5-1600000000123456789"
    holiday = str(tmp_path / "holiday")
    paths = record.metadata["folders"]
    assert record.metadata == {
        "file_name": "a.jpg",
        "folder": "holiday",
        "file_size": 5,
        "modified": datetime(2020, 9, 13, 12, 26, 40, 123_000, tzinfo=UTC),
        "folders": paths,
    }
    assert isinstance(paths, tuple)
    assert (paths[0], *paths[-2:]) == (holiday, f"{tmp_path.name}/holiday", "holiday")
    assert all(f"/{holiday}".endswith(f"/{path}") for path in paths)


def test_folders_of_a_path() -> None:
    """A deep path has its own text and so many ends; the root has one."""
    assert folder_paths("/a/b c/ü") == ("/a/b c/ü", "b c/ü", "ü")
    assert folder_paths("/a") == ("/a",)
    assert folder_paths("/") == ("/",)
    deep = folder_paths("/" + "/".join(map(str, range(1000))))
    assert (len(deep), deep[1], deep[-1]) == (17, "/".join(map(str, range(984, 1000))), "999")


def test_a_named_file_is_taken_whatever_it_is_called(tmp_path: Path) -> None:
    """The user's word counts more than an extension or a dot."""
    paths = [write(tmp_path / ".scan"), write(tmp_path / "notes.txt")]
    assert [record.picture for record in records_of(open_source(paths))] == paths


def test_several_paths_are_chained_and_an_overlap_comes_twice(tmp_path: Path) -> None:
    """Paths are read in the order given; what lies in two of them is given twice, with one id."""
    picture, folder = write(tmp_path / "b" / "x.jpg"), tmp_path / "a"
    write(folder / "y.jpg")
    source = open_source([tmp_path / "b", folder, picture])
    records = records_of(source)
    assert [Path(record.location).name for record in records] == ["x.jpg", "y.jpg", "x.jpg"]
    assert records[0].id == records[2].id
    assert source.total() == 3


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_limit_takes_the_first(tmp_path: Path, limit: int) -> None:
    """A limit counts over all paths together, and in the total."""
    for name in ("a/1.jpg", "a/2.jpg", "b/3.jpg"):
        write(tmp_path / name)
    everything = records_of(open_source([tmp_path]))
    for paths in ([tmp_path], [tmp_path / "a", tmp_path / "b"]):
        source = open_source(paths, limit=limit)
        assert list(source.records(Event())) == everything[:limit]
        assert source.total() == limit


def test_a_file_that_vanishes_is_rejected(tmp_path: Path) -> None:
    """A file that is gone when its turn comes is a rejection, and the next one comes."""
    first, second, third = (write(tmp_path / name) for name in ("1.jpg", "2.jpg", "3.jpg"))
    records = open_source([tmp_path]).records(Event())
    next(records)
    second.unlink()
    rest = list(records)
    assert [getattr(item, "reason", None) for item in rest] == [Reason.FILE_NOT_FOUND, None]
    assert rest[0].location == str(second)
    assert rest[1].location == str(third)
    assert first.exists()


def test_a_pipe_is_rejected_and_not_waited_for(tmp_path: Path) -> None:
    """What isn't a regular file would block a reader for ever."""
    write(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "b.jpg")
    [rejection] = rejections_of(open_source([tmp_path]))
    assert rejection.reason is Reason.UNREADABLE_FILE


def test_a_folder_that_vanishes_is_rejected(tmp_path: Path) -> None:
    """A folder that is gone when its turn comes is a rejection that names it."""
    write(tmp_path / "a.jpg")
    folder = write(tmp_path / "b" / "1.jpg").parent
    records = open_source([tmp_path]).records(Event())
    next(records)
    (folder / "1.jpg").unlink()
    folder.rmdir()
    [rejection] = records
    assert not isinstance(rejection, ImageRecord)
    assert rejection.location == str(folder)
    assert rejection.reason is Reason.FILE_NOT_FOUND


def test_names_that_are_not_utf8_are_shown(tmp_path: Path) -> None:
    """A name in another encoding keeps its file readable and its record printable."""
    path = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    try:
        Path(os.fsdecode(path)).write_bytes(b"picture")
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    [record] = records_of(open_source([tmp_path]))
    assert record.location.endswith("caf\\xe9.jpg")
    assert isinstance(record.picture, Path)
    assert record.picture.read_bytes() == b"picture"


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    """No path, a wrong one, and a folder without pictures are told in one line each."""
    (tmp_path / "empty").mkdir()
    for paths in ([], [tmp_path / "nowhere"], [tmp_path / "empty"], [tmp_path / ("x" * 300)]):
        with pytest.raises(SourceError) as caught:
            open_source(paths)
        assert "\n" not in str(caught.value)


def test_images_need_a_dataset(tmp_path: Path) -> None:
    """A folder of a dataset's pictures is refused where no dataset is given, and where it isn't there."""
    write(tmp_path / "a.jpg")
    with pytest.raises(ConfigError, match="Unsplash"):
        open_source([tmp_path], images=tmp_path)
    with pytest.raises(ConfigError, match="nowhere"):
        open_source([tmp_path], images=tmp_path / "nowhere")


EXCLUDED_TREE = "a.jpg b.png thumbs/c.jpg x/thumbs/d.jpg x/e.jpg trash/f.jpg trash/g.png y/trash/h.jpg i.mov"


@pytest.mark.parametrize(
    ("patterns", "left", "excluded"),
    [
        (["thumbs"], "a.jpg b.png trash/f.jpg trash/g.png x/e.jpg y/trash/h.jpg", 2),
        (["*.jpg", "trash/*.png"], "b.png", 7),
        (["/trash/*.jpg", "thumbs/"], "a.jpg b.png trash/g.png x/e.jpg y/trash/h.jpg", 3),
        (["*.png", "!b.png", "**/trash/", "x/**"], "a.jpg b.png thumbs/c.jpg", 3),
    ],
)
def test_leaves_out_and_counts_what_is_excluded(
    tmp_path: Path, patterns: list[str], left: str, excluded: int
) -> None:
    """Patterns are those of a .gitignore; a folder that is left out is not walked, and counts once."""
    for name in EXCLUDED_TREE.split():
        write(tmp_path / "in" / name)
    source = open_source([tmp_path / "in"], exclude=patterns)
    paths = [Path(record.location) for record in records_of(source)]
    assert [path.relative_to(tmp_path / "in").as_posix() for path in paths] == left.split()
    assert source.passed_over() == {"excluded": excluded, "video": 1}
    assert source.total() == len(paths)
    for name in EXCLUDED_TREE.split()[:-1]:
        assert source.covers(str(tmp_path / "in" / name)) is (name in left.split()), name


def test_a_single_file_is_excluded_by_its_name(tmp_path: Path) -> None:
    """A shell may have expanded `*.jpg` to files; a folder's own name, and those above it, don't count."""
    files = [write(tmp_path / "small" / name) for name in ("a.jpg", "a.small.jpg")]
    source = open_source([*files, tmp_path / "small"], exclude=["small", "*.small.*"])
    assert [record.location for record in records_of(source)] == [str(files[0])] * 2
    assert source.passed_over() == {"excluded": 2}


@pytest.mark.parametrize("pattern", ["", " ", "#a", "/"])
def test_a_pattern_that_fits_nothing_is_refused(tmp_path: Path, pattern: str) -> None:
    """What git takes for a comment would be a name that is not excluded."""
    write(tmp_path / "a.jpg")
    with pytest.raises(ConfigError, match="exclude: ") as caught:
        open_source([tmp_path], exclude=[pattern])
    assert "\n" not in str(caught.value)


def test_what_is_excluded_stays_in_the_index(tmp_path: Path) -> None:
    """Pruning takes away what is gone, not what this ingest doesn't look at."""
    for number, name in enumerate(("a.bmp", "b.bmp", "old/c.bmp", "d.bmp")):
        path = tmp_path / "in" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        Image.new("RGB", (8, 8), (number * 60, 9, 9)).save(path)
    with ImageIndex(MemoryStore("i"), "palette", None) as index:
        index.ingest(tmp_path / "in")
        (tmp_path / "in" / "d.bmp").unlink()
        report = index.ingest(tmp_path / "in", exclude="old", prune=True)
        assert (report.pruned, report.read, report.passed_over) == (1, 2, {"excluded": 1})
        assert {Path(location).name for location in index.peek(9).to_pandas()["location"]} == {
            "a.bmp",
            "b.bmp",
            "c.bmp",
        }
        with pytest.raises(SourceError, match="but excluded 1"):
            index.ingest(tmp_path / "in" / "old", exclude="*.bmp")


def test_exclude_without_a_folder_is_refused(tmp_path: Path) -> None:
    """An option that does nothing would be thought to have done something."""
    write(tmp_path / "a.jsonl", b'{"path": "a.jpg"}')
    with pytest.raises(ConfigError, match="exclude: it is of use with folders and archives only"):
        open_source([tmp_path / "a.jsonl"], exclude=["*.jpg"])
