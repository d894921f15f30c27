"""Rejections of records, and the report of an ingest, which counts all records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from esclip._core.dry_run import DryRun
from esclip._core.markup import render_table
from esclip._errors import EsclipError, Hint
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape
from esclip._errors.reasons import Reason
from esclip._errors.secrets import mask

if TYPE_CHECKING:
    from esclip._core.types import ImageRecord


class Stage(Enum):
    """The step of an ingest at which a record was rejected."""

    READ = "read"
    FETCH = "fetch"
    DECODE = "decode"
    ENCODE = "encode"
    WRITE = "write"


@dataclass(frozen=True, slots=True, repr=False)
class Rejection:
    """A record that was not written to the index, with the reason."""

    id: str
    location: str
    stage: Stage
    reason: Reason
    detail: str
    record: ImageRecord | None = field(default=None, compare=False, repr=False)
    """The record, for a retry; None where the source could not create one."""

    def __repr__(self) -> str:
        text = f"{self.id}, {self.location}: {self.detail}"
        return f"<{type(self).__name__} {self.reason.value}: {escape(mask(text))}>"

    def to_json(self) -> dict[str, Any]:
        """The rejection as a line of the rejections file."""
        return {
            "id": self.id,
            "location": self.location,
            "stage": self.stage.value,
            "reason": self.reason.value,
            "detail": self.detail,
        }


def reject(record: ImageRecord, stage: Stage, reason: Reason, detail: str) -> Rejection:
    """The rejection of a record, which can be retried."""
    return Rejection(record.id, record.location, stage, reason, detail, record)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LedgerEntry(Rejection):
    """A rejection in the index's ledger, until the record is in the index."""

    attempts: int
    """How often the record was rejected."""
    last_attempt: datetime
    """When it was last rejected."""

    def to_json(self) -> dict[str, Any]:
        """The rejection as the command line prints it with `--json`."""
        last_attempt = self.last_attempt.isoformat().replace("+00:00", "Z")
        return Rejection.to_json(self) | {"tries": self.attempts, "tried": last_attempt}


@dataclass(frozen=True, slots=True, repr=False)
class IngestReport:
    """What an ingest did. `read == skipped + written + rejected`, always."""

    read: int
    """Records of the source, unreadable rows included."""
    skipped: int
    """Records unchanged in the index, and further rows with an id that this run has read already."""
    written: int
    """Documents written: new, encoded again, or with new metadata only."""
    rejected: int
    rejections: Mapping[Reason, int]
    """Number of rejections by reason, the most frequent first."""
    seconds: float
    index: str
    store: str
    encoder: str
    stopped: bool = False
    """Whether it ended before the source: on request, or because too many records were rejected."""
    pruned: int | None = None
    """Documents removed because their record has left the source; None without pruning."""
    unpruned: int = 0
    """Documents kept although their record has left: hardly any of their path would remain, which was not
    confirmed."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """What is in no other count, by kind: files that are no supported pictures, and linked folders."""
    dry_run: DryRun | None = None
    """What would be done, where nothing was: all counts are those that an ingest would have."""

    @property
    def images_per_second(self) -> float:
        """Documents written per second of the whole run."""
        return self.written / self.seconds if self.seconds and not self.dry_run else 0.0

    def __repr__(self) -> str:
        end = ", stopped before the end" if self.stopped else ""
        kind = f"{type(self).__name__}{' of a dry run' if self.dry_run else ''}"
        return (
            f"<{kind}: {pluralize(self.read, 'record')}, {self.written:,} written, "
            f"{self.skipped:,} skipped, {self.rejected:,} rejected in {self.seconds:.1f} s, "
            f"index {self.index!r} in {escape(self.store)}{end}>"
        )

    def _repr_html_(self) -> str:
        counts = ("read", "skipped", "written", "rejected")
        values: dict[str, Any] = {name: getattr(self, name) for name in counts}
        values |= {f"rejected: {reason.value}": n for reason, n in self.rejections.items()}
        values |= {f"passed over: {kind}": n for kind, n in self.passed_over.items()}
        values |= {f"dry run: {name}": n for name, n in self._dry_run.items()}
        values |= {"pruned": self.pruned, "unpruned": self.unpruned or None}
        values |= {"stopped": "before the end" if self.stopped else None}
        values |= {"seconds": f"{self.seconds:.1f}", "pictures/s": f"{self.images_per_second:.1f}"}
        values |= {name: getattr(self, name) for name in ("index", "store", "encoder")}
        return render_table(values.items())

    def to_json(self) -> dict[str, Any]:
        """The report as the command line prints it with `--json`."""
        pruned = {} if self.pruned is None else {"pruned": self.pruned, "unpruned": self.unpruned}
        passed_over = {"passed_over": dict(self.passed_over)} if self.passed_over else {}
        dry_run = {"dry_run": self._dry_run} if self._dry_run else {}
        return {
            "read": self.read,
            "skipped": self.skipped,
            "written": self.written,
            "rejected": self.rejected,
            "rejections": {reason.value: n for reason, n in self.rejections.items()},
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 2),
            "index": self.index,
            "store": self.store,
            "encoder": self.encoder,
            **pruned,
            **passed_over,
            **dry_run,
        }

    @property
    def _dry_run(self) -> dict[str, Any]:
        return self.dry_run.to_json() if self.dry_run else {}


class TooManyRejections(EsclipError):
    """An ingest stopped because too large a share of its records was rejected."""

    def __init__(self, message: str, report: IngestReport) -> None:
        """Keep the `report` of the run up to here beside the `message`."""
        super().__init__(message, Hint.REJECTIONS)
        self.report = report
