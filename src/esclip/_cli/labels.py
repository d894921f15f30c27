"""How the command line reads labels and their templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from esclip._errors import ConfigError

if TYPE_CHECKING:
    from esclip._core.labels import LabelSet


def read_labels(labels: Any, templates: Sequence[str] | None) -> LabelSet | None:
    """The labels of an option; None where it isn't given. What can't be used is wrong usage."""
    from esclip._core.labels import TEMPLATES, LabelSet

    if labels is None:
        if templates:
            raise typer.BadParameter("a template is for labels: give them by --labels")
        return None
    try:
        return LabelSet.read(labels, templates or TEMPLATES)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
