"""Crops where a model or a function finds things, in the place of the grid of `_core/parts.py`.

picture ─► a small view of it ─► Detector ─► boxes, most certain first ─► those that show something ─► crops

Its name and threshold are in the fingerprint of a picture: another detector has it cropped and encoded anew.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any

from esclip._core.arguments import wrong_kind
from esclip._core.captions import RgbArray
from esclip._core.parts import GRID
from esclip._core.types import Box
from esclip._errors import ConfigError, EsclipError, RecordError, error_text
from esclip._errors.reasons import Reason
from esclip._files.locations import AnyDetector
from esclip._ingest.hook_names import hook_name, require_name

MAX_BOXES = len(GRID)
"""Of a picture: as many as the grid has, so that an index of crops is no larger."""

DECIMALS = 4
"""Of a box's sides, as shares of the picture's."""


class Detector:
    """Finds boxes in pictures. Safe from several threads, one of which it serves at a time."""

    def __init__(self, name: str, setting: str, find: Callable[[RgbArray], Any]) -> None:
        """`find` gives the boxes of a picture in its pixels. Raises `ConfigError` for an unusable name."""
        self.name = require_name(name, "detector")
        self.mark = hashlib.sha256(f"{name} {setting}".encode()).hexdigest()[:16]
        """The same for the same boxes."""
        self._find = find
        self._lock = Lock()

    def boxes(self, picture: RgbArray) -> list[Box]:
        """The first boxes with an area within the picture, each once.

        Raises `RecordError` where the detector fails, `EncoderError` for a model that can't be loaded,
        `ConfigError` for a function that gives something else than boxes.
        """
        with self._lock:
            try:
                given = self._find(picture)
                given = [*given] if isinstance(given, Iterator) else given
            except EsclipError:
                raise
            except Exception as error:  # a function of a user's may raise any
                detail = f"{self.name}: {type(error).__name__}: {error_text(error)}"
                raise RecordError(Reason.DETECTION_FAILED, detail) from error
        height, width = picture.shape[:2]
        clipped = (_clip(sides, width, height) for sides in self._checked(given))
        return list(dict.fromkeys(box for box in clipped if box is not None))[:MAX_BOXES]

    def _checked(self, given: Any) -> Iterator[Sequence[float]]:
        """What the function gave, if it is boxes."""
        try:
            for box in given:
                sides = [float(side) for side in box]
                if len(sides) != 4:
                    raise ValueError
                yield sides
        except (TypeError, ValueError):
            raise ConfigError(
                f"detector {self.name}: it gave something else than boxes; each is left, top, right and "
                "bottom, in pixels"
            ) from None


def _clip(sides: Sequence[float], width: int, height: int) -> Box | None:
    """The part of a box within the picture, in shares of it; None where there is none."""
    if not all(map(math.isfinite, sides)):
        return None
    shares = [side / whole for side, whole in zip(sides, (width, height) * 2, strict=True)]
    box = Box(*(round(min(1.0, max(0.0, share)), DECIMALS) for share in shares))
    return box if box.left < box.right and box.top < box.bottom else None


def open_detector(given: AnyDetector | None, threshold: float) -> Detector | None:
    """The detector that a user gives: a model, which is loaded with the first picture, or a function.

    Raises `EncoderError` for a model that this machine lacks, `ConfigError` for what is none.
    """
    if given is None or given == "":
        return None
    if isinstance(given, (str, os.PathLike)):
        from esclip.encoders.detector import ModelDetector

        model = ModelDetector(given, threshold)
        return Detector(model.name, f"{threshold:g}", model)
    if not callable(given):
        raise wrong_kind("detector", given, "a model's name, a folder or a function")
    return Detector(hook_name(given), "", given)


def detection_of(given: AnyDetector | None, detector: Detector | None) -> str | None:
    """What records say of how their crops are found, as `ImageRecord.detection`."""
    if given is None:
        return None
    return detector.mark if detector else ""
