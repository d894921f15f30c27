"""Files of judgements: tables with tabs, a judgement a line; captions by the paths of pictures, as JSON."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from esclip._core.types import id_problem
from esclip._errors import ConfigError, SourceError, error_text, one_line
from esclip._files.text import NotText, read_text

MAX_FILE_BYTES = 1 << 30
"""Of a file of judgements or captions."""

MAX_GAIN = 1e6

COLUMNS = ("query", "id", "gain", "language")
"""Of a table of judgements, in this order where it has no header; the last two may be left out."""

GAIN_PROBLEM = f"not a number from 0 to {MAX_GAIN:,.0f}"


@dataclass(frozen=True, slots=True)
class JudgementRow:
    """A line of a table."""

    text: str
    id: str
    gain: float
    language: str


def is_gain(gain: object) -> bool:
    """Whether this can be a gain."""
    return isinstance(gain, int | float) and 0 <= gain <= MAX_GAIN  # NaN is in no range


def read_captions(file: Path) -> dict[str, list[str]]:
    """The texts of each key of a file of captions. Raises `SourceError`."""
    try:
        data = orjson.loads(_read(file, "captions"))
    except orjson.JSONDecodeError as error:
        raise SourceError(f"captions: {file} is no JSON: {one_line(str(error))}") from error
    if not isinstance(data, dict):
        raise SourceError(
            f'captions: {file} has to be an object of paths and texts: {{"a.jpg": ["a dog", "a pet"]}}'
        )
    texts = {key: value if isinstance(value, list) else [value] for key, value in data.items()}
    for key, several in texts.items():
        if not all(isinstance(text, str) for text in several):
            raise SourceError(f"captions: {file}: what it says of {one_line(key)!r} is no text")
    return texts


def read_rows(file: Path) -> Iterator[JudgementRow]:
    """The judgements of a table, line by line. Raises `SourceError` with the line."""
    columns: Sequence[str] | None = None
    for line, values in _split_lines(file):
        try:
            if columns is None:
                names = [value.casefold() for value in values]
                has_header = {"query", "id"} <= {*names}
                columns = _check_header(names) if has_header else COLUMNS
                if has_header:
                    continue
            yield _row(dict(zip(columns, values, strict=False)))
        except ConfigError as error:
            raise SourceError(f"judgements: {file}, line {line}: {error}") from error


def _split_lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The values of each line that has some, with its number."""
    csv.field_size_limit(max(csv.field_size_limit(), 1 << 20))
    reader = csv.reader(_read(file, "judgements").split("\n"), delimiter="\t", strict=True)
    line = 1
    try:
        for values in reader:
            values = [value.strip() for value in values]
            if any(values):
                yield line, values
            line = reader.line_num + 1
    except csv.Error as error:
        raise SourceError(
            f"judgements: {file}, line {line}: a value that begins with a quotation mark has to end with "
            "one, and those inside have to be doubled"
        ) from error


def _check_header(names: Sequence[str]) -> Sequence[str]:
    """Raise `ConfigError` where gains may stand in a column of another name: all would count as 1."""
    other = next((name for name in names if name not in ("", *COLUMNS)), None)
    if other is not None and "gain" not in names:
        raise ConfigError(f"there is a column {one_line(other)!r} and no gain; name it gain, or leave it out")
    return names


def _row(values: Mapping[str, str]) -> JudgementRow:
    """A row by its columns' names. Raises `ConfigError`."""
    text, id, gain = values.get("query", ""), values.get("id", ""), values.get("gain", "")
    if not text:
        raise ConfigError("the query is empty; columns are query, id, gain, with tabs between")
    if problem := id_problem(id):
        raise ConfigError(f"the id {problem}; columns are query, id, gain, with tabs between")
    try:
        number = float(gain) if gain else 1.0
    except ValueError:
        number = math.nan
    if not is_gain(number):
        raise ConfigError(f"the gain is {one_line(gain)!r}, {GAIN_PROBLEM}")
    return JudgementRow(" ".join(text.split()), id, number, values.get("language", ""))


def _read(file: Path, what: str) -> str:
    try:
        return read_text(file, MAX_FILE_BYTES)
    except (OSError, NotText) as error:
        raise SourceError(f"{what}: {file} can't be read: {error_text(error)}") from error
