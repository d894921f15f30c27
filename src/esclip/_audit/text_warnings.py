"""Keeps the texts that an audit or a comparison searches for out of logs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident

from esclip._core.settings import TEXT_LOGGER


@contextmanager
def texts_not_logged() -> Iterator[None]:
    """Within it, this thread's warnings of texts that an encoder can't understand are dropped: they quote
    them, and neither an audit nor a comparison is about what texts mean.
    """
    logger, thread = logging.getLogger(TEXT_LOGGER), get_ident()

    def is_of_others(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger.addFilter(is_of_others)
    try:
        yield
    finally:
        logger.removeFilter(is_of_others)
