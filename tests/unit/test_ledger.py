"""The ledger: what is kept of a rejection, for how long, and through what."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import esclip
from esclip import ImageRecord, Reason, Rejection, Stage, StoreError
from esclip._core.record_json import dump_record, load_record
from esclip._core.types import GeoPoint
from esclip._ingest.ledger import Ledger, ledger_path
from esclip.testing.documents import EVERYTHING, record


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "new" / "folder" / "index.rejections.sqlite")
    yield ledger
    ledger.close()


def rejected(id: str, reason: Reason = Reason.HTTP_404, detail: str = "it answered") -> Rejection:
    """A record that was rejected."""
    return Rejection(id, f"https://example.org/{id}", Stage.FETCH, reason, detail, record(id, EVERYTHING))


def bad_row(line: int) -> Rejection:
    """A row that has no id."""
    return Rejection("", f"photos.tsv:{line}", Stage.READ, Reason.BAD_ROW, "too few columns")


def ids(ledger: Ledger) -> list[str]:
    return [rejection.id for rejection in ledger.entries()]


def test_a_rejection_is_kept_with_its_record(ledger: Ledger, tmp_path: Path) -> None:
    """All that is known comes back, also to another process: from the file."""
    began = datetime.now(UTC) - timedelta(seconds=1)
    ledger.add(rejected("a"))
    ledger.add(bad_row(7))
    other = Ledger(tmp_path / "new" / "folder" / "index.rejections.sqlite")
    one, row = other.entries()
    other.close()
    assert Rejection.to_json(one) == rejected("a").to_json()
    assert one.record == rejected("a").record
    assert one.attempts == 1
    assert began <= one.last_attempt <= datetime.now(UTC)
    assert Rejection.to_json(row) == bad_row(7).to_json()
    assert row.record is None


def test_a_further_rejection_of_a_record_replaces_the_first(ledger: Ledger) -> None:
    """There is one row a record, with the last reason and the number of tries."""
    for reason in (Reason.TIMEOUT, Reason.HTTP_5XX, Reason.HTTP_404):
        ledger.add(rejected("a", reason))
    [kept] = ledger.entries()
    assert (kept.reason, kept.attempts) == (Reason.HTTP_404, 3)


def test_what_has_no_id_is_kept_by_its_place(ledger: Ledger) -> None:
    """Broken rows don't replace each other, nor do ids that can't be used; nobody's id settles them."""
    ledger.add(bad_row(1))
    ledger.add(bad_row(2))
    for line in (3, 4):
        ledger.add(Rejection("x" * 512, f"photos.tsv:{line}", Stage.READ, Reason.BAD_ID, "too long"))
    ledger.resolve(["", "x" * 512])
    assert ledger.counts() == {Reason.BAD_ID: 2, Reason.BAD_ROW: 2}


def test_what_the_index_holds_is_forgotten(ledger: Ledger) -> None:
    """Of a page of ids those that are kept are settled, and no other; nothing has to be kept for it."""
    ledger.resolve([f"{at}" for at in range(5000)])
    for id in ("a", "b", "1", "c"):
        ledger.add(rejected(id))
    ledger.resolve([])
    ledger.resolve(["b", "1", "nobody", *(f"{at}" for at in range(5000))])
    assert ids(ledger) == ["a", "c"]


def test_reasons_narrow_what_is_counted_and_given(ledger: Ledger) -> None:
    """Counts come most frequent first; those that can be tried again are told apart."""
    for at in range(3):
        ledger.add(rejected(f"gone{at}"))
    ledger.add(rejected("slow", Reason.TIMEOUT))
    ledger.add(bad_row(1))
    assert next(iter(ledger.counts().items())) == (Reason.HTTP_404, 3)
    assert ledger.counts([Reason.TIMEOUT, Reason.TLS_ERROR]) == {Reason.TIMEOUT: 1}
    assert [r.id for r in ledger.entries([Reason.TIMEOUT])] == ["slow"]
    assert (ledger.count_retryable(), ledger.count_retryable([Reason.BAD_ROW])) == (4, 0)


