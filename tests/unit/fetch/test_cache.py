"""What is kept of what was fetched."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from esclip._errors import FetchError
from esclip._errors.reasons import Reason
from tests.fetching import PICTURE, fetcher, refusal_by
from tests.servers import (
    PictureServer,
    Route,
    body,
    cut_off,
    status,
)


def kept_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class TestCache:
    def test_fetches_once(self, server: PictureServer, tmp_path: Path) -> None:
        """A picture that was fetched is not fetched again, also by the next fetcher."""
        for _ in range(2):
            with fetcher(cache=tmp_path / "new" / "folder") as fetching:
                assert fetching.fetch(server.url("/a.jpg")) == PICTURE
        assert server.requests["/a.jpg"] == 1

    def test_forgets_what_is_discarded(self, server: PictureServer, tmp_path: Path) -> None:
        """Bytes that turned out to be no picture are fetched again the next time."""
        with fetcher(cache=tmp_path) as fetching:
            fetching.fetch(server.url("/a.jpg"))
            for _ in range(2):
                fetching.discard(server.url("/a.jpg"))
            assert kept_files(tmp_path) == []
            fetching.fetch(server.url("/a.jpg"))
        assert server.requests["/a.jpg"] == 2

    def test_discarding_leaves_files_alone(self, tmp_path: Path) -> None:
        """A person's own file is never removed."""
        (tmp_path / "a.jpg").touch()
        with fetcher(cache=tmp_path) as fetching:
            fetching.discard(tmp_path / "a.jpg")
        assert (tmp_path / "a.jpg").exists()

    @pytest.mark.parametrize("route", [status(404), cut_off(b"abc", 10), body(b"")])
    def test_keeps_whole_pictures_only(self, server: PictureServer, tmp_path: Path, route: Route) -> None:
        """A refusal, half a body and an empty one are not kept."""
        server.routes["/b.jpg"] = route
        with fetcher(cache=tmp_path) as fetching, suppress(FetchError):
            assert fetching.fetch(server.url("/b.jpg")) == b""
        assert kept_files(tmp_path) == []

    def test_an_empty_file_is_no_picture(self, server: PictureServer, tmp_path: Path) -> None:
        """A file that a power cut left empty is fetched again and replaced."""
        with fetcher(cache=tmp_path) as fetching:
            fetching.fetch(server.url("/a.jpg"))
            (kept,) = kept_files(tmp_path)
            kept.write_bytes(b"")
            assert fetching.fetch(server.url("/a.jpg")) == PICTURE
        assert kept.read_bytes() == PICTURE

    def test_a_host_must_be_allowed_even_if_kept(self, server: PictureServer, tmp_path: Path) -> None:
        """What was kept under wider rules is not given out under narrower ones."""
        with fetcher(cache=tmp_path) as fetching:
            fetching.fetch(server.url("/a.jpg"))
        assert refusal_by({"other.invalid"}, server.url("/a.jpg"), tmp_path).reason is Reason.BAD_URL

    def test_a_cache_that_cannot_be_written_is_no_failure(
        self, server: PictureServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Pictures are had without it, and the log says so once."""
        (tmp_path / "file").touch()
        with fetcher(cache=tmp_path / "file") as fetching, caplog.at_level(logging.WARNING, "esclip"):
            for _ in range(3):
                assert fetching.fetch(server.url("/a.jpg")) == PICTURE
        assert len(caplog.records) == 1
        assert "can't be kept" in caplog.records[0].message

    def test_writers_do_not_disturb_each_other(self, server: PictureServer, tmp_path: Path) -> None:
        """Many fetchers of one picture in one folder all have it whole, and one file is left."""

        def fetch(_: int) -> bytes:
            with fetcher(cache=tmp_path) as fetching:
                return fetching.fetch(server.url("/a.jpg"))

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(fetch, range(40))) == {PICTURE}
        assert [path.read_bytes() for path in kept_files(tmp_path)] == [PICTURE]
