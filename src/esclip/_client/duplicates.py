"""Near-duplicates of a whole index by a job of a service: begun, waited for, read page by page, removed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import orjson

from esclip._client.answers import read_groups
from esclip._client.connection import Connection
from esclip._core.schema import FieldType
from esclip._errors import EsclipError, StoreError, one_line
from esclip._search.duplicates import DuplicateGroup

PAUSES_S = (0.05, 2.0)
"""The first and the longest pause between two questions how far a job is."""
PAGE = 100
"""Groups of a response."""

_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


def find_duplicates(
    connection: Connection,
    threshold: float,
    where: Sequence[str],
    fields: Callable[[set[str]], Mapping[str, FieldType]],
    count: Callable[[int], None],
) -> list[DuplicateGroup]:
    """All groups. `fields` has the types of fields of these names, `count` is told how far the job is."""
    wanted = {"kind": "duplicates", "threshold": threshold, **({"where": list(where)} if where else {})}
    path = f"/v1/jobs/{connection.post('/v1/jobs', orjson.dumps(wanted), _read_id)}"
    try:
        _wait(connection, path, count)
        return _read_all(connection, path, fields)
    finally:
        with suppress(EsclipError):  # it is forgotten there after an hour
            connection.request("DELETE", path)


def _wait(connection: Connection, path: str, count: Callable[[int], None]) -> None:
    """Return when the job is done. Raises the error that it failed with."""
    pause, longest = PAUSES_S
    while True:
        state, done, problem = connection.get(path, _read_state)
        count(done)
        if state == "done":
            return
        if problem is not None:
            raise connection.error(problem)
        if state != "running":
            raise StoreError(f"search service {connection.address}: the job was {one_line(state, 40)}")
        time.sleep(pause)
        pause = min(2 * pause, longest)


def _read_all(
    connection: Connection, path: str, fields: Callable[[set[str]], Mapping[str, FieldType]]
) -> list[DuplicateGroup]:
    groups: list[DuplicateGroup] = []
    read = partial(read_groups, address=connection.address, fields=fields)
    offset: int | None = 0
    while offset is not None:
        parameters = [("offset", str(offset)), ("k", str(PAGE))]
        page, following = connection.get(f"{path}/result", read, parameters)
        groups += page
        offset = following if following is not None and following > offset else None
    return groups


def _read_id(answer: Any) -> str:
    id = answer["id"]
    if not _ID.fullmatch(id):
        raise ValueError("no id of a job")
    return str(id)


def _read_state(answer: Any) -> tuple[str, int, Mapping[str, Any] | None]:
    problem = answer["problem"]
    if problem is not None and not isinstance(problem, dict):
        raise TypeError("no problem")
    return str(answer["state"]), int(answer["progress"]["done"]), problem