def test_what_is_rejected_again_while_it_is_read_comes_once(ledger: Ledger) -> None:
    """Who tries all again comes to an end, however many there are, and whatever others settle meanwhile."""
    for at in range(2500):
        ledger.add(rejected(f"{at}"))
    seen = []
    for rejection in ledger.entries():
        seen.append(rejection.id)
        ledger.add(rejected(rejection.id, Reason.TIMEOUT))
        if len(seen) == 100:
            ledger.resolve([f"{at}" for at in range(2400, 2500)])
    assert seen == [f"{at}" for at in range(2400)]
    assert ledger.counts() == {Reason.TIMEOUT: 2400}


def test_what_has_left_its_origin_is_forgotten(ledger: Ledger) -> None:
    """Only what was there before, is of that origin, and was not rejected again by anybody since, goes."""
    for id in ("left", "again", "tried"):
        ledger.add(rejected(id), "/photos")
    ledger.add(bad_row(1), "/photos")
    ledger.add(rejected("elsewhere"), "/other")
    ledger.add(rejected("of a part"))
    before = ledger.last_number()
    ledger.add(rejected("again"), "/photos")
    ledger.add(rejected("tried"))
    ledger.add(rejected("new"), "/photos")
    ledger.forget("/photos", before)
    assert ids(ledger) == ["elsewhere", "of a part", "again", "tried", "new"]
    ledger.forget("/photos", ledger.last_number())
    assert ids(ledger) == ["elsewhere", "of a part"]


def test_numbers_are_not_used_twice(ledger: Ledger) -> None:
    """`newest` never goes back, also when the newest was settled: nothing new is taken for old."""
    ledger.add(rejected("a"), "/photos")
    before = ledger.last_number()
    ledger.resolve(["a"])
    ledger.add(rejected("b"), "/photos")
    ledger.forget("/photos", before)
    assert ids(ledger) == ["b"]


zones = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
values = st.one_of(
    st.text(),
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.datetimes(timezones=st.one_of(st.none(), zones)),
    st.builds(GeoPoint, st.floats(-90, 90), st.floats(-180, 180)),
    st.lists(st.text()).map(tuple),
)
pictures = st.one_of(
    st.text().filter(lambda text: "@" not in text),
    st.binary(min_size=1).map(lambda name: Path(name.decode(errors="surrogateescape"))),
)
plain = st.text().filter(lambda text: "@" not in text)
records = st.builds(
    ImageRecord,
    id=plain,
    location=plain,
    picture=pictures,
    image_version=plain,
    page=st.one_of(st.none(), plain),
    description=st.text(),
    metadata=st.dictionaries(st.text(), values),
)


@given(records)
def test_a_record_comes_back_as_it_was(given: ImageRecord) -> None:
    """Values of every type, file names in any encoding: the record is equal, and its types are the same."""
    read = load_record(dump_record(given))
    assert read == given
    assert type(read.picture) is type(given.picture)
    assert {n: type(v) for n, v in read.metadata.items()} == {n: type(v) for n, v in given.metadata.items()}


def test_a_record_keeps_its_fingerprint() -> None:
    """What was tried again with success is unchanged for the next ingest; dates keep their text."""
    given = record(
        "a", dict(EVERYTHING) | {"taken_at": datetime(2021, 3, 4, tzinfo=timezone(timedelta(hours=5)))}
    )
    assert load_record(dump_record(given)).fingerprint == given.fingerprint


