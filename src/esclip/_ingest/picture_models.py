"""The models that look at pictures beside the encoder: one describes them, one finds their crops."""

from __future__ import annotations

from dataclasses import dataclass

from esclip._files.locations import AnyCaptioner, AnyDetector
from esclip._ingest.captioning import Captioner, open_captioner
from esclip._ingest.detection import Detector, detection_of, open_detector


@dataclass(frozen=True, slots=True)
class PictureModels:
    """What a run has beside the encoder."""

    captioner: Captioner | None = None
    """What describes pictures that have no description; None: nothing does."""
    detector: Detector | None = None
    """What finds crops; None: nothing does."""
    detection: str | None = None
    """As `ImageRecord.detection`."""


NO_MODELS = PictureModels()


def open_models(
    captioner: AnyCaptioner | None, detector: AnyDetector | None, threshold: float
) -> PictureModels:
    """Those that a user gives, each loaded with the first picture.

    Raises `EncoderError` for a model that this machine lacks, `ConfigError` for what is none.
    """
    finder = open_detector(detector, threshold)
    return PictureModels(open_captioner(captioner), finder, detection_of(detector, finder))
