"""The one colour of a picture, `#rrggbb`: for the place that is kept for the picture while it loads."""

from __future__ import annotations

import re

COLOR = "color"
"""The metadata field that has it."""

_FORM = re.compile("#[0-9a-f]{6}")


def is_color(value: object) -> bool:
    """Whether a value is such a colour; a field of this name may be a source's own, with names."""
    return isinstance(value, str) and _FORM.fullmatch(value) is not None
