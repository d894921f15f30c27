"""A TCP proxy that does to connections what networks do, by a plan.

    client ─► Proxy ─► server        with Proxy("http://127.0.0.1:9210", plan(seed=1, faults=20)) as proxy:
       ◄────────┴──────┘                 ask(proxy.address)

A connection goes well until as many bytes have passed as its fault says. Most faults end it, and the next
connection has the next one. When there are no more, all goes well.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from urllib.parse import urlsplit

__all__ = ["Fault", "Harm", "Proxy", "plan"]

CHUNK = 64 * 1024
LOOK_S = 0.05
"""Between two looks at whether the proxy is to stop."""
PEER_S = 60.0
"""Longer than any peer of a test is busy with itself."""
RESET = struct.pack("ii", 1, 0)
"""A linger of no time: a close is a reset."""


class Harm(Enum):
    """What happens to a connection."""

    REFUSE = "refuse"
    """It is closed before a byte has passed."""
    CUT_REQUEST = "cut the request"
    """It is closed in the middle of what the client sends: the server gets a part of it."""
    CUT_RESPONSE = "cut the response"
    """It is closed in the middle of the answer: the server has done the work, and the client isn't told."""
    DELAY = "delay the response"
    """The answer stops for a while and goes on."""
    GARBLE = "garble the response"
    """The rest of the answer arrives as other bytes, and then it is closed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A harm after so many bytes: of the request for `CUT_REQUEST`, else of the response."""

    harm: Harm
    after: int = 0
    seconds: float = 0.0
    """How long a delay is."""
    garbage: bytes = b"\xff"
    """The byte that the rest of a garbled answer turns into."""
    reset: bool = False
    """Whether the connection ends by a reset instead of an orderly close."""


def plan(seed: int, faults: int, seconds: float = 0.5) -> Iterator[Fault]:
    """So many faults, the same ones for each seed. Half of the answers are harmed in their heads."""
    chance = random.Random(seed)
    for _ in range(faults):
        harm = chance.choice(list(Harm))
        yield Fault(
            harm,
            chance.randrange(600_000 if harm is Harm.CUT_REQUEST else chance.choice([300, 20_000])),
            chance.uniform(0, seconds),
            chance.choice([b"\xff", b"\0", b"x", b"}", b" "]),
            chance.choice([False, True]),
        )


class Proxy:
    """Listens on the loopback for as long as it is entered."""

    def __init__(self, target: str, faults: Iterable[Fault]) -> None:
        """`target` is the server's address."""
        parts = urlsplit(target)
        self._target = (str(parts.hostname), parts.port or 80)
        self.faults = deque(faults)
        """Those that are still to come; more may be added while it runs."""
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LOOK_S)
        self._threads = [threading.Thread(target=self._accept, name="proxy")]
        self.done: Counter[Harm] = Counter()
        """How often each harm was done."""

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Proxy:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:  # the first one adds the others, until it has ended
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(client,), name="proxied connection")
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(self._target) as server:
            client.settimeout(PEER_S)
            server.settimeout(PEER_S)
            goes_on = True
            while goes_on:
                fault = self._next()
                if fault is not None and fault.harm is Harm.REFUSE:
                    self._count(fault)
                    return
                goes_on = self._passed(client, server, fault)

    def _next(self) -> Fault | None:
        with self._lock:
            return self.faults.popleft() if self.faults else None

    def _count(self, fault: Fault) -> None:
        with self._lock:
            self.done[fault.harm] += 1

    def _passed(self, client: socket.socket, server: socket.socket, fault: Fault | None) -> bool:
        """Pass bytes on until the fault is done, or there is one; whether the connection goes on."""
        left = fault.after if fault else 0
        while not self._stopping.is_set():
            if fault is None and self.faults:
                return True
            for source in select.select([client, server], [], [], LOOK_S)[0]:
                data = source.recv(CHUNK)
                if not data:
                    return False
                sink = server if source is client else client
                harmed = fault is not None and (fault.harm is Harm.CUT_REQUEST) == (source is client)
                if fault is None or not harmed or len(data) <= left:
                    sink.sendall(data)
                    left -= len(data) if harmed else 0
                    continue
                self._count(fault)
                return self._harmed(client, sink, data[:left], data[left:], fault)
        return False

    def _harmed(
        self, client: socket.socket, sink: socket.socket, good: bytes, rest: bytes, fault: Fault
    ) -> bool:
        sink.sendall(good)
        if fault.harm is Harm.DELAY:
            self._stopping.wait(fault.seconds)
            sink.sendall(rest)
            return True
        if fault.harm is Harm.GARBLE:
            sink.sendall(fault.garbage * len(rest))
        elif fault.reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        return False
