"""Corrected labels: their file, which other processes or a stranger may have touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from esclip._errors import ConfigError
from esclip._server.corrections import Corrections, corrections_path


def test_the_last_label_counts(tmp_path: Path) -> None:
    """A later label replaces an earlier one, an empty one takes it back, and another process sees it."""
    ours, theirs = (Corrections(tmp_path / "x.labels.jsonl") for _ in range(2))
    ours.save("a", "cat")
    ours.save("b", "猫, neither")
    assert theirs.all() == {"a": "cat", "b": "猫, neither"}
    theirs.save("a", "dog")
    ours.save("b", "")
    assert ours.all() == theirs.all() == {"a": "dog"}


def test_what_is_no_correction(tmp_path: Path) -> None:
    """Lines of other things are skipped, and no such line is written."""
    file = tmp_path / "x.labels.jsonl"
    file.write_bytes(
        b'[]\n{"id": 1, "label": "x"}\n{"id": "a"}\n{"id": "b", "label": "cat"}\n{"id": "c", "lab'
    )
    corrections = Corrections(file)
    assert corrections.all() == {"b": "cat"}
    for id, label in (("", "cat"), ("a", "x" * 201), ("a", "two\nlines")):
        with pytest.raises(ConfigError):
            corrections.save(id, label)
    assert Corrections(file).all() == {"b": "cat"}


def test_where_they_are_kept(tmp_path: Path) -> None:
    """Beside the ledger of the index; else in memory."""
    assert corrections_path(str(tmp_path), "photos") == tmp_path / "photos.labels.jsonl"
    in_memory = Corrections(None)
    in_memory.save("a", "cat")
    assert in_memory.all() == {"a": "cat"}
