"""Keywords, colours and collections: what the other tables of a dataset say about a photo."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import CancelledError
from pathlib import Path

import duckdb
import pytest

from esclip._errors import SourceError, map_errors
from esclip.sources import open_source
from esclip.sources.unsplash.database import duckdb_errors, interrupt_on
from tests.unit.unsplash_tables import BROKEN_ROWS, child, photo, told, write


def keyword(
    id: str, word: str, user: str = "f", one: str = "", two: str = "", three: str = "f"
) -> dict[str, str]:
    confidences = {"ai_service_1_confidence": one, "ai_service_2_confidence": two}
    return child(id, keyword=word, suggested_by_user=user, confirmed_by_ai_service_3=three, **confidences)


@pytest.mark.parametrize("scale", [1, 100])
def test_keywords_are_peoples_else_the_surest_of_ai(tmp_path: Path, scale: int) -> None:
    """By confidence, on either scale, of either service; below 40 % only what a third service confirms."""
    sure, fair, poor = (str(percent * scale / 100) for percent in (99, 40, 39))
    write(tmp_path / "photos.tsv", [photo(id) for id in "abc"])
    write(
        tmp_path / "keywords.tsv000",
        [
            keyword("b", "poor", one=poor, two=poor),
            keyword("b", "fair", one=fair),
            keyword("a", "dog", user="t"),
            keyword("b", "sure", one=poor, two=sure),
            keyword("c", "poor", one=poor, two="nan"),
            keyword("a", "surely", one=sure, two=sure),
            keyword("nobody", "else", user="t"),
            keyword("b", ""),
        ],
    )
    write(
        tmp_path / "keywords.csv001",
        [keyword("b", "third", three="t"), keyword("a", "Cat", user="t", two=fair)],
    )
    assert told(tmp_path, "keywords") == {"a": ("Cat", "dog"), "b": ("sure", "fair", "third"), "c": None}
    assert told(tmp_path, "keywords_from") == {"a": "user", "b": "ai", "c": None}


@pytest.mark.parametrize("coverage", ["coverage", "ai_coverage"])
def test_colors_are_by_how_much_they_cover(tmp_path: Path, coverage: str) -> None:
    """Shades of one name count together; the column has had two names."""
    shares = [("teal", "0.3"), ("red", "0.2"), ("red", "0.2"), ("gray", ""), ("navy", "0.1")]
    write(tmp_path / "photos.tsv", [photo("a")])
    write(tmp_path / "colors.tsv", [child("a", keyword=name, **{coverage: share}) for name, share in shares])
    assert told(tmp_path, "colors") == {"a": ("red", "teal", "navy", "gray")}


def test_collections_are_distinct_titles_topics_first_and_not_too_many(tmp_path: Path) -> None:
    """Topics, then what many collections are called; fifty at most."""
    rows = [child("a", collection_title=f"own {i:02}", collection_type="collection") for i in range(60)]
    rows += [child("a", collection_title="Trees", collection_type="collection")] * 2
    rows += [child("a", collection_title="Wild life", collection_type="topic")]
    write(tmp_path / "photos.tsv", [photo("a")])
    write(tmp_path / "collections.tsv", rows)
    titles = told(tmp_path, "collections")["a"]
    assert isinstance(titles, tuple)
    assert titles[:3] == ("Wild life", "Trees", "own 00")
    assert len(titles) == 50


@pytest.mark.parametrize("row", BROKEN_ROWS.values(), ids=BROKEN_ROWS)
def test_a_broken_row_of_another_table_costs_itself_only(
    tmp_path: Path, row: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told of, and what stands behind it still counts."""
    write(tmp_path / "photos.tsv", [photo("a")])
    rows = [b"photo_id\tkeyword\tcoverage", b"a\tred\t0.2", row, b"a\tteal\t0.1"]
    (tmp_path / "colors.tsv").write_bytes(b"\n".join(rows))
    assert told(tmp_path, "colors") == {"a": ("red", "teal")}
    if row != BROKEN_ROWS["NUL"]:  # which is a character to DuckDB, and here in a row of no photo
        assert "1 broken row" in caplog.text


def test_pages_of_photos_keep_their_own_details(tmp_path: Path) -> None:
    """Across several pages each photo has its own keywords, wherever they lie in the table."""
    count = 4_500
    write(tmp_path / "photos.tsv", [photo(f"p{i}") for i in range(count)])
    rows = [keyword(f"p{i * 7 % count}", f"word {i * 7 % count}", user="t") for i in range(count)]
    write(tmp_path / "keywords.tsv", rows)
    assert told(tmp_path, "keywords") == {f"p{i}": (f"word {i}",) for i in range(count)}


def test_ctrl_c_while_duckdb_works_is_a_keyboard_interrupt() -> None:
    """A query is interrupted the same way as all other code."""
    stop = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    stop.start()
    one_core = duckdb.connect(config={"threads": 1})
    with pytest.raises(KeyboardInterrupt), map_errors(duckdb_errors()), one_core as database:
        # Of a second or two: mostly it ends at once, but sometimes DuckDB works it off first (2.0).
        database.execute("SELECT sum(length(md5(range::VARCHAR))) FROM range(8000000)")
    stop.join()


def test_a_join_that_is_no_longer_wanted_ends_soon(tmp_path: Path) -> None:
    """What a stopped run waits for is cut off in the middle of a query, and before the first record."""
    stopped = threading.Event()
    timer = threading.Timer(0.3, stopped.set)
    timer.start()
    with (
        pytest.raises(CancelledError),
        duckdb.connect() as database,
        interrupt_on(stopped, database),
    ):
        database.execute("SELECT sum(length(md5(range::VARCHAR))) FROM range(200000000)")
    write(tmp_path / "photos.tsv", [photo("a")])
    write(tmp_path / "keywords.tsv", [keyword("a", "dog")])
    with pytest.raises(CancelledError):
        list(open_source([tmp_path]).records(stopped))


def test_too_little_memory_is_a_source_error() -> None:
    """What DuckDB runs out of is told in one line."""
    config: dict[str, str | bool | int | float | list[str]] = {"memory_limit": "10MB", "temp_directory": ""}
    with (
        pytest.raises(SourceError, match="Out of Memory") as caught,
        map_errors(duckdb_errors()),
        duckdb.connect(config=config) as database,
    ):
        database.execute("CREATE TABLE t AS SELECT md5(range::VARCHAR) FROM range(10000000)")
    assert "\n" not in str(caught.value)