def test_a_record_that_json_can_not_hold_is_kept_too(ledger: Ledger) -> None:
    """Half of a surrogate pair and a number that is none are a reason to reject a record, not to lose it."""
    odd = record("a", {"caption": "\ud800", "aperture": math.nan})
    ledger.add(Rejection("\udfff", "loc\ud800", Stage.WRITE, Reason.WRITE_REJECTED, "no \udc00", odd))
    [kept] = ledger.entries()
    assert (kept.id, kept.location, kept.detail) == ("\\udfff", "loc\\ud800", "no \\udc00")
    assert kept.record is not None
    assert kept.record.metadata["caption"] == "\ud800"
    assert math.isnan(kept.record.metadata["aperture"])  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["https://user:s3cret@example.org/a@b.jpg", "ftp://s3cret@example.org"])
def test_credentials_are_not_kept(ledger: Ledger, tmp_path: Path, url: str) -> None:
    """User and password of a URL are in none of the ledger's files; the rest of the URL is."""
    whole = record("a", location=url, picture=url, image_version=url)
    ledger.add(Rejection("a", url, Stage.FETCH, Reason.BAD_URL, f"{url} has a password", whole))
    ledger.add(Rejection("", f"{url}:7", Stage.READ, Reason.BAD_ROW, "too few"))
    [kept, _] = ledger.entries()
    assert kept.record is not None
    assert (
        kept.record.picture == kept.location == url.replace(url.partition("://")[2].split("@")[0], "***", 1)
    )
    files = list((tmp_path / "new" / "folder").iterdir())
    assert len(files) == 3
    for file in files:
        assert b"s3cret" not in file.read_bytes()


WRITER = """
import sys
from pathlib import Path
from esclip import Reason, Rejection, Stage
from esclip._ingest.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
ledger.open()
for at in range(int(sys.argv[3])):
    ledger.add(Rejection(f"{sys.argv[2]}{at}", "/there", Stage.FETCH, Reason.TIMEOUT, "slow"))
    print(at, flush=True)
"""


