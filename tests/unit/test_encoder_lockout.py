"""Clients that never finish what they begin: an encoder server answers others all the same."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from esclip._server.encoder_app import EncoderApp
from esclip._server.http import Limits
from esclip._server.http_server import HttpServer
from tests.encoder_servers import served
from tests.unit.test_encoder_server import BYTES, PICTURE, POST, TOKEN, ask

LIMITS = Limits(connections=20, head_seconds=0.5, body_seconds=1.0, buffered_bytes=1 << 20)
LONG = POST + b"Content-Length: 1000000\r\n"


@contextmanager
def clients(server: HttpServer[EncoderApp], count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """So many connections that have sent this."""
    host, _, port = server.address.removeprefix("http://").rpartition(":")
    with ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection((host, int(port)), timeout=5)) for _ in range(count)
        ]
        for one in held:
            one.sendall(sent)
        yield held


def closed_after(connection: socket.socket, begin: float, drip: bytes, within: float) -> float:
    """How many seconds after `begin` the server hangs up, while bytes drip in."""
    connection.settimeout(0.05)
    while time.monotonic() < begin + within:
        try:
            connection.sendall(drip)
            if not connection.recv(4096):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - begin


@pytest.mark.parametrize("sent", [b"", b"GET", b"POST /v1/images HTTP/1.1\r\nX-A"])
def test_a_head_has_a_deadline(sent: bytes) -> None:
    """A head that comes byte by byte, or not at all, ends its connection; others are answered meanwhile."""
    begin = time.monotonic()
    with served(token="s3cret", limits=LIMITS) as server, clients(server, 5, sent) as slow:
        assert ask(server, "GET", "/health")[0] == 200
        taken = closed_after(slow[0], begin, b"x" if sent else b"", 5)
        assert 0.2 < taken < 4


def test_a_body_has_a_deadline() -> None:
    """A body that comes byte by byte ends its connection, though it never pauses for long."""
    begin = time.monotonic()
    with served(limits=LIMITS) as server, clients(server, 3, LONG + b"\r\n") as slow:
        assert ask(server, "POST", "/v1/images", PICTURE, **BYTES)[0] == 200
        assert 0.5 < closed_after(slow[0], begin, b"x", 6) < 5


def test_unfinished_heads_do_not_lock_others_out() -> None:
    """More connections than there may be, none of them with a token, and the next client is answered."""
    patient = Limits(connections=20, head_seconds=60)
    with served(token="s3cret", limits=patient) as server, clients(server, 60, b"GET /v1/enc") as slow:
        for _ in range(3):
            assert ask(server, "POST", "/v1/images", PICTURE, **BYTES, **TOKEN)[0] == 200
        open_still = 0
        for one in slow:
            one.settimeout(0.01)
            with suppress(ConnectionError):
                try:
                    open_still += one.recv(1) != b""
                except TimeoutError:
                    open_still += 1
        assert open_still <= 20


def test_connections_that_are_kept_do_not_lock_others_out() -> None:
    """Who asked once without a token and stays is the first to go when others come."""
    patient = Limits(connections=20, head_seconds=60)
    health = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with served(token="s3cret", limits=patient) as server, clients(server, 40, health):
        time.sleep(0.3)
        assert ask(server, "POST", "/v1/images", PICTURE, **BYTES, **TOKEN)[0] == 200


def test_unfinished_bodies_are_bounded_together() -> None:
    """Bodies that never end take no more than is allowed for all; who brings more is told to come again."""
    limits = Limits(body_seconds=60, buffered_bytes=1 << 20)
    with served(limits=limits) as server, clients(server, 6, LONG + b"\r\n" + b"x" * 300_000) as slow:
        time.sleep(0.5)
        answers = []
        for one in slow:
            one.settimeout(0.2)
            with suppress(OSError):
                answers.append(one.recv(4096))
        refused = [answer for answer in answers if b" 503 " in answer]
        assert len(refused) == 3
        assert b"Retry-After: 1" in refused[0]
        assert "error" in json.loads(refused[0].partition(b"\r\n\r\n")[2])
        for one in slow:
            one.close()
        time.sleep(0.3)
        assert ask(server, "POST", "/v1/images", PICTURE * 80, **BYTES)[0] == 200


def test_bodies_that_were_answered_are_no_longer_counted() -> None:
    """A server answers as much as one likes, one after the other, within what it may hold at once."""
    with served(limits=Limits(buffered_bytes=1 << 20)) as server:
        for _ in range(5):
            assert ask(server, "POST", "/v1/images", PICTURE * 40, **BYTES)[0] == 200


def test_a_client_that_is_slow_but_finishes_is_answered() -> None:
    """A body that takes its time, within its deadline, is encoded."""
    with served(limits=LIMITS) as server:
        head = POST + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(PICTURE)
        with clients(server, 1, head) as (client,):
            for at in range(0, len(PICTURE), 4096):
                time.sleep(0.1)
                client.sendall(PICTURE[at : at + 4096])
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
