"""A stream of documents into the index: lines in, what became of each out, while it goes.

BodyLines ─► JSON ─► DocumentLine ─► `ImageIndex.add` ─► RecordOutcome ─► Replies ─► {"line": 1, ...}
                └─────────┴─► Rejection ──┘                                    └─► {"report": ...}
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from esclip._concurrency.stop import CancelToken
from esclip._concurrency.streams import owned, prefetch
from esclip._core.outcomes import RecordOutcome, Result
from esclip._core.rejections import Rejection, Stage
from esclip._core.types import TextRecord, id_problem
from esclip._errors import EsclipError, one_line
from esclip._errors.reasons import Reason
from esclip._index import ImageIndex
from esclip._server.body_lines import BodyLines, End
from esclip._server.document_messages import MAX_LINE, DocumentLine, Item, render_outcome
from esclip._server.problems import Problem, ProblemType, problem_of
from esclip._server.replies import Replies

STREAM_PATH = "/v1/documents"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What some editors begin a file with."""
AHEAD = 32 << 20
"""Bytes of documents that are parsed ahead of the ingest: a page of small pictures, or the largest one."""
ITEM_BYTES = 1000
"""Of a document without its picture."""

_log = logging.getLogger("esclip")


class DocumentStream:
    """One request's documents."""

    def __init__(
        self, index: ImageIndex, lines: BodyLines, replies: Replies, options: Mapping[str, Any], request: str
    ) -> None:
        """Take documents from `lines`, into `replies`; `options` are those of `ImageIndex.add`."""
        self.results: Counter[Result] = Counter()
        self._index = index
        self._lines = lines
        self._replies = replies
        self._options = options
        self._request = request
        self._token = CancelToken()
        self._reasons: Counter[str] = Counter()
        self._line_numbers: dict[int, int] = {}
        """Of records without an outcome, by their number: blank lines are no records."""
        self._began = time.monotonic()

    def stop(self) -> None:
        """End it early, within seconds. Called in the event loop."""
        self._token.request()
        self._lines.stop()

    def run(self) -> None:
        """Write the documents, and the replies, in a thread. Raises where nothing has been replied."""
        problem = None
        try:
            # parsed while others are encoded; closed at once, also where `add` fails before it reads them
            with owned(prefetch(self._items(), AHEAD, stop=self._lines.stop_soon, weigh=_weight)) as items:
                self._index.add(
                    items,
                    max_rejection_rate=1.0,
                    stop=self._token,
                    on_outcome=self._reply,
                    show_progress=False,
                    **self._options,
                )
        except Exception as error:
            if not self.results:
                raise
            if not isinstance(error, EsclipError):
                _log.exception("request %s failed", self._request)
            problem = problem_of(error)
        if self._lines.end is End.SLOW:
            problem = problem or Problem(
                ProblemType.REQUEST_TIMEOUT, "no bytes were sent, or none of the response read, for too long"
            )
        if problem is not None:
            self._write({"problem": orjson.loads(problem.response(self._request, STREAM_PATH).body)})
        whole = problem is None and self._lines.end is End.WHOLE and not self._token.requested
        self._write({"report": self._report(stopped=not whole)})

    def _items(self) -> Iterator[Item | Rejection]:
        """What `ImageIndex.add` takes, of the lines that aren't blank."""
        records = 0
        for number, line in enumerate(self._lines.read(), 1):
            text = line.removeprefix(BYTE_ORDER_MARK) if line and number == 1 else line
            if text is None or text.strip():
                records += 1
                self._line_numbers[records] = number
                yield _item_of(text, f"line {number}")

    def _reply(self, outcome: RecordOutcome) -> None:
        self.results[outcome.result] += 1
        if outcome.rejection is not None:
            self._reasons[outcome.rejection.reason.value] += 1
        number = self._line_numbers.pop(outcome.number)
        self._write({"line": number, **render_outcome(outcome)})

    def _report(self, *, stopped: bool) -> dict[str, Any]:
        return {
            "read": self.results.total(),
            **{result.value: self.results[result] for result in Result},
            "rejections": dict(self._reasons.most_common()),
            "seconds": round(time.monotonic() - self._began, 3),
            "stopped": stopped,
        }

    def _write(self, reply: Mapping[str, Any]) -> None:
        self._replies.write(orjson.dumps(reply, option=orjson.OPT_APPEND_NEWLINE))


def _weight(item: Item | Rejection) -> int:
    """Bytes in memory, about."""
    if isinstance(item, dict):
        return ITEM_BYTES + len(item["image"] or b"")
    return ITEM_BYTES + (len(item.text) if isinstance(item, TextRecord) else 0)


def _item_of(line: bytes | None, name: str) -> Item | Rejection:
    """The document of a line; a rejection where it has none."""
    if line is None:
        return _rejection("", name, Reason.TOO_LARGE, f"the line has more than {MAX_LINE} bytes")
    try:
        given = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return _rejection("", name, Reason.BAD_ROW, f"the line is not one JSON object: {error.msg}")
    if not isinstance(given, dict):
        return _rejection("", name, Reason.BAD_ROW, "the line is not one JSON object")
    try:
        document = DocumentLine.model_validate(given)
        return document.item(document.id)
    except ValidationError as error:
        first = error.errors()[0]
        pointer = "".join(f"/{step}" for step in first["loc"])
        detail = f"{pointer}{pointer and ': '}{first['msg'].removeprefix('Value error, ')}"
    except ValueError as error:
        detail = str(error)
    id = given.get("id")
    return _rejection(id if isinstance(id, str) and not id_problem(id) else "", name, Reason.BAD_ROW, detail)


def _rejection(id: str, name: str, reason: Reason, detail: str) -> Rejection:
    return Rejection(id, name, Stage.READ, reason, one_line(detail))