def write(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    """Another process that adds so many rejections and tells of each when it was added."""
    command = [sys.executable, "-c", WRITER, str(path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("after", [1, 300, 1500])
def test_a_kill_loses_nothing_that_was_added(tmp_path: Path, after: int) -> None:
    """After `kill -9` in the middle of writing all that had returned is there, and writing goes on."""
    path = tmp_path / "index.rejections.sqlite"
    with write(path, "a", 1_000_000) as killed:
        assert killed.stdout is not None
        told = [next(killed.stdout) for _ in range(after)]
        killed.kill()
        told += list(killed.stdout)
    whole = [line for line in told if line.endswith("\n")]
    ledger = Ledger(path)
    kept = ids(ledger)
    assert kept[: len(whole)] == [f"a{at}" for at in range(len(whole))]
    assert len(kept) <= len(whole) + 2
    ledger.add(rejected("next"))
    assert ids(ledger)[-1] == "next"
    ledger.close()


def test_two_processes_share_a_ledger(tmp_path: Path) -> None:
    """Both write at once into a file that neither has made yet, and nothing is missing."""
    path = tmp_path / "index.rejections.sqlite"
    with write(path, "a", 500) as one, write(path, "b", 500) as other:
        one.communicate()
        other.communicate()
    assert (one.returncode, other.returncode) == (0, 0)
    ledger = Ledger(path)
    assert sorted(ids(ledger)) == sorted(f"{name}{at}" for name in "ab" for at in range(500))
    ledger.close()


def test_a_new_file_may_be_found_by_many_at_once(tmp_path: Path) -> None:
    """Whoever opens it first makes it, and the others wait."""
    for at in range(40):
        path = tmp_path / f"{at}.rejections.sqlite"
        ledgers = [Ledger(path) for _ in range(6)]
        threads = [
            threading.Thread(target=one.add, args=(rejected(f"{n}"),)) for n, one in enumerate(ledgers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ids(ledgers[0])) == 6
        for one in ledgers:
            one.close()


def test_reading_makes_no_file(ledger: Ledger, tmp_path: Path) -> None:
    """An index without rejections has no ledger, and to ask for it changes nothing."""
    assert not ledger.exists()
    assert (ledger.counts(), ledger.count_retryable(), ids(ledger), ledger.last_number()) == ({}, 0, [], 0)
    ledger.remove()
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_removed_and_begun_anew(ledger: Ledger, tmp_path: Path) -> None:
    """After `remove` no file is left, and the same object takes rejections again."""
    ledger.add(rejected("a"))
    ledger.remove()
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    ledger.add(rejected("b"))
    assert ids(ledger) == ["b"]


def test_one_in_memory_lasts_until_it_is_closed() -> None:
    """Without a path it is a ledger like any other, and no file."""
    ledger = Ledger(None)
    ledger.add(rejected("a"))
    assert ids(ledger) == ["a"]
    ledger.close()
    assert not ledger.exists()


def _folder(path: Path) -> None:
    path.mkdir()


def _no_database(path: Path) -> None:
    path.write_text("these are no rejections " * 100)


def _newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA user_version = 99")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [(_folder, "can be written"), (_no_database, "damaged"), (_newer, "another esclip")],
)
def test_a_ledger_that_can_not_be_used_says_so(tmp_path: Path, spoil: object, says: str) -> None:
    """To open it is a `StoreError` that names the file and what to do; nothing is overwritten."""
    path = tmp_path / "index.rejections.sqlite"
    spoil(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError, match=says) as raised:
        Ledger(path).open()
    assert str(path) in str(raised.value)
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_folder_that_can_not_be_made_says_so(tmp_path: Path) -> None:
    """A file where the folder should be is no traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/x\.sqlite, can't be used"):
        Ledger(tmp_path / "file" / "x.sqlite").open()


FULL = """
import resource, sys
from pathlib import Path
from esclip import Reason, Rejection, Stage, StoreError
from esclip._ingest.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
ledger.open()
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
at = 0
try:
    while True:
        ledger.add(Rejection(str(at), "/there", Stage.FETCH, Reason.TIMEOUT, "slow"))
        at += 1
except StoreError as error:
    print(at, error)
"""


def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    """What can't be kept is told, by the call that was to keep it; what was kept before is still there."""
    path = tmp_path / "index.rejections.sqlite"
    done = subprocess.run([sys.executable, "-c", FULL, path], capture_output=True, text=True, check=True)
    added, message = done.stdout.split(" ", 1)
    assert "make sure that there is room for it" in message
    assert int(added) > 10
    ledger = Ledger(path)
    assert ids(ledger)[: int(added)] == [f"{at}" for at in range(int(added))]
    ledger.close()


def test_a_folder_holds_its_ledger_and_the_data_directory_those_of_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each index of each server has its own, whatever characters its address has."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert ledger_path("/pictures", "cats") == Path("/pictures/cats.rejections.sqlite")
    assert ledger_path("memory:", "cats") is None
    servers = [
        "http://one:9200",
        "https://one:9200",
        "http://one:9200/a_b",
        "http://one:9200/a/b",
        "http://[::1]:1",
    ]
    paths = [ledger_path(server, index) for server in servers for index in ("cats", "dogs")]
    assert len(set(paths)) == len(paths)
    for path in paths:
        assert path is not None
        assert path.is_relative_to(tmp_path / "data" / "esclip" / "ledgers")
        assert len(path.parent.name) < 100


def test_the_ledger_of_a_server_can_be_read_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was rejected is told also while the server is down; a password in the address changes nothing."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    path = ledger_path("http://127.0.0.1:9", "cats")
    assert path is not None
    ledger = Ledger(path)
    ledger.add(rejected("a"))
    ledger.close()
    with esclip.open_index("http://me:s3cret@127.0.0.1:9/", "cats") as index:
        assert index.rejection_counts() == {Reason.HTTP_404: 1}
        assert [rejection.id for rejection in index.rejections()] == ["a"]
