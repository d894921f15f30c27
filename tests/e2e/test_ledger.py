"""The morning after: every record is in the index or in the ledger with its reason, and can be finished."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from esclip.testing.pictures import PLAIN
from tests.command_line import Esclip
from tests.e2e.test_interrupt import slowly, start
from tests.servers import PictureServer, Route, body, status

COUNT = 400
OPTIONS = ("--allow-host", "127.0.0.1", "--json")


def picture_id(at: int) -> str:
    return f"photo{at:06}"


@pytest.fixture
def routes(photos: Path) -> dict[str, Route]:
    """A right answer for each picture."""
    data = [path.read_bytes() for path in sorted(photos.rglob("*.png"))]
    return {f"/{at}": body(data[at % len(data)]) for at in range(COUNT)}


def write_dataset(folder: Path, server: PictureServer) -> Path:
    folder.mkdir()
    rows = "".join(f"{picture_id(at)}\t{server.url(f'/{at}')}\n" for at in range(COUNT))
    (folder / "photos.tsv").write_text(f"photo_id\tphoto_image_url\n{rows}")
    return folder


def ids_in_ledger(quick_esclip: Esclip) -> set[str]:
    return {line["id"] for line in quick_esclip("rejections", "--json").hits}


def test_rejections_are_shown_and_tried_again(quick_esclip: Esclip, photos: Path) -> None:
    """The summary names the commands; they print lines, JSON and counts, by reason where one is named."""
    bad, gone = photos / "bad.png", photos / "cut.png"
    bad.write_text("<!doctype html>")
    gone.write_bytes((photos / "red.png").read_bytes()[:60])
    told = quick_esclip("ingest", photos, "--encoder", "palette").err
    assert "esclip rejections" in told
    assert "esclip retry" in told
    ran = quick_esclip("rejections")
    lines = [line.split("\t") for line in ran.out.splitlines()]
    assert {(line[0], line[2]) for line in lines} == {("not_an_image", str(bad)), ("truncated", str(gone))}
    assert {len(line) for line in lines} == {4}
    assert "2 rejected (not_an_image 1, truncated 1)" in ran.err
    [line] = quick_esclip("rejections", "--reason", "timeout,truncated", "--json").hits
    assert list(line) == ["id", "location", "stage", "reason", "detail", "tries", "tried"]
    assert (line["reason"], line["tries"]) == ("truncated", 1)
    assert len(quick_esclip("rejections", "--limit", "1").out.splitlines()) == 1
    for path in (bad, gone):
        path.write_bytes((photos / "red.png").read_bytes())
    report = quick_esclip("retry", "--reason", "not_an_image", "--json").json
    assert (report["read"], report["written"]) == (1, 1)
    assert quick_esclip("retry", "--json").json["written"] == 1
    ran = quick_esclip("rejections")
    assert (ran.out, ran.err) == ("", "esclip: 0 rejected\n")
    assert quick_esclip("stats", "--json").json["documents"] == len(PLAIN) + 2


def test_broken_rows_are_mended_in_their_source(quick_esclip: Esclip, photos: Path) -> None:
    """Where no rejection has a record, the summary doesn't advise a retry, which could do nothing."""
    table = photos.parent / "list.jsonl"
    table.write_text(f'{{"path": "{photos / "red.png"}"}}\nno JSON\n')
    told = quick_esclip("ingest", table, "--encoder", "palette").err
    assert "mend its source" in told
    assert "esclip retry" not in told


def test_an_unknown_reason_is_wrong_usage(quick_esclip: Esclip) -> None:
    """A reason that there is not names the nearest; both commands say so before anything is opened."""
    for command in ("rejections", "retry"):
        assert "http_5xx" in quick_esclip(command, "--reason", "timeout,http5xx", status=2).err


def test_a_name_that_nobody_used_is_an_error(quick_esclip: Esclip) -> None:
    """An index that isn't there is not one without rejections."""
    for command in ("rejections", "retry"):
        ran = quick_esclip(command, "--index", "misspelt", status=1)
        assert "misspelt" in ran.err
        assert len(ran.err.splitlines()) == 1


def test_a_dead_host_is_finished_by_a_retry(
    quick_esclip: Esclip, routes: dict[str, Route], tmp_path: Path
) -> None:
    """A run that is stopped because nearly all is rejected loses nothing: all it tried is in the ledger."""
    with PictureServer({}) as server:
        dataset = write_dataset(tmp_path / "unsplash", server)
        command = ("ingest", dataset, "--encoder", "palette", *OPTIONS)
        report = quick_esclip(*command, status=1).json
        assert report["rejected"] == len(ids_in_ledger(quick_esclip)) >= 50
        server.routes.update(routes)
        assert quick_esclip("retry", *OPTIONS).json["written"] == report["rejected"]
        finished = quick_esclip(*command).json
    assert (finished["read"], finished["skipped"]) == (COUNT, report["rejected"])
    assert finished["written"] == COUNT - report["rejected"]
    assert quick_esclip("stats", "--json").json["documents"] == COUNT
    assert ids_in_ledger(quick_esclip) == set()


@pytest.mark.parametrize("after", [30, 150, 330])
def test_after_a_kill_nothing_is_lost(
    quick_esclip: Esclip, routes: dict[str, Route], tmp_path: Path, after: int
) -> None:
    """`kill -9` in an ingest, then in a retry: what is neither in index nor ledger comes with the next."""
    missing = {picture_id(at) for at in range(0, COUNT, 3)}
    flaky = {
        path: slowly(route, 0.02) if int(path[1:]) % 3 else status(404) for path, route in routes.items()
    }
    with PictureServer(flaky) as server:
        dataset = write_dataset(tmp_path / "unsplash", server)
        command = ("ingest", dataset, "--encoder", "palette", *OPTIONS)
        kill_when_asked_for(start(tmp_path, *command), server, after)
        assert ids_in_ledger(quick_esclip) <= missing
        report = quick_esclip(*command).json
        assert (report["read"], report["rejected"]) == (COUNT, len(missing))
        assert ids_in_ledger(quick_esclip) == missing
        assert quick_esclip("stats", "--json").json["documents"] == COUNT - len(missing)
        server.routes.update({path: slowly(route, 0.02) for path, route in routes.items()})
        server.requests.clear()
        kill_when_asked_for(start(tmp_path, "retry", *OPTIONS), server, after // 3)
        left = ids_in_ledger(quick_esclip)
        documents = quick_esclip("stats", "--json").json["documents"]
        assert documents + len(left) >= COUNT  # some may be in both: written, and not yet settled
        assert {f"photo{int(path[1:]):06}" for path in server.requests} <= missing
        finished = quick_esclip("retry", *OPTIONS).json
    assert finished["read"] == len(left) == finished["written"] + finished["skipped"]
    assert quick_esclip("stats", "--json").json["documents"] == COUNT
    assert ids_in_ledger(quick_esclip) == set()


def kill_when_asked_for(running: subprocess.Popen[str], server: PictureServer, pictures: int) -> None:
    """End it with `kill -9` once it has asked for so many pictures."""
    deadline = time.monotonic() + 120
    with running:
        while sum(server.requests.values()) < pictures and time.monotonic() < deadline:
            time.sleep(0.01)
        running.kill()
    assert sum(server.requests.values()) >= pictures
