"""A search service whose store is down: clients are told so soon, and its operator why."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import esclip
from tests.search_servers import ask, searching
from tests.servers import unused_port


def test_a_store_that_is_down_is_told_soon(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Programs get 503, people a page that says so, within seconds; the log names the address, once."""
    address = f"http://127.0.0.1:{unused_port()}"
    index = esclip.open_index(address, "photos", "palette")
    began = time.monotonic()
    with searching(index, tmp_path) as server, ThreadPoolExecutor() as pool:
        page = pool.submit(ask, server, "GET", "/?q=red", headers={"Accept": "text/html"})
        paths = ("/readyz", "/v1/search?q=red", "/v1/index")
        answers = [*pool.map(lambda path: ask(server, "GET", path), paths)]
        assert ask(server, "GET", "/livez").status == 200
    assert time.monotonic() - began < 15  # none waits as long as a program that runs alone would
    assert {answer.problem for answer in answers} == {"store-unavailable"}
    assert page.result().status == 503
    assert "The store does not answer" in page.result().body.decode()
    assert address not in page.result().body.decode()
    logged = [one.getMessage() for one in caplog.records if one.name == "esclip"]
    assert len([text for text in logged if address in text]) == 1
