from __future__ import annotations

import base64
import json
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scripts.engine_nodes._catalogue import ENGINES, EngineError, Place
from scripts.engine_nodes._health import is_up
from scripts.engine_nodes._keys import make_keys
from scripts.engine_nodes._nodes import Node, stop

ENGINE = ENGINES["opensearch"]

only_on_linux = pytest.mark.skipif(sys.platform != "linux", reason="nodes without Docker run on Linux only")
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make certificates")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(Place(tmp_path, 9210), ENGINE, 1)
    node.folder.mkdir(parents=True)
    return node


@contextmanager
def process_of(node: Node, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that sleeps, with these arguments, and whose pid is in the node's pid file."""
    program = "import time; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, *arguments], start_new_session=True) as process:
        (node.folder / "pid").write_text(str(process.pid))
        try:
            yield process
        finally:
            process.kill()


@only_on_linux
def test_stop_ends_the_processes_of_a_node(node: Node) -> None:
    """A process that has the pid and names the node's folder is ended."""
    with process_of(node, f"-Epath.data={node.folder}/data") as process:
        assert node.memory() > 0
        assert stop([node])
        assert process.wait(timeout=5) < 0
        assert not node.pids()


@only_on_linux
def test_kill_gives_a_node_no_time(node: Node) -> None:
    """A node is killed by a signal that it can't hear, and has ended when the call returns."""
    with process_of(node, f"-Epath.data={node.folder}/data") as process:
        node.kill()
        assert process.wait(timeout=5) == -signal.SIGKILL
        assert not node.pids()


@only_on_linux
def test_stop_leaves_a_process_alone_that_only_has_the_pid(node: Node) -> None:
    """A pid file that outlived its node never costs a stranger its life."""
    with process_of(node, "-Epath.data=/somewhere/else") as process:
        assert not stop([node])
        assert process.poll() is None


@pytest.mark.parametrize(
    ("health", "up"),
    [
        ({"cluster_name": "esclip-opensearch", "number_of_nodes": 1, "status": "green"}, True),
        ({"cluster_name": "esclip-opensearch", "number_of_nodes": 1, "status": "red"}, False),
        ({"cluster_name": "esclip-opensearch", "number_of_nodes": 2, "status": "green"}, False),
        ({"cluster_name": "somebody-elses", "number_of_nodes": 1, "status": "green"}, False),
    ],
)
def test_only_the_whole_engine_under_its_own_name_is_up(
    tmp_path: Path, health: dict[str, object], up: bool
) -> None:
    """Tests write into an engine that is up, so that a stranger on its port must not count as one."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(health).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert is_up(Place(tmp_path, server.server_port), ENGINE) is up
        thread.join()


def test_nothing_answers_where_nothing_runs(tmp_path: Path) -> None:
    """An engine that was never started is down."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        free_port = server.server_port
    assert not is_up(Place(tmp_path, free_port), ENGINE)


def test_the_cache_is_never_in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder inside the tree is refused, and the variable that asked for it is named."""
    monkeypatch.setenv("ESCLIP_ENGINES_HOME", str(Path(__file__).parents[2] / ".cache"))
    with pytest.raises(EngineError, match=r"ESCLIP_ENGINES_HOME.*outside"):
        Place.from_environment()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of engines that has keys."""
    folder = tmp_path_factory.mktemp("ours")
    make_keys(Place(folder, 9210))
    return folder


@needs_openssl
def test_an_engine_with_a_lock_is_up_for_who_has_its_key(ours: Path, tmp_path: Path) -> None:
    """Its health is asked over TLS, with the password; a stranger with another certificate is not up."""
    keys = make_keys(Place(ours, 9210))
    assert make_keys(Place(ours, 9210)).password == keys.password
    theirs = make_keys(Place(tmp_path / "theirs", 9210))
    engine = ENGINES["secured"]
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()
            health = {"cluster_name": engine.cluster_name, "number_of_nodes": 1, "status": "green"}
            self.wfile.write(json.dumps(health).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged."""

    for served, up in ((keys, True), (theirs, False)):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(served.certificate, served.key)
        with HTTPServer(("127.0.0.1", 0), Answer) as server:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            place = Place(ours, server.server_port - engine.port_offset)
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            assert is_up(place, engine) is up
            thread.join()
    password = base64.b64encode(f"esclip-tests:{keys.password}".encode()).decode()
    assert asked == [f"Basic {password}"]


@needs_openssl
def test_keys_are_for_their_owner_only(ours: Path) -> None:
    """Nobody but their owner can enter the folder with the private keys and the password."""
    keys = make_keys(Place(ours, 9210))
    assert keys.folder.stat().st_mode & 0o077 == 0
