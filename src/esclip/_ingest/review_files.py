"""The files of what people decide about an index on a service's pages: beside its ledger, removed with it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from esclip._errors import StoreError, error_text
from esclip._ingest.ledger import ledger_path


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
