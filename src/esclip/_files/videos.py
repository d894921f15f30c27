"""Frames of videos by PyAV, which is FFmpeg: their times without decoding, and one frame as a JPEG.

    film.mp4 ─► frame_times ─► 0.0, 2.0, 4.0 ... seconds: of key frames, or one every so many seconds
    /d/film.mp4@2000 ─► read_frame ─► the frame at 2,000 ms, upright

The format is that of the file's name. FFmpeg is never asked to guess it: a playlist that is called a film
could name other files and servers.
"""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import islice
from pathlib import Path
from typing import Any

from esclip._files.buckets import BucketPath
from esclip._files.opening import AnyFile, open_file

FORMATS = {
    ".3g2": "mov",
    ".3gp": "mov",
    ".avi": "avi",
    ".flv": "flv",
    ".m2ts": "mpegts",
    ".m4v": "mov",
    ".mkv": "matroska",
    ".mov": "mov",
    ".mp4": "mov",
    ".mpeg": "mpeg",
    ".mpg": "mpeg",
    ".mts": "mpegts",
    ".ogv": "ogg",
    ".webm": "matroska",
    ".wmv": "asf",
}
"""What FFmpeg calls the formats of suffixes."""

MIN_SECONDS = 1.0
"""Between two key frames: some videos have nothing else."""

SEEK_MARGIN = 10_000
"""Milliseconds: in some formats a seek leads behind what it looks for."""

MAX_DECODED = 10_000
"""Frames up to the one that is wanted: a stranger's index may name a time that a long film doesn't have."""

MAX_REORDERED = 16
"""Frames that may be stored before one that is shown earlier: more no format of videos allows."""

MAX_PIXELS = 100_000_000
QUALITY = 95

TIME_MARK = "@"

_FRAME = re.compile(
    rf"(?P<video>.*(?:{'|'.join(map(re.escape, FORMATS))}))@(?P<ms>\d+)", re.IGNORECASE | re.DOTALL
)


def is_video(path: AnyFile) -> bool:
    """Whether this is a video, by its name."""
    return path.suffix.lower() in FORMATS


def frame_path(video: AnyFile, milliseconds: int) -> AnyFile:
    """The path of a frame, for `read_file`."""
    if isinstance(video, BucketPath):
        return video._replace(key=f"{video.key}{TIME_MARK}{milliseconds}")
    return Path(f"{video}{TIME_MARK}{milliseconds}")


def split_frame(location: str) -> tuple[str, int] | None:
    """The video and the time in ms of a frame's location; None for any other."""
    match = _FRAME.fullmatch(location)
    return (match["video"], int(match["ms"])) if match else None


def frame_times(video: AnyFile, interval: float | None) -> Iterator[int]:
    """The times of frames in ms: of key frames at least a second apart, or of one every `interval` seconds.

    Raises `OSError`, also in the middle of a video that is damaged.
    """
    step, wanted = round(1000 * (interval or MIN_SECONDS)), 0
    with _open_stream(video) as (container, stream):
        times = (
            _milliseconds(packet.pts, stream)
            for packet in container.demux(stream)
            if packet.pts is not None and not packet.is_corrupt and (packet.is_keyframe or interval)
        )
        for time in _in_order(times):
            if time >= wanted:
                yield time
                wanted = (time // step + 1) * step if interval else time + step


def _in_order(times: Iterator[int]) -> Iterator[int]:
    """The times as they are shown: a frame that others are predicted from is stored before them."""
    ahead: list[int] = []
    try:
        for time in times:
            heappush(ahead, time)
            if len(ahead) > MAX_REORDERED:
                yield heappop(ahead)
    except Exception:  # what comes before the damage counts
        yield from sorted(ahead)
        raise
    yield from sorted(ahead)


def read_frame(video: AnyFile, milliseconds: int) -> bytes:
    """A frame as a JPEG. Raises `OSError`, and `FileNotFoundError` for a time that has none."""
    for earlier in (0, SEEK_MARGIN):
        with _open_stream(video) as (container, stream):
            if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
                raise OSError(errno.EFBIG, "its frames are too large", str(video))
            if milliseconds >= earlier:
                ticks = int((milliseconds - earlier + 0.5) / 1000 / stream.time_base)
                container.seek((stream.start_time or 0) + ticks, stream=stream)
            if (frame := _frame_at(container, stream, milliseconds)) is not None:
                return _jpeg(frame)
    raise FileNotFoundError(errno.ENOENT, "the video has no frame at this time", str(video))


def _frame_at(container: Any, stream: Any, milliseconds: int) -> Any:
    """The frame of a time, not far from here on; None where there is none."""
    for frame in islice(container.decode(stream), MAX_DECODED):
        if frame.pts is not None and (time := _milliseconds(frame.pts, stream)) >= milliseconds:
            return frame if time == milliseconds else None
    return None


def _jpeg(frame: Any) -> bytes:
    image, jpeg = frame.to_image(), io.BytesIO()
    upright = image.rotate(frame.rotation, expand=True) if frame.rotation else image
    upright.save(jpeg, "JPEG", quality=QUALITY)
    return jpeg.getvalue()


def _milliseconds(pts: int, stream: Any) -> int:
    return round(float(1000 * (pts - (stream.start_time or 0)) * stream.time_base))


@contextmanager
def _open_stream(video: AnyFile) -> Iterator[tuple[Any, Any]]:
    try:
        import av
    except ImportError as error:
        raise OSError(errno.ENOSYS, "PyAV, which reads videos, is not installed", str(video)) from error
    try:
        with (
            open_file(video) as file,
            av.open(file, format=FORMATS[video.suffix.lower()], metadata_errors="replace") as container,
        ):
            if not container.streams.video:
                raise OSError(errno.EINVAL, "it has no pictures", str(video))
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise OSError(errno.EINVAL, "FFmpeg has no decoder for its pictures", str(video))
            yield container, stream
    except av.FFmpegError as error:
        raise OSError(
            errno.EIO, f"it can't be read as a video: {error.strerror or error}", str(video)
        ) from error
