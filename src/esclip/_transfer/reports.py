"""What an export reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from esclip._core.markup import render_table
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape


@dataclass(frozen=True, slots=True, repr=False)
class ExportReport:
    """What an export wrote."""

    documents: int
    """Pictures."""
    texts: int
    """Text documents."""
    parts: int
    """Parts of pictures with vectors of their own: captions, crops."""
    files: int
    """Parquet files."""
    bytes: int
    """Their size on disk."""
    seconds: float
    index: str
    store: str
    path: str
    """The folder of the vector cache."""
    digest: str
    """Of the pictures' files: the same for the same bytes."""

    def __repr__(self) -> str:
        return (
            f"<ExportReport: {pluralize(self.documents, 'picture')}, {pluralize(self.texts, 'text')}, "
            f"{pluralize(self.parts, 'part')} of pictures in {escape(self.path)}>"
        )

    def _repr_html_(self) -> str:
        return render_table(self.to_json().items())

    def to_json(self) -> dict[str, Any]:
        """The report as the command line prints it with `--json`."""
        values = {name: getattr(self, name) for name in ExportReport.__dataclass_fields__}
        return values | {"seconds": round(self.seconds, 3)}
