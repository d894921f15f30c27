"""The frames of a video: its key frames, or one every few seconds, each a picture with its time.

    film.mp4 ─► times of frames, without decoding ─► a record for each ─► ImageRecord | Rejection

A frame's location, and id, is the video, an `@` and its time in milliseconds: by that it is decoded in an
ingest, and again where it is shown.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from threading import Event

from esclip._concurrency.streams import owned
from esclip._core.picture_facts import PICTURE_FIELDS
from esclip._core.rejections import Rejection, Stage
from esclip._core.schema import Field, FieldType
from esclip._core.types import ImageRecord, id_problem, text_id
from esclip._errors import SourceError, error_text
from esclip._errors.reasons import Reason
from esclip._files.opening import AnyFile, absolute, is_file
from esclip._files.paths import path_text
from esclip._files.videos import frame_path, frame_times, is_video, split_frame
from esclip._protocols import Source
from esclip.sources.bucket import object_record
from esclip.sources.folder import FIELDS, file_record

TIME = "time"
FACTS = ("width", "height", "orientation", "color")
"""What is read of a frame itself; its format, and what EXIF says of pictures, it doesn't have."""

INSTALL = "pip install 'esclip[video]'"


def is_video_file(path: AnyFile) -> bool:
    """Whether a path is a video, by its name."""
    return is_video(path) and is_file(path)


class VideoSource(Source):
    """Frames of a video, each with the seconds from its beginning as `time`."""

    fields = (
        Field(TIME, FieldType.FLOAT),
        *(one for one in FIELDS if one not in PICTURE_FIELDS or one.name in FACTS),
    )

    def __init__(self, path: str | AnyFile, interval: float | None = None) -> None:
        """Take a frame every `interval` seconds; None: the key frames, at least a second apart.

        Raises `SourceError` where PyAV isn't installed.
        """
        self._path = absolute(path)
        self._interval = interval
        if find_spec("av") is None:
            raise SourceError(f"{path_text(self._path)} is a video, which PyAV reads: {INSTALL}")

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """A record for each frame, in the order of their times."""
        video = file_record(self._path) if isinstance(self._path, Path) else object_record(self._path)
        if isinstance(video, Rejection):
            yield video
            return
        time = None
        try:
            with owned(frame_times(self._path, self._interval)) as times:
                for time in times:
                    yield self._record(video, time)
            if time is None:
                raise OSError(errno.ENODATA, "it has no frame with a time")
        except OSError as error:
            location = path_text(self._path)
            yield Rejection(_id(location), location, Stage.READ, Reason.UNREADABLE_FILE, error_text(error))

    def covers(self, location: str) -> bool:
        """The frames of the video."""
        frame = split_frame(location)
        return frame is not None and frame[0] == path_text(self._path)

    def _record(self, video: ImageRecord, time: int) -> ImageRecord:
        path = frame_path(self._path, time)
        return ImageRecord(
            id=_id(path_text(path)),
            location=path_text(path),
            picture=path if isinstance(path, Path) else str(path),
            image_version=f"{video.image_version}-{time}",
            metadata={**video.metadata, TIME: time / 1000},
            picture_fields=FACTS,
        )


def _id(location: str) -> str:
    return text_id(f"@{location}") if id_problem(location) else location
