"""The embedded store's folder: what else may be in it, who else may use it, and how it stays fast."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import lance
import pyarrow as pa
import pytest

from esclip._core.schema import IndexSchema
from esclip._errors import ConfigError, IndexExists, IndexMismatch, StoreError, StoreUnavailable, map_errors
from esclip._search.filter_parser import parse_filter
from esclip._search.no_hits import explain_filter
from esclip.stores.lance.errors import LANCE_ERRORS
from esclip.stores.lance.store import LanceStore
from esclip.testing.documents import EVERYTHING, FIELDS, SCHEMA, axis, document, nearest, random_documents
from tests.lance_folders import make_store, open_table


@pytest.fixture
def store(tmp_path: Path) -> LanceStore:
    return make_store(tmp_path)


def test_words_that_an_older_version_did_not_keep(store: LanceStore, tmp_path: Path) -> None:
    """A filter by words finds nothing in such an index, and says what has to be done."""
    store.upsert([document("a"), document("b")])
    filters = parse_filter("words~picture", FIELDS)
    assert explain_filter(store, filters) is None
    assert (said := explain_filter(store, parse_filter("words~Pictures cat", FIELDS)))
    assert said == "no document fulfils words~pictur cat"
    open_table(tmp_path).drop_columns(["words"])
    said = explain_filter(store, filters)
    assert said is not None
    assert "an older version made this index, without words: ingest the same pictures again" in said
    store.ensure_index(SCHEMA)
    assert store.update([document(id).record for id in "ab"]) == []
    assert explain_filter(store, filters) is None


def test_info_names_engine_and_size(store: LanceStore, tmp_path: Path) -> None:
    """Info says Lance with its version and what the folder takes on disk; the address is the folder."""
    before = store.info()
    store.upsert(random_documents(50, seed=1))
    after = store.info()
    assert before is not None
    assert after is not None
    assert after.engine == f"Lance {lance.__version__}"
    assert after.bytes is not None
    assert before.bytes is not None
    assert after.bytes > before.bytes > 0
    assert store.address == str(tmp_path)


@pytest.mark.parametrize("name", ["with space", "p%20c", "ha#sh", "que?ry", "日本語", "it's", "br[ack]et"])
def test_folder_names(tmp_path: Path, name: str) -> None:
    """The folder may be called anything, and need not exist."""
    store = LanceStore(tmp_path / name / "deeper", "pictures")
    store.ensure_index(SCHEMA)
    with store.bulk_load():
        store.upsert([document("a")])
    assert [hit.id for hit in nearest(store, axis(0), 1)] == ["a"]
    assert (tmp_path / name / "deeper" / "pictures.lance").is_dir()
    store.drop()
    assert list((tmp_path / name / "deeper").iterdir()) == []


def test_others_datasets_are_left_alone(tmp_path: Path) -> None:
    """A dataset that esclip did not make is neither read, changed nor removed."""
    lance.write_dataset(pa.table({"id": ["a"]}), tmp_path / "pictures.lance")
    store = LanceStore(tmp_path, "pictures")
    calls: list[Callable[[], object]] = [
        store.schema,
        store.info,
        store.drop,
        lambda: store.ensure_index(SCHEMA),
        lambda: nearest(store, axis(0), 1),
    ]
    for call in calls:
        with pytest.raises(IndexExists, match=r"pictures\.lance"):
            call()
    assert open_table(tmp_path).to_table().to_pylist() == [{"id": "a"}]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_other_things_are_left_alone(tmp_path: Path, kind: str) -> None:
    """A file or a folder at the index's place that is no dataset is neither used nor removed."""
    place = tmp_path / "pictures.lance"
    inside = place / "notes.txt" if kind == "folder" else place
    inside.parent.mkdir(exist_ok=True)
    inside.write_text("mine")
    store = LanceStore(tmp_path, "pictures")
    calls: list[Callable[[], object]] = [lambda: store.ensure_index(SCHEMA), store.drop]
    for call in calls:
        with pytest.raises(IndexExists, match=r"pictures\.lance"):
            call()
    assert inside.read_text() == "mine"


@pytest.mark.parametrize("part", ["data", "_versions"])
def test_damaged_index(store: LanceStore, tmp_path: Path, part: str) -> None:
    """An index whose files are cut short is an error of one line that names it and says what to do."""
    store.upsert([document("a")])
    for path in (tmp_path / "pictures.lance" / part).iterdir():
        path.write_bytes(path.read_bytes()[:7])
    with pytest.raises(StoreError, match=r"pictures\.lance.*remove that folder") as caught:
        nearest(LanceStore(tmp_path, "pictures"), axis(0), 1)
    assert "\n" not in str(caught.value)
    assert ".rs:" not in str(caught.value)


def test_unknown_schema_version(store: LanceStore, tmp_path: Path) -> None:
    """An index with a schema of another version is an error that says so."""
    open_table(tmp_path).update_schema_metadata({"esclip": '{"version": 99}'})
    with pytest.raises(StoreError, match="another version of esclip"):
        nearest(store, axis(0), 1)


def test_prepare_continues_where_it_was_interrupted(tmp_path: Path) -> None:
    """Columns that were added without the schema's knowledge are taken over by the next prepare."""
    store = LanceStore(tmp_path, "pictures")
    store.ensure_index(IndexSchema(SCHEMA.space, FIELDS[:1]))
    open_table(tmp_path).add_columns(pa.schema([pa.field("likes", pa.int64())]))
    store.ensure_index(SCHEMA)
    store.upsert([document("a", metadata=EVERYTHING)])
    assert store.documents(["a"])["a"].record.metadata == EVERYTHING


