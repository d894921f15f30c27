"""How long a store is asked again before it counts as unavailable, and what is worth asking again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from esclip._errors import StoreError, StoreUnavailable

__all__ = ["Patience", "PayloadTooLarge", "persistently"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds within which a request has to succeed, all its attempts together."""

    first: float = 5
    """The first question, what the server is: an address that is wrong should show soon."""
    read: float = 30
    write: float = 120
    """For each chunk of documents."""


class PayloadTooLarge(StoreError):
    """A request has more bytes than the server, or a proxy before it, takes."""


def persistently(call: Callable[[], T], within: float) -> T:
    """What `call` returns, called again with growing, random pauses while it raises `StoreUnavailable`.

    The last error is raised when the next pause would end after `within` seconds.
    """
    attempts = Retrying(
        retry=retry_if_exception_type(StoreUnavailable),
        wait=wait_random_exponential(multiplier=0.25, max=10),
        stop=stop_before_delay(within),
        reraise=True,
    )
    return attempts(call)
