"""Videos: key frames, or one every few seconds, decoded where they stand."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np
import pytest

from esclip import ImageIndex
from esclip._core.picture_color import COLOR
from esclip._errors import ConfigError, SourceError
from esclip._errors.reasons import Reason
from esclip._files.archives import read_file
from esclip._images.thumbnails import make_thumbnail
from esclip._protocols import Source
from esclip.sources import open_source
from esclip.stores.memory import MemoryStore
from esclip.testing.source import SourceContract, records_of, rejections_of

RGB = {"red": (255, 0, 0), "green": (0, 160, 0), "blue": (0, 0, 255)}


def write_film(
    file: Path, colors: tuple[str, ...] = tuple(RGB), codec: str = "mpeg4", *, reordered: int = 0
) -> Path:
    """Two seconds of each colour at 10 frames a second; a key frame every second, `reordered` B-frames."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=10, options={"bf": str(reordered)})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", 10
        for number in range(20 * len(colors)):
            pixels = np.full((48, 64, 3), RGB[colors[number // 20]], np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode())
    return file


class TestVideo(SourceContract):
    @pytest.fixture
    def origin(self, tmp_path: Path) -> Path:
        (tmp_path / "broken.mov").write_bytes(b"no film")
        return write_film(tmp_path / "film.mp4")

    def open(self, origin: Path) -> Source:
        return open_source([origin, origin.with_name("broken.mov")])

    def change(self, origin: Path) -> set[str]:
        """Another film has other frames at the same times."""
        write_film(origin, ("blue", "red", "green"))
        return {record.id for record in records_of(self.open(origin))}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts.mts"])
def test_frames_are_those_of_their_times(tmp_path: Path, suffix: str) -> None:
    """In any format: each frame that is named is there, and no other."""
    film = write_film(tmp_path / f"film{suffix}", codec="mpeg2video" if "mts" in suffix else "mpeg4")
    for interval, step in ((None, 1.0), (1.5, 1.5), (0.3, 0.3)):
        records = records_of(open_source([film], frame_interval=interval))
        times = [record.metadata["time"] for record in records]
        assert len(times) == pytest.approx(6 / step, abs=1)
        for record, time in zip(records, times, strict=True):
            assert isinstance(time, float)
            assert record.id == record.location == f"{film}@{round(time * 1000)}"
            assert read_file(Path(record.location), 1 << 20) == read_file(Path(record.location), 1 << 20)
    with pytest.raises(FileNotFoundError):
        read_file(Path(f"{film}@33"), 1 << 20)
    with pytest.raises(FileNotFoundError):
        read_file(Path(f"{film}@99000"), 1 << 20)


def test_frames_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    """In a file, a frame stands behind the later one that it is predicted from."""
    film = write_film(tmp_path / "film.mkv", reordered=2)
    records = records_of(open_source([film], frame_interval=0.1))
    assert [record.metadata["time"] for record in records] == [number / 10 for number in range(60)]
    whole = film.read_bytes()
    film.write_bytes(whole[: len(whole) // 2])
    cut = [record.metadata["time"] for record in records_of(open_source([film], frame_interval=0.1))]
    assert cut == sorted(cut)
    assert len(cut) > 10


def test_a_film_of_an_unknown_codec_is_rejected(tmp_path: Path) -> None:
    """What FFmpeg can't decode is one rejection, and the run goes on."""
    film, other = write_film(tmp_path / "film.mkv"), write_film(tmp_path / "other.mp4")
    film.write_bytes(film.read_bytes().replace(b"V_MPEG4", b"V_XXXX4"))
    with ImageIndex(MemoryStore("i"), "palette", None) as index:
        report = index.ingest(film, other)
        assert (report.written, report.rejections) == (6, {Reason.UNREADABLE_FILE: 1})
    with pytest.raises(OSError, match="no decoder"):
        read_file(Path(f"{film}@0"), 1 << 20)


def test_a_film_from_ingest_to_thumbnail(tmp_path: Path) -> None:
    """A frame is found by what it shows, with its time, and shown again as long as the film is the same."""
    film = write_film(tmp_path / "film.mp4")
    with ImageIndex(MemoryStore("i"), "palette", None) as index:
        assert index.ingest(film).written == 6
        assert index.ingest(film).skipped == 6
        hits = index.search_text("blue", k=2, where="time>1")
        assert sorted(hit.metadata["time"] for hit in hits) == [4.0, 5.0]
        assert (hits[0].metadata["width"], hits[0].metadata["height"]) == (64, 48)
        assert COLOR in hits[0].metadata
        assert make_thumbnail(Path(hits[0].location), hits[0].content) is not None
        assert len(hits.copy_to(tmp_path / "copies").paths) == 2
        assert (tmp_path / "copies" / "01_film.mp4@4000.jpg").is_file()
        write_film(film, ("red", "green", "red"))
        assert make_thumbnail(Path(hits[0].location), hits[0].content) is None
        film.unlink()
        assert index.ingest(film, prune=True, confirm=lambda path, number: True).pruned == 6


def test_a_film_that_is_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    """A format that can be read as it comes is read to the cut; nothing at all is a rejection."""
    film = write_film(tmp_path / "film.mkv")
    whole = film.read_bytes()
    film.write_bytes(whole[: len(whole) // 2])
    assert 0 < len(records_of(open_source([film]))) < 6
    for data in (b"", whole[:40]):
        film.write_bytes(data)
        [rejection] = rejections_of(open_source([film]))
        assert (rejection.reason, rejection.location) == (Reason.UNREADABLE_FILE, str(film))


def test_a_playlist_that_is_called_a_film_is_not_followed(tmp_path: Path) -> None:
    """FFmpeg would open what it names, on this machine and others."""
    write_film(tmp_path / "secret.mts", codec="mpeg2video")
    lines = f"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n{tmp_path}/secret.mts\n#EXT-X-ENDLIST\n"
    for name in ("a.mp4", "a.mkv", "a.avi", "a.mts", "a.mpg"):
        (tmp_path / name).write_text(lines)
        assert len(rejections_of(open_source([tmp_path / name]))) == 1
        assert records_of(open_source([tmp_path / name])) == []


def test_without_pyav_a_video_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A video is nothing that every installation reads."""
    film = write_film(tmp_path / "film.mp4")
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(ConfigError, match="frame_interval: it is of use with videos only"):
        open_source([tmp_path / "a.jpg"], frame_interval=1)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SourceError, match=r"esclip\[video\]"):
        open_source([film])
