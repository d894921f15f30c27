"""What becomes of the records that can't be used, and the report of an ingest that counts all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from esclip._core.types import ImageRecord

__all__ = ["IngestReport", "LedgerEntry", "Reason", "Rejection", "Stage", "rejected"]


class Stage(Enum):
    """The step of an ingest at which a record was rejected."""

    READ = "read"
    FETCH = "fetch"
    DECODE = "decode"
    ENCODE = "encode"
    WRITE = "write"


class Reason(Enum):
    """Why a record was rejected: the closed list (docs: README, "Rejections")."""

    BAD_ROW = "bad_row"
    """The row can't be parsed: wrong number of columns, broken quotes."""
    BAD_ID = "bad_id"
    """The id is empty, longer than 512 bytes, or not printable."""
    BAD_URL = "bad_url"
    """The picture's URL is malformed, longer than 8,000 characters, or of a host that is not allowed."""
    BAD_REDIRECT = "bad_redirect"
    """A redirect led to a host that is not allowed, or in circles."""
    PRIVATE_ADDRESS = "private_address"
    """The host is inside a private network, and no `--allow-host` names it."""
    OPTED_OUT = "opted_out"
    """The server says with `X-Robots-Tag: noai` or `noimageai` that the picture is not for machines."""
    HTTP_403 = "http_403"
    """The server forbids the picture."""
    HTTP_404 = "http_404"
    """The picture is not there."""
    HTTP_410 = "http_410"
    """The picture was removed for good."""
    HTTP_429 = "http_429"
    """The server kept asking for fewer requests until the deadline."""
    HTTP_4XX = "http_4xx"
    """Any other answer that is not the picture: 401, say, or 204, 206, a redirect to nowhere, 999."""
    HTTP_5XX = "http_5xx"
    """The server failed, until the deadline."""
    TIMEOUT = "timeout"
    """The picture did not arrive within its deadline."""
    DNS_ERROR = "dns_error"
    """The host's name has no address."""
    CONNECTION_ERROR = "connection_error"
    """The connection was refused, or broke, or what came is no HTTP."""
    TLS_ERROR = "tls_error"
    """The server's certificate can't be trusted, or TLS failed."""
    INCOMPLETE_BODY = "incomplete_body"
    """The answer ended before the length that it announced, or can't be decompressed."""
    FILE_NOT_FOUND = "file_not_found"
    """No file is there (any more)."""
    UNREADABLE_FILE = "unreadable_file"
    """The file can't be read: permissions, a folder, a device."""
    TOO_LARGE = "too_large"
    """More bytes or more pixels than the cap, or made to take minutes or gigabytes."""
    NOT_AN_IMAGE = "not_an_image"
    """The bytes are in no format that is supported: an HTML page, say, or nothing at all."""
    TRUNCATED = "truncated"
    """The picture begins well and ends too early, or is damaged inside."""
    BAD_VECTOR = "bad_vector"
    """The encoder gave a vector that is zero or not finite."""
    WRITE_REJECTED = "write_rejected"
    """The store refused the document; its own words are in the detail."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that did not make it into the index, and why."""

    id: str
    location: str
    stage: Stage
    reason: Reason
    detail: str
    record: ImageRecord | None = field(default=None, compare=False, repr=False)
    """The record, to try it again; None where the source could not make one."""

    def to_json(self) -> dict[str, Any]:
        """The rejection as a line of the rejections file."""
        return {
            "id": self.id,
            "location": self.location,
            "stage": self.stage.value,
            "reason": self.reason.value,
            "detail": self.detail,
        }


def rejected(record: ImageRecord, stage: Stage, reason: Reason, detail: str) -> Rejection:
    """A record that was rejected, and can be tried again."""
    return Rejection(record.id, record.location, stage, reason, detail, record)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry(Rejection):
    """A rejection as the index's ledger keeps it, until the index holds the record."""

    attempts: int
    """How often the record was rejected."""
    last_attempt: datetime
    """When it was the last time."""

    def to_json(self) -> dict[str, Any]:
        """The rejection as the command line prints it with `--json`."""
        tried = self.last_attempt.isoformat().replace("+00:00", "Z")
        return Rejection.to_json(self) | {"tries": self.attempts, "tried": tried}


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did. `read == skipped + written + rejected`, always."""

    read: int
    """Records that the source gave, broken rows included."""
    skipped: int
    """Records that the index held unchanged, and further rows with an id that this run had already."""
    written: int
    """Documents written: new, encoded again, or with new metadata only."""
    rejected: int
    rejections: Mapping[Reason, int]
    """How many of the rejected for each reason, most frequent first."""
    seconds: float
    index: str
    store: str
    encoder: str
    stopped: bool = False
    """Whether it ended before the source did: asked to, or because too much was rejected."""
    pruned: int | None = None
    """Documents removed because their record has left the source; None where that wasn't asked for."""
    unpruned: int = 0
    """Documents whose record has left, and which stay: hardly any of their path would, and nobody agreed."""

    passed_over: Mapping[str, int] = field(default_factory=dict)
    """By kind, what is in no other count: files of folders that are no pictures here, and linked folders."""

    @property
    def images_per_second(self) -> float:
        """Documents written per second of the whole run."""
        return self.written / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """The report as the command line prints it with `--json`."""
        pruned = {} if self.pruned is None else {"pruned": self.pruned, "unpruned": self.unpruned}
        passed_over = {"passed_over": dict(self.passed_over)} if self.passed_over else {}
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
        }
