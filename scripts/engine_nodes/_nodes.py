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
from dataclasses import dataclass
from pathlib import Path

from ._catalogue import Engine, EngineError, Place, Product
from ._keys import RIGHTS, ROLES, USER, make_keys
from ._processes import command_line, in_group, read, runs, send
from ._tools import find_jdk

__all__ = ["Node", "stop"]

_USER = "esclip-engines"
_HEAP = "512m"
_STOP_SECONDS = 30.0
# Heap and logs are set here; the rest of these name files in the home, which nodes only read.
_DROPPED_JVM_OPTIONS = r"-Xm[sx]|Xlog|HeapDump|ErrorFile"
# A node for tests does with the first compiler and the collector that boot fastest.
_QUICK_JVM_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:-UseG1GC -XX:+UseSerialGC"
# OpenSearch 3 guards what plugins do by an agent that looks at the whole stack for each file that is opened,
# which took a fifth of the time of tests; the classes that it shares with the node have to be there.
_AGENT = "-javaagent"
_AGENT_CLASSES = "agent/opensearch-agent-bootstrap-*.jar"


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
        shutil.rmtree(self.folder, ignore_errors=True)
        for part in ("logs", "tmp"):
            (self.folder / part).mkdir(parents=True)
        self._make_data_folder()
        self.start_again()

    def start_again(self) -> None:
        """Start it with the data that it had when it ended."""
        command, environment = self._prepare()
        user = _unprivileged_user(self.folder) if os.geteuid() == 0 else None
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
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
        return [pid for pid in numbers if in_group(pid, group) and self._started(pid)]

    def kill(self) -> None:
        """End it as a power cut would, and wait until it has ended."""
        pids = self.pids()
        send(signal.SIGKILL, pids)
        while any(runs(pid) for pid in pids):
            time.sleep(0.01)
        self.forget()

    def memory(self) -> int:
        """The bytes of memory that its processes hold."""
        page = os.sysconf("SC_PAGE_SIZE")
        fields = (read(f"/proc/{pid}/statm").split() for pid in self.pids())
        return sum(int(resident) * page for _, resident, *_ in filter(None, fields))

    def forget(self) -> None:
        """Remove the pid file of a node that has ended."""
        self._pid_file.unlink(missing_ok=True)

    @property
    def _pid_file(self) -> Path:
        return self.folder / "pid"

    def _started(self, pid: int) -> bool:
        return os.fsencode(f"{self.folder}/") in command_line(pid)

    def _make_data_folder(self) -> None:
        data = self.folder / "data"
        if self.place.data is None:
            data.mkdir()
            return
        elsewhere = self.place.data / self.engine.name / f"n{self.number}"
        shutil.rmtree(elsewhere, ignore_errors=True)
        elsewhere.mkdir(parents=True)
        data.symlink_to(elsewhere)

    def _prepare(self) -> tuple[list[str | Path], dict[str, str]]:
        """Write its configuration; how it is started, in which environment."""
        environment = self._environment(find_jdk(self.engine.jdks))
        self._write_config()
        programs = self.place.home(self.engine) / "bin"
        if self.engine.locked:
            self._make_lock(programs, environment)
        data_and_logs = [f"-Epath.data={self.folder}/data", f"-Epath.logs={self.folder}/logs"]
        return [programs / self.engine.product.value, *data_and_logs], environment

    def _make_lock(self, programs: Path, environment: dict[str, str]) -> None:
        keys = make_keys(self.place)
        for file in (keys.certificate, keys.key):
            shutil.copy(file, self.folder / "config")
        add: list[str | Path] = [programs / "elasticsearch-users", "useradd", "-p", keys.password, USER]
        done = subprocess.run(add, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise EngineError(
                f"elasticsearch-users could not make {USER} of {self.engine.name}:\n{done.stderr}"
            )
        config = self.folder / "config"
        (_, hashed), *_ = (line.split(":") for line in (config / "users").read_text().splitlines())
        (config / "users").write_text("".join(f"{name}:{hashed}\n" for name in ROLES))
        (config / "users_roles").write_text("".join(f"{role}:{name}\n" for name, role in ROLES.items()))
        (config / "roles.yml").write_text(RIGHTS)

    def _write_config(self) -> None:
        source, target = self.place.home(self.engine) / "config", self.folder / "config"
        shutil.copytree(source, target, dirs_exist_ok=True)
        lines = (source / "jvm.options").read_text().splitlines()
        dropped = re.compile(f"{_DROPPED_JVM_OPTIONS}|{_AGENT}" if self._is_quick else _DROPPED_JVM_OPTIONS)
        kept = [line for line in lines if not dropped.search(line)]
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
            settings["xpack.security.enabled"] = str(self.engine.locked).lower()
        if self.engine.locked:
            tls = "xpack.security.http.ssl"
            settings |= {
                f"{tls}.enabled": "true",
                f"{tls}.certificate": "server.pem",
                f"{tls}.key": "server.key",
            }
        settings |= self.engine.settings
        if self.engine.nodes == 1:
            return {**settings, "discovery.type": "single-node"}
        seeds = (f'"127.0.0.1:{self.place.http_port(self.engine, peer) + 100}"' for peer in peers)
        voters = (f'"n{peer}"' for peer in peers)
        return {
            **settings,
            "discovery.seed_hosts": f"[{', '.join(seeds)}]",
            "cluster.initial_cluster_manager_nodes": f"[{', '.join(voters)}]",
        }

    @property
    def _is_quick(self) -> bool:
        return self.place.java_options is None

    def _java_options(self) -> str:
        if not self._is_quick:
            return f"-Xms{_HEAP} -Xmx{_HEAP} {self.place.java_options}"
        classes = (f"-Xbootclasspath/a:{jar}" for jar in self.place.home(self.engine).glob(_AGENT_CLASSES))
        return " ".join((f"-Xms{_HEAP} -Xmx{_HEAP}", _QUICK_JVM_OPTIONS, *classes))

    def _environment(self, jdk: Path) -> dict[str, str]:
        prefix = "ES" if self.engine.product is Product.ELASTICSEARCH else "OPENSEARCH"
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            f"{prefix}_JAVA_HOME": str(jdk),
            f"{prefix}_PATH_CONF": str(self.folder / "config"),
            f"{prefix}_TMPDIR": str(self.folder / "tmp"),
            f"{prefix}_JAVA_OPTS": self._java_options(),
        }


def stop(nodes: list[Node]) -> bool:
    """End what runs of these nodes, at first kindly; False when nothing ran."""
    pids = [pid for node in nodes for pid in node.pids()]
    send(signal.SIGTERM, pids)
    deadline = time.monotonic() + _STOP_SECONDS
    while (left := [pid for pid in pids if runs(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    send(signal.SIGKILL, left)
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
