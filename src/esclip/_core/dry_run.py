"""What an ingest would do, beside the counts of its report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would become of the records that an ingest would write: `new + changed + updated == written`."""

    new: int
    """Documents that the index lacks."""
    changed: int
    """Documents whose file, URL or text is another one by now."""
    updated: int
    """Documents of which only the metadata would be written."""
    encoded: int
    """Pictures and texts that would be encoded; `encoded + copied == new + changed`."""
    copied: int
    """Pictures whose bytes have a vector already, under another name. Those of pictures that would have to be
    fetched aren't known: they count as encoded."""
    fetched: int
    """Pictures that would be fetched, some of which may then be rejected."""
    fetched_bytes: int | None = None
    """Of all these, by the given bytes of one; None where none are given."""
    hours: float | None = None
    """Of encoding, by the given rate; None where none is given."""

    def to_json(self) -> dict[str, Any]:
        """The counts as the command line prints them with `--json`."""
        return {name: value for name, value in asdict(self).items() if value is not None}
