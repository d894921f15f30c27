"""Pictures' bytes from files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from esclip._errors.reasons import Reason
from tests.fetching import PICTURE, fetcher, refusal


class TestFiles:
    def test_reads_a_file(self, tmp_path: Path) -> None:
        """A file's bytes are had from anywhere: hosts concern URLs only."""
        (tmp_path / "ä b.jpg").write_bytes(PICTURE)
        with fetcher() as fetching:
            assert fetching.fetch(tmp_path / "ä b.jpg") == PICTURE

    def test_no_such_file(self, tmp_path: Path) -> None:
        """A file that is not there, also below a file, is told apart."""
        (tmp_path / "file").touch()
        assert refusal(tmp_path / "gone.jpg").reason is Reason.FILE_NOT_FOUND
        assert refusal(tmp_path / "file" / "gone.jpg").reason is Reason.FILE_NOT_FOUND

    def test_what_is_no_file(self, tmp_path: Path) -> None:
        """A folder, a loop of links and an impossible name can't be read."""
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        for path in (tmp_path, tmp_path / "loop", tmp_path / "a\0b"):
            assert refusal(path).reason is Reason.UNREADABLE_FILE

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_a_named_pipe_does_not_hang(self, tmp_path: Path) -> None:
        """A pipe that nobody writes to is refused at once."""
        os.mkfifo(tmp_path / "pipe.jpg")
        assert refusal(tmp_path / "pipe.jpg").reason is Reason.UNREADABLE_FILE

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, tmp_path: Path) -> None:
        """A file that may not be read is told apart from one that is not there."""
        (tmp_path / "a.jpg").touch(mode=0o000)
        assert refusal(tmp_path / "a.jpg").reason is Reason.UNREADABLE_FILE

    def test_the_cap_holds_for_files(self, tmp_path: Path) -> None:
        """As many bytes as the cap pass, and one more does not."""
        (tmp_path / "a.jpg").write_bytes(b"x" * 100)
        with fetcher(max_bytes=100) as fetching:
            assert len(fetching.fetch(tmp_path / "a.jpg")) == 100
        assert refusal(tmp_path / "a.jpg", max_bytes=99).reason is Reason.TOO_LARGE
