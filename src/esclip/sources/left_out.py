"""Counts what a source leaves out of its records, and says it once, with an example."""

from __future__ import annotations

import logging

from esclip._errors import one_line
from esclip._errors.counts import pluralize
from esclip._files.opening import AnyFile
from esclip._files.paths import path_text

log = logging.getLogger("esclip")


class LeftOut:
    """Values that no field can keep."""

    def __init__(self) -> None:
        self._number = 0
        self._example = ""

    def note(self, problem: str) -> None:
        """Count one: which, or why."""
        self._number += 1
        self._example = self._example or problem

    def warn(self, path: AnyFile) -> None:
        """Log how many they are."""
        if self._number:
            log.warning(
                "%s: left out %s, which can be no text and no field: %s, for one",
                path_text(path),
                pluralize(self._number, "value"),
                one_line(self._example, 200),
            )