def test_prepare_refuses_a_column_of_another_type(tmp_path: Path) -> None:
    """A column that others added with another type is a mismatch, and the schema stays as it was."""
    store = LanceStore(tmp_path, "pictures")
    store.ensure_index(IndexSchema(SCHEMA.space, FIELDS[:1]))
    open_table(tmp_path).add_columns(pa.schema([pa.field("likes", pa.string())]))
    with pytest.raises(IndexMismatch, match="likes"):
        store.ensure_index(SCHEMA)
    info = store.info()
    assert info is not None
    assert info.schema.fields == FIELDS[:1]


def test_other_stores_see_writes_at_once(store: LanceStore, tmp_path: Path) -> None:
    """A second store on the folder sees what the first writes, also after a drop and a new beginning."""
    other = LanceStore(tmp_path, "pictures")
    for vector in (axis(0), axis(1)):
        store.ensure_index(SCHEMA)
        assert nearest(other, vector, 3) == []
        store.upsert([document("a", vector)])
        assert [(hit.id, hit.score) for hit in nearest(other, vector, 3)] == [("a", 1.0)]
        other.drop()
        assert store.info() is None


def test_interrupted_loading_finds_all(store: LanceStore) -> None:
    """An interrupt leaves loading at once, and what was written is found."""

    def interrupt() -> None:
        with store.bulk_load():
            store.upsert([document("a")])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert [hit.id for hit in nearest(store, axis(0), 3)] == ["a"]


def test_a_cancelled_bulk_load_leaves_maintenance_to_the_next(store: LanceStore, tmp_path: Path) -> None:
    """What only makes searches faster isn't done once a bulk load is cancelled, and is made up for later."""
    cancelled = threading.Event()
    with store.bulk_load(cancelled):
        for i in range(12):
            store.upsert([document(f"{i}")])
        cancelled.set()
    assert len(open_table(tmp_path).get_fragments()) == 12
    with store.bulk_load():
        pass
    assert len(open_table(tmp_path).get_fragments()) == 1


def test_loading_of_a_dropped_index(store: LanceStore) -> None:
    """An index that is dropped while it is loaded stays dropped."""
    with store.bulk_load():
        store.drop()
    assert store.info() is None


def test_loading_joins_fragments(store: LanceStore, tmp_path: Path) -> None:
    """After loading, the fragments of many small writes are one."""
    with store.bulk_load():
        for i in range(12):
            store.upsert([document(f"{i}")])
        assert len(open_table(tmp_path).get_fragments()) == 12
    assert len(open_table(tmp_path).get_fragments()) == 1


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (
            OSError("LanceError(IO): No space left on device (os error 28), /a/b.rs:1:2"),
            StoreUnavailable,
            "full",
        ),
        (OSError("LanceError(IO): Permission denied (os error 13)"), StoreUnavailable, "who may read"),
        (RuntimeError("Retryable commit conflict for version 3:\n x"), StoreUnavailable, "try again"),
        (ValueError("Not found: x/data/1.lance"), StoreError, "remove that folder"),
        (pa.ArrowInvalid("External error: Not found: x/data/1.lance"), StoreError, "remove that folder"),
        (OSError("LanceError(IO): failed to fill whole buffer"), StoreError, "remove that folder"),
        (ValueError("Invalid user input: sql parser error"), StoreError, "nothing says .* damaged"),
        (
            ValueError("Query vector size 5 does not match"),
            IndexMismatch,
            "another model",
        ),
        (pa.ArrowInvalid("bad"), StoreError, "nothing says .* damaged"),
        (pa.ArrowCapacityError("bad"), StoreError, "nothing says .* damaged"),
        (OSError(), StoreError, "OSError"),
    ],
)
def test_foreign_errors_stop_at_the_seam(error: Exception, kind: type[StoreError], says: str) -> None:
    """What Lance and Arrow raise becomes a store's error of one line with the index and what to do."""
    with (
        pytest.raises(StoreError, match=says) as caught,
        map_errors(LANCE_ERRORS, Path("/there/pictures.lance")),
    ):
        raise error
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error
    assert "/there/pictures.lance" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ".rs" not in str(caught.value)


def test_a_text_that_cannot_be_written_is_the_questions_fault() -> None:
    """Half a surrogate pair says nothing about the index: the error blames the text, not the files."""
    with (
        pytest.raises(ConfigError, match=r"not valid Unicode.*check its encoding") as caught,
        map_errors(LANCE_ERRORS, Path("/there/pictures.lance")),
    ):
        "id = 'a\udcff'".encode()
    assert "remove" not in str(caught.value)


def test_own_errors_pass_the_seam() -> None:
    """Errors that esclip raises, and programming errors, pass unchanged."""
    for error in (IndexMismatch("x"), KeyError("x")):
        with pytest.raises(type(error)) as caught, map_errors(LANCE_ERRORS, Path("x")):
            raise error
        assert caught.value is error


@pytest.mark.parametrize("odd", ["\n", "\t", "\x00", "\x1b", "\x7f", "\udcff"])
def test_a_folder_that_lance_can_not_open_is_told(tmp_path: Path, odd: str) -> None:
    """A name with a control character, or that is no UTF-8, is an error of one line, and shown escaped."""
    with pytest.raises(ConfigError, match="can't open") as told:
        LanceStore(tmp_path / f"a{odd}b", "pictures")
    assert str(told.value).isprintable()


@pytest.mark.parametrize("name", ["a b", "a\u202fb", "#?%20*", "Größe 日本 😀", "[x]{y}|"])
def test_other_names_of_folders_are_used(tmp_path: Path, name: str) -> None:
    """Spaces, letters of any script, and what has a meaning in URLs and shells."""
    store = LanceStore(tmp_path / name, "pictures")
    store.ensure_index(SCHEMA)
    assert (tmp_path / name / "pictures.lance").is_dir()
