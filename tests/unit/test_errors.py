"""How foreign exceptions become errors of esclip."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from esclip._errors import ConfigError, EncoderError, ErrorTable, SourceError, StoreError, map_errors
from esclip._fetch import client as fetch_client
from esclip._images import decode
from esclip._net import server_client
from esclip.encoders.loading import MODEL_ERRORS
from esclip.sources.unsplash.database import duckdb_errors
from esclip.stores.engine.errors import ENGINE_ERRORS
from esclip.stores.lance.errors import LANCE_ERRORS

TABLE: ErrorTable = (
    (FileNotFoundError, lambda error, path: SourceError(f"{path}: not there")),
    (RuntimeError, lambda error, path: None),
    ((OSError, ValueError), lambda error, path: StoreError(f"{path}: {error}")),
)


def root(error: BaseException) -> Iterator[BaseException]:
    yield error
    yield from error.args


@pytest.mark.parametrize(
    ("error", "raised", "says"),
    [
        (FileNotFoundError("x"), SourceError, "a: not there"),
        (PermissionError("x"), StoreError, "a: x"),
        (UnicodeError("x"), StoreError, "a: x"),
    ],
)
def test_the_most_specific_row_counts(error: Exception, raised: type[Exception], says: str) -> None:
    """An exception becomes what the first row says that fits, with its cause."""
    with pytest.raises(raised, match=says) as caught, map_errors(TABLE, "a"):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [ConfigError("x"), KeyError("x"), RuntimeError("x"), KeyboardInterrupt()])
def test_others_pass(error: BaseException) -> None:
    """Errors of esclip, those without a row and those whose row makes none of them pass unchanged."""
    with pytest.raises(type(error)) as caught, map_errors(TABLE, "a"):
        raise error
    assert caught.value is error


def test_a_cause_is_mapped() -> None:
    """A library's exception is mapped by what it was raised for."""
    with pytest.raises(SourceError, match="not there"), map_errors(TABLE, "a", causes=root):
        raise EOFError(FileNotFoundError("x"))
    with pytest.raises(EOFError), map_errors(TABLE, "a"):
        raise EOFError(FileNotFoundError("x"))
    with pytest.raises(EncoderError), map_errors(MODEL_ERRORS, "a", "is broken"):
        raise EOFError


@pytest.mark.parametrize(
    "table",
    [
        ENGINE_ERRORS,
        LANCE_ERRORS,
        MODEL_ERRORS,
        decode._DECODE_ERRORS,
        duckdb_errors(),
        fetch_client._FOREIGN,
        server_client._FOREIGN,
    ],
    ids=["opensearch-py", "lance", "models", "pillow", "duckdb", "fetch", "encoder"],
)
def test_every_row_can_count(table: ErrorTable) -> None:
    """No row of a library's table is hidden by more general ones before it."""
    before: tuple[type[BaseException], ...] = ()
    for kinds, _ in table:
        row = kinds if isinstance(kinds, tuple) else (kinds,)
        assert not all(issubclass(kind, before) for kind in row)
        before += row
