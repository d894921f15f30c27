"""One node as a process of its own: configured, started, measured and stopped.

A node's folder stands in the command line of each of its processes, from the shell script that starts it to
the last JVM. With the pid file (a process group) it tells what is ours from what merely has a recycled pid.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ._catalogue import Engine, EngineError, Place, Product
from ._tools import find_jdk

__all__ = ["Node", "nodes_of", "stop"]

_USER = "esclip-engines"
_HEAP = "512m"
_STOP_SECONDS = 30.0
# Heap and logs are set here; the rest of these name files in the home, which nodes only read.
_DROPPED_JVM_OPTIONS = re.compile(r"-Xm[sx]|Xlog|HeapDump|ErrorFile")


@dataclass(frozen=True, slots=True)
class Node:
    """Node `number` (from 1) of an engine."""

    place: Place
    engine: Engine
    number: int

    @property
    def folder(self) -> Path:
        """All that this node writes."""
        return self.place.root / "nodes" / self.engine.name / f"n{self.number}"

    @property
    def log(self) -> Path:
        """What the node prints."""
        return self.folder / "out.log"

    def start(self) -> None:
        """Start it with empty data; it is not up yet when this returns."""
        jdk = find_jdk(self.engine.jdks)
        shutil.rmtree(self.folder, ignore_errors=True)
        for part in ("data", "logs", "tmp"):
            (self.folder / part).mkdir(parents=True)
        self._write_config()
        user = _unprivileged_user(self.folder) if os.geteuid() == 0 else None
        program = self.place.home(self.engine) / "bin" / self.engine.product.value
        data_and_logs = [f"-Epath.data={self.folder}/data", f"-Epath.logs={self.folder}/logs"]
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [program, *data_and_logs],
                cwd=self.folder,
                env=self._environment(jdk),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=user and user.pw_uid,
                group=user and user.pw_gid,
                extra_groups=user and [],
            )
        self._pid_file.write_text(f"{process.pid}\n")

    def pids(self) -> list[int]:
        """Its processes that run now."""
        try:
            group = int(self._pid_file.read_text())
        except FileNotFoundError:
            return []
        numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
        return [pid for pid in numbers if _in_group(pid, group) and self._started(pid)]

    def memory(self) -> int:
        """The bytes of memory that its processes hold."""
        page = os.sysconf("SC_PAGE_SIZE")
        fields = (_read(f"/proc/{pid}/statm").split() for pid in self.pids())
        return sum(int(resident) * page for _, resident, *_ in filter(None, fields))

    def forget(self) -> None:
        """Remove the pid file of a node that has ended."""
        self._pid_file.unlink(missing_ok=True)

    @property
    def _pid_file(self) -> Path:
        return self.folder / "pid"

    def _started(self, pid: int) -> bool:
        return os.fsencode(f"{self.folder}/") in _command_line(pid)

    def _write_config(self) -> None:
        source, target = self.place.home(self.engine) / "config", self.folder / "config"
        shutil.copytree(source, target)
        lines = (source / "jvm.options").read_text().splitlines()
        kept = [line for line in lines if not _DROPPED_JVM_OPTIONS.search(line)]
        (target / "jvm.options").write_text("\n".join(kept) + "\n")
        settings = "".join(f"{key}: {value}\n" for key, value in self._settings().items())
        (target / f"{self.engine.product.value}.yml").write_text(settings)

    def _settings(self) -> dict[str, str]:
        peers = range(1, self.engine.nodes + 1)
        port = self.place.http_port(self.engine, self.number)
        settings = {
            "cluster.name": self.engine.cluster_name,
            "node.name": f"n{self.number}",
            "network.host": "127.0.0.1",
            "http.port": str(port),
            "transport.port": str(port + 100),
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "action.auto_create_index": "false",
        }
        if self.engine.product is Product.ELASTICSEARCH:
            settings["xpack.security.enabled"] = "false"
        if self.engine.nodes == 1:
            return {**settings, "discovery.type": "single-node"}
        seeds = (f'"127.0.0.1:{self.place.http_port(self.engine, peer) + 100}"' for peer in peers)
        voters = (f'"n{peer}"' for peer in peers)
        return {
            **settings,
            "discovery.seed_hosts": f"[{', '.join(seeds)}]",
            "cluster.initial_cluster_manager_nodes": f"[{', '.join(voters)}]",
        }

    def _environment(self, jdk: Path) -> dict[str, str]:
        prefix = "ES" if self.engine.product is Product.ELASTICSEARCH else "OPENSEARCH"
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            f"{prefix}_JAVA_HOME": str(jdk),
            f"{prefix}_PATH_CONF": str(self.folder / "config"),
            f"{prefix}_TMPDIR": str(self.folder / "tmp"),
            f"{prefix}_JAVA_OPTS": f"-Xms{_HEAP} -Xmx{_HEAP} {self.place.java_options}",
        }


def nodes_of(place: Place, engine: Engine) -> list[Node]:
    """All nodes that make up `engine`."""
    return [Node(place, engine, number) for number in range(1, engine.nodes + 1)]


def stop(nodes: list[Node]) -> bool:
    """End what runs of these nodes, at first kindly; False when nothing ran."""
    pids = [pid for node in nodes for pid in node.pids()]
    _send(signal.SIGTERM, pids)
    deadline = time.monotonic() + _STOP_SECONDS
    while (left := [pid for pid in pids if _runs(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    _send(signal.SIGKILL, left)
    for node in nodes:
        node.forget()
    return bool(pids)


def _unprivileged_user(folder: Path) -> pwd.struct_passwd:
    """The user that nodes run as where this script is root, which both products refuse; owner of `folder`."""
    try:
        user = pwd.getpwnam(_USER)
    except KeyError:
        command = [
            "useradd",
            "--system",
            "--user-group",
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            _USER,
        ]
        subprocess.run(command, check=True)
        user = pwd.getpwnam(_USER)
    closed = [parent for parent in folder.parents if not parent.stat().st_mode & 0o001]
    if closed:
        raise EngineError(
            f"user {_USER} can't enter {closed[-1]}; set ESCLIP_ENGINES_HOME to a folder that all may enter"
        )
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)
    return user


def _send(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it ended meanwhile
            os.kill(pid, number)


def _runs(pid: int) -> bool:
    """Whether this process still holds anything: a dead one that nobody waited for does not."""
    _, _, state = _read(f"/proc/{pid}/stat").rpartition(b") ")
    return state[:1] not in (b"", b"Z", b"X")


def _in_group(pid: int, group: int) -> bool:
    try:
        return os.getpgid(pid) == group
    except ProcessLookupError:
        return False


def _command_line(pid: int) -> bytes:
    """Its command line, empty for one that has ended."""
    for _ in range(100):
        line = _read(f"/proc/{pid}/cmdline")
        if line or not _runs(pid):
            break
        time.sleep(0.01)  # in the middle of an exec it has none yet
    return line


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # the process ended meanwhile
        return b""
