"""Records written through a service: read and fetched here, sent in batches, counted as by an ingest.

records ─► MemorySource ─► ImageRecord ─► its picture's bytes ─► lines (NDJSON) ─► POST /v1/documents
                      └─────► Rejection ◄─────────┴──────────────────────────┴──► Tally ─► IngestReport
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson

from esclip._client.connection import DOCUMENTS, ENCODING, NDJSON, Connection, pages_of_ids
from esclip._client.document import Document
from esclip._client.queries import render_picture
from esclip._concurrency.streams import batches, parallel_map, prefetch
from esclip._core.arguments import AnyRecord, Records
from esclip._core.rejections import IngestReport, Rejection, Stage, TooManyRejections, reject
from esclip._core.schema import Field, FieldType
from esclip._core.types import TEXT, ImageRecord, json_metadata
from esclip._core.urls import is_web_address
from esclip._errors import DocumentNotFound, RecordError, one_line
from esclip._errors.counts import pluralize
from esclip._errors.reasons import Reason
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy
from esclip.sources.memory.source import MemorySource

MAX_BATCH = 512
"""Records of a request: the service ingests them as a run, whose beginning and end take time."""
MAX_BATCH_BYTES = 16 << 20
"""From so many on a batch is full: it is held, so that it can be sent again, and the next one beside it."""
MAX_DELETED = 1_000_000
"""Documents that a filter deletes in one request: as many as a service takes."""

_OF_PICTURES = frozenset({Reason.NOT_AN_IMAGE, Reason.TRUNCATED, Reason.TOO_LARGE})


@dataclass(frozen=True, slots=True)
class _Line:
    """A record as a service takes it."""

    record: ImageRecord
    data: bytes


@dataclass(slots=True)
class Tally:
    """What became of records so far."""

    read: int = 0
    written: int = 0
    unchanged: int = 0
    rejections: Counter[Reason] = field(default_factory=Counter)

    @property
    def rejected(self) -> int:
        """All rejected records."""
        return self.rejections.total()

    def report(self, *, seconds: float, index: str, store: str, encoder: str) -> IngestReport:
        """The counts as an ingest reports them."""
        return IngestReport(
            read=self.read,
            skipped=self.unchanged,
            written=self.written,
            rejected=self.rejected,
            rejections=dict(self.rejections.most_common()),
            seconds=seconds,
            index=index,
            store=store,
            encoder=encoder,
        )


class Writer:
    """Writes records through a service, whose index has these fields."""

    def __init__(
        self,
        connection: Connection,
        fields: Iterable[Field],
        *,
        parameters: Iterable[tuple[str, str]],
        workers: int,
        allow_hosts: Iterable[str],
        on_rejection: Callable[[Rejection], None],
    ) -> None:
        """`parameters` are further ones of the requests; `allow_hosts` may have private addresses."""
        self.tally = Tally()
        self._connection = connection
        self._fields = tuple(fields)
        self._parameters = tuple(parameters)
        self._workers = workers
        self._allow_hosts = list(allow_hosts)
        self._on_rejection = on_rejection

    def write(
        self,
        records: Records | Document | Iterable[AnyRecord | Document],
        types: Mapping[str, FieldType | str] | None,
    ) -> Iterator[int]:
        """Write all records; yields how many have been read so far."""
        source = MemorySource(_as_records(records), types, self._fields)
        types_used = orjson.dumps({one.name: one.type.value for one in source.fields}).decode()
        parameters = [("fields", types_used), *self._parameters]
        with Fetcher(HostPolicy(self._allow_hosts, None), workers=self._workers) as fetcher:
            lines = parallel_map(
                lambda one: _line(one, fetcher),
                source.records(fetcher.stopped),
                workers=self._workers,
                stop=fetcher.stop,
            )
            full = batches(lines, MAX_BATCH, weigh=_weight, max_weight=MAX_BATCH_BYTES)
            for batch in prefetch(full, 1, stop=fetcher.stop):
                self._write([one for one in batch if isinstance(one, _Line)], parameters)
                for one in batch:
                    if isinstance(one, Rejection):
                        self._reject(one)
                self.tally.read += len(batch)
                yield self.tally.read

    def _write(self, lines: list[_Line], parameters: list[tuple[str, str]]) -> None:
        if not lines:
            return
        body = b"\n".join(line.data for line in lines)
        path = f"{DOCUMENTS}?{urlencode(parameters)}"
        reply = self._connection.request("POST", path, body, NDJSON, patience=ENCODING)
        outcomes, problem = self._connection.read_lines(reply, _read_outcomes)
        if problem is not None:
            raise self._connection.error(problem)
        for number, line in enumerate(lines, start=1):
            self._count(line.record, outcomes.get(number, {}))

    def _count(self, record: ImageRecord, outcome: Mapping[str, Any]) -> None:
        match outcome.get("result"):
            case "written" | "updated":
                self.tally.written += 1
            case "unchanged":
                self.tally.unchanged += 1
            case "rejected":
                reason = next((r for r in Reason if r.value == outcome.get("reason")), Reason.WRITE_REJECTED)
                stage = Stage.DECODE if reason in _OF_PICTURES else Stage.WRITE
                detail = outcome.get("detail")
                told = one_line(detail) if isinstance(detail, str) else ""
                self._reject(reject(record, stage, reason, told))
            case _:
                self._reject(
                    reject(record, Stage.WRITE, Reason.WRITE_REJECTED, "the service didn't come to it")
                )

    def _reject(self, rejection: Rejection) -> None:
        self.tally.rejections[rejection.reason] += 1
        self._on_rejection(rejection)


def delete_documents(connection: Connection, ids: Sequence[str], filters: Sequence[str]) -> int:
    """Delete documents by ids, by filters, or those of the ids that the filters leave. Returns their number.

    Raises `DocumentNotFound` where there is none of the ids.
    """
    wheres = [("where", one) for one in filters]
    if not ids:
        return _delete(connection, [*wheres, ("max_documents", str(MAX_DELETED))])
    deleted = 0
    missing: DocumentNotFound | None = None
    for page in pages_of_ids(dict.fromkeys(ids)):
        named = [("id", id) for id in page]
        try:
            deleted += _delete(connection, [*named, *wheres, ("max_documents", str(len(page)))])
        except DocumentNotFound as error:
            missing = error
    if missing is not None and not deleted:
        raise missing
    return deleted


def _delete(connection: Connection, parameters: Sequence[tuple[str, str]]) -> int:
    return connection.get(DOCUMENTS, lambda answer: int(answer["deleted"]), parameters, method="DELETE")


def check_rate(report: IngestReport, limit: float) -> None:
    """Raise `TooManyRejections` for a larger share of rejected records."""
    if report.rejected > limit * report.read:
        raise TooManyRejections(
            f"{report.rejected} of {pluralize(report.read, 'record')} were rejected, more than the "
            f"{limit:.0%} that are allowed",
            report,
        )


def _as_records(records: Any) -> Any:
    """Documents as mappings; all else as it was given."""
    if isinstance(records, Document):
        return [records.record()]
    if isinstance(records, list | tuple):
        return [_as_record(one) for one in records]
    if isinstance(records, Iterator):
        return map(_as_record, records)
    return records


def _as_record(one: object) -> object:
    return one.record() if isinstance(one, Document) else one


def _line(one: ImageRecord | Rejection, fetcher: Fetcher) -> _Line | Rejection:
    """The record with its picture's bytes; or why they can't be read."""
    if isinstance(one, Rejection):
        return one
    line: dict[str, Any] = {"id": one.id, "metadata": json_metadata(one.metadata)}
    line |= {
        name: text for name, text in (("url", one.location), ("page", one.page)) if is_web_address(text or "")
    }
    if one.kind == TEXT:
        return _Line(one, orjson.dumps(line | {"text": one.description}))
    try:
        data = one.picture if isinstance(one.picture, bytes) else fetcher.fetch(one.picture)
    except RecordError as error:
        return reject(one, Stage.FETCH, error.reason, error.detail)
    return _Line(one, orjson.dumps(line | {"description": one.description, "image": render_picture(data)}))


def _weight(one: _Line | Rejection) -> float:
    return len(one.data) if isinstance(one, _Line) else 0


def _read_outcomes(lines: list[Any]) -> tuple[dict[int, Any], Any]:
    """What became of each line, by its number; and the problem that ended the stream, or None."""
    problem = next((line["problem"] for line in lines if line.get("problem")), None)
    return {line["line"]: line for line in lines if "line" in line}, problem
