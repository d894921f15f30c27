"""Names that a walk leaves out: patterns as in a `.gitignore`, for folders and for members of archives.

"thumbs"       any file or folder of this name, with all below it
"*.png"        any file whose name fits
"trash/*.jpg"  a path from the folder on that is ingested
"!best.png"    taken after all, where an earlier pattern excludes it
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from esclip._errors import ConfigError, one_line

EXCLUDED = "excluded"
"""The kind under which they are counted; a folder counts once."""


class Exclusions:
    """Patterns of names to leave out; without any nothing is."""

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        """Raises `ConfigError` for a text that is no pattern."""
        self._spec = None
        if not patterns:
            return
        from pathspec import GitIgnoreSpec

        for pattern in patterns:
            _check(pattern)
        self._spec = GitIgnoreSpec.from_lines(patterns)

    def __bool__(self) -> bool:
        return self._spec is not None

    def has(self, path: str, *, is_folder: bool = False) -> bool:
        """Whether a path is left out, by itself or with a folder that it is in.

        Args:
            path: Relative to the folder that is ingested, or a member's name in its archive; with `/`.
            is_folder: Whether a folder is meant.
        """
        return self._spec is not None and self._spec.match_file(f"{path}/" if is_folder else path)

    def has_below(self, folder: Path, path: Path, *, is_folder: bool = False) -> bool:
        """The same of a path in a folder that is ingested, or of a single file, by its name."""
        if self._spec is None:
            return False
        relative = path.relative_to(folder) if path != folder else Path(path.name)
        return self.has(relative.as_posix(), is_folder=is_folder)


def _check(pattern: str) -> None:
    from pathspec import GitIgnoreSpec

    shown = one_line(pattern, 80)
    try:
        excludes = any(one.include is not None for one in GitIgnoreSpec.from_lines([pattern]).patterns)
    except ValueError as error:
        raise ConfigError(f"exclude: {shown!r} is no pattern: {one_line(str(error), 200)}") from None
    if not excludes:
        remedy = r"; write \# for a name that begins with #" if pattern.startswith("#") else ""
        raise ConfigError(f"exclude: {shown!r} fits no name{remedy}")
