"""Several encoder servers as one encoder: batches go to the one with the fewest under way.

batch ─► the idlest server ─► vectors
             └► it fails ─► the next one; the failed one is asked again after a pause
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

from esclip._concurrency.forks import renew_in_children
from esclip._concurrency.retry import patience_scope
from esclip._core.schema import Space
from esclip._core.types import Pixels, Vectors
from esclip._errors import EncoderError, one_line
from esclip.encoders.remote.encoder import RemoteEncoder

T = TypeVar("T")

FAILOVER_S = 5.0
"""Seconds for which a server is asked again, as long as there is another one."""

PAUSE_S = 30.0
"""Seconds for which a server that has failed gets no batch."""

log = logging.getLogger("esclip")


@dataclass(slots=True, eq=False)
class _Member:
    """A server, and what it does."""

    encoder: RemoteEncoder
    calls: int = 0
    last_call: int = 0
    """The number of the pool's call that it got last."""
    paused_until: float = 0.0


class EncoderPool:
    """Encoder servers of one model. Implements `Encoder`."""

    def __init__(
        self, addresses: Sequence[str], token: str | None = None, *, failover: float = FAILOVER_S
    ) -> None:
        """Ask all servers what they encode with; one that doesn't answer is left out, with a warning.

        A server that fails is asked again for `failover` seconds while there is another one.

        Raises `EncoderError` when none answers, or two have different models, `ConfigError` for an address
        or a token that can't be used.
        """
        self._members = [_Member(encoder) for encoder in _answering(addresses, token)]
        first = self._members[0].encoder
        for member in self._members:
            if not member.encoder.space.same_as(first.space):
                raise EncoderError(
                    f"encoder servers {first.address} and {member.encoder.address} have different models, "
                    f"{one_line(first.space.model, 200)} and {one_line(member.encoder.space.model, 200)}; "
                    "name servers of one model"
                )
        self.encode_concurrency = sum(member.encoder.encode_concurrency for member in self._members)
        self.preprocess = first.preprocess
        """Runs here, not on a server."""
        self.useful_side = first.useful_side
        """That of the servers' encoders."""
        self._failover = failover
        self._last_call = 0
        self._lock = Lock()
        renew_in_children(self)

    def __repr__(self) -> str:
        return f"EncoderPool({[member.encoder.address for member in self._members]!r})"

    def renew(self) -> None:
        """A new lock in a forked child, which has no calls under way."""
        self._lock = Lock()
        for member in self._members:
            member.calls = 0

    @property
    def space(self) -> Space:
        """The space of the servers' model."""
        return self._members[0].encoder.space

    @property
    def runtime(self) -> str:
        """The runtimes of all servers, and their addresses."""
        return "; ".join(member.encoder.runtime for member in self._members)

    @property
    def logit_scale(self) -> float:
        """That of the servers' model."""
        return self._members[0].encoder.logit_scale

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """The batch by the idlest server."""
        return self._call(lambda encoder: encoder.encode_images(batch))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """The texts by the idlest server."""
        return self._call(lambda encoder: encoder.encode_texts(texts))

    def _call(self, encode: Callable[[RemoteEncoder], T]) -> T:
        """What one of the servers answers. Raises the error of the last one when all fail."""
        untried = list(self._members)
        while True:
            is_last = len(untried) == 1
            with self._taken(untried) as member:
                untried.remove(member)
                try:
                    # the last one is waited for as a server alone is: it may be about to start again
                    with nullcontext() if is_last else patience_scope(self._failover):
                        return encode(member.encoder)
                except EncoderError as error:
                    member.paused_until = time.monotonic() + PAUSE_S
                    if not untried:
                        raise
                    log.warning("%s; another server goes on", error)

    @contextmanager
    def _taken(self, untried: Sequence[_Member]) -> Iterator[_Member]:
        """Context manager: the member with the fewest calls, which has one more within; paused ones last."""
        now = time.monotonic()
        with self._lock:
            member = min(untried, key=lambda one: (one.paused_until > now, one.calls, one.last_call))
            self._last_call += 1
            member.calls, member.last_call = member.calls + 1, self._last_call
        try:
            yield member
        finally:
            with self._lock:
                member.calls -= 1


def _answering(addresses: Sequence[str], token: str | None) -> list[RemoteEncoder]:
    """Encoders of the servers that answer. Raises the first error when none does."""
    found: list[RemoteEncoder] = []
    errors: list[EncoderError] = []
    for address in dict.fromkeys(addresses):
        try:
            found.append(RemoteEncoder(address, token))
        except EncoderError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    for failed in errors:
        log.warning("%s; the other servers go on without it", failed)
    return found
