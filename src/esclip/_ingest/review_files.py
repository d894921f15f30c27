"""The files of what people decide about an index on a service's pages: beside its ledger, removed with it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from esclip._errors import StoreError, error_text
from esclip._files.atomic import write_atomically
from esclip._ingest.ledger import Ledger, ledger_path


class Review(StrEnum):
    """What is decided, as the name of its file has it."""

    DECISIONS = "decisions"
    """Which of two near-duplicates to keep."""
    LABELS = "labels"
    """Which label is right."""


def review_path(address: str, index: str, review: Review) -> Path | None:
    """The file of a store's index; None: it is kept in memory."""
    ledger = ledger_path(address, index)
    return ledger and ledger.with_name(f"{index}.{review.value}.jsonl")


def remove_reviews(address: str, index: str) -> None:
    """Remove all of these files. Raises `StoreError` for one that can't be removed."""
    for review in Review:
        path = review_path(address, index, review)
        try:
            if path is not None:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{path} can't be removed ({error_text(error)}); remove it by hand") from error


def copy_reviews(address: str, index: str, other: str, *, move: bool = False) -> None:
    """Copy those of these files that another index lacks: its documents have the same ids."""
    for review in Review:
        old, new = review_path(address, index, review), review_path(address, other, review)
        try:
            if old is not None and new is not None and old.exists() and not new.exists():
                write_atomically(new, old.read_bytes())
                if move:
                    old.unlink()
        except OSError as error:
            raise StoreError(f"{old} can't be copied to {new} ({error_text(error)})") from error


def move_index_files(address: str, index: str, other: str) -> None:
    """Give an index's ledger and these files to another index, but for those that it has."""
    old, new = ledger_path(address, index), ledger_path(address, other)
    if old is not None and new is not None and old.exists() and not new.exists():
        Ledger(old).move(new)
    copy_reviews(address, index, other, move=True)
