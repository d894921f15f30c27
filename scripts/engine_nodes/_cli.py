"""The command line: fetch, start, stop, status, env; kill and revive for what breaks."""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from . import _compose
from ._catalogue import ENGINES, Engine, EngineError, Place
from ._health import is_up, port_is_taken, wait_until_up
from ._homes import make_home
from ._keys import USER, keys_of
from ._nodes import Node, stop
from ._proxy import Proxy

__all__ = ["main"]

_START_SECONDS = 240.0
_LOG_LINES = 30


def main() -> int:
    """Run one command; the exit status is 1 when it failed, and when `status` finds an engine down."""
    arguments = _parser().parse_args()
    os.umask(0o022)  # the nodes run as another user and read what is unpacked here
    try:
        place = Place.from_environment()
        if arguments.command == "env":
            return _print_env(place)
        if arguments.command in _ON_NODES:
            nodes = [Node(place, ENGINES[arguments.name], number) for number in arguments.nodes]
            with _locked(place):
                _ON_NODES[arguments.command](nodes)
            return 0
        names = list(ENGINES) if "all" in arguments.names else dict.fromkeys(arguments.names)
        engines = [ENGINES[name] for name in names]
        if arguments.command == "status":
            return _print_status(place, engines)
        with _locked(place):
            _COMMANDS[arguments.command](place, engines)
    except (EngineError, OSError) as error:
        print(f"engines: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/engines",
        description="Real OpenSearch and Elasticsearch nodes on loopback, with or without Docker.",
        epilog="Variables: ESCLIP_ENGINES_HOME, the cache folder; ESCLIP_ENGINES_DATA, a folder for the "
        "data, such as one in memory; ESCLIP_ENGINE_PORT, the first of eleven ports (9210); "
        "ESCLIP_ENGINE_JAVA_OPTIONS, set it to '' before measuring searches.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, says in (
        ("fetch", "download and unpack, where that is not done yet"),
        ("start", "start with empty data and wait until healthy; fetches first"),
        ("stop", "stop"),
        ("status", "say what is up; exit status 1 if one is not"),
    ):
        command_parser = commands.add_parser(command, help=says)
        command_parser.add_argument("names", nargs="+", choices=[*ENGINES, "all"], metavar="NAME|all")
    mortals = [engine for engine in ENGINES.values() if engine.mortal]
    for command, says in (
        ("kill", "end nodes of an engine that is there for it, as a power cut would"),
        ("revive", "start killed nodes with the data that they had, without waiting for them"),
    ):
        command_parser = commands.add_parser(command, help=says)
        command_parser.add_argument("name", choices=[engine.name for engine in mortals], metavar="NAME")
        most = max(engine.nodes for engine in mortals)
        command_parser.add_argument("nodes", nargs="+", type=int, choices=range(1, most + 1), metavar="NODE")
    commands.add_parser("env", help="print the variables that tell the tests what is up, for a shell to eval")
    return parser


def _fetch(place: Place, engines: Sequence[Engine]) -> None:
    for engine in engines:
        began = time.monotonic()
        fetched = make_home(place, engine)
        what = f"fetched in {time.monotonic() - began:.0f} s" if fetched else "already fetched"
        print(f"{engine.name}: {_product(engine)} {what}", flush=True)


def _start(place: Place, engines: Sequence[Engine]) -> None:
    behind = (ENGINES[engine.before] for engine in engines if engine.before)
    engines = list(dict.fromkeys([*behind, *engines]))
    down = [engine for engine in engines if not is_up(place, engine)]
    for engine in engines:
        if engine not in down:
            print(f"{engine.name}: already up at {place.url(engine)}")
    if not down:
        return
    natively = down
    if _compose.docker_answers():
        natively = [engine for engine in down if engine.native]
        if in_docker := [engine for engine in down if not engine.native]:
            print("a Docker daemon answers: starting with docker compose", flush=True)
            _compose.start(place, in_docker)
    if natively:
        _start_nodes(place, natively)


def _start_nodes(place: Place, engines: Sequence[Engine]) -> None:
    """Start all together and then wait, so that they boot side by side; what did not come up is stopped."""
    if sys.platform != "linux":
        names = ", ".join(engine.name for engine in engines)
        raise EngineError(f"without Docker engines need Linux, some of them always: can't start {names}")
    _fetch(place, engines)
    began = time.monotonic()
    for engine in engines:
        nodes = _nodes(place, engine)
        stop(nodes)  # the rest of a start that failed half-way
        _check_ports(place, nodes)
        for node in nodes:
            node.start()
    failed = [engine for engine in engines if not _came_up(place, engine, began)]
    if failed:
        raise EngineError(
            f"did not come up: {', '.join(engine.name for engine in failed)}; see the log above"
        )


def _check_ports(place: Place, nodes: Sequence[Node]) -> None:
    for node in nodes:
        port = place.http_port(node.engine, node.number)
        taken = [number for number in (port, port + 100) if port_is_taken(number)]
        if taken:
            raise EngineError(
                f"port {taken[0]}, wanted for {node.engine.name}, is taken; set ESCLIP_ENGINE_PORT to another"
            )


def _came_up(place: Place, engine: Engine, began: float) -> bool:
    nodes = _nodes(place, engine)
    if wait_until_up(place, engine, lambda: all(node.pids() for node in nodes), _START_SECONDS):
        print(f"{engine.name}: up at {place.url(engine)} after {time.monotonic() - began:.0f} s", flush=True)
        return True
    for node in nodes:
        tail = node.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        print(f"--- {node.log}", *tail, sep="\n", file=sys.stderr)
    stop(nodes)
    return False


def _stop(place: Place, engines: Sequence[Engine]) -> None:
    ended = [engine for engine in engines if stop(_nodes(place, engine))]
    for engine in ended:
        print(f"{engine.name}: stopped")
    left = [engine for engine in engines if engine not in ended]
    in_docker = [engine for engine in left if not engine.native]
    if in_docker and _compose.docker_answers():
        _compose.stop(place, in_docker)
        left = [engine for engine in left if engine.native]
    for engine in left:
        print(f"{engine.name}: was not running")


def _kill(nodes: Sequence[Node]) -> None:
    for node in nodes:
        if not node.pids():
            raise EngineError(f"node {node.number} of {node.engine.name} does not run")
        node.kill()


def _revive(nodes: Sequence[Node]) -> None:
    for node in nodes:
        if not node.pids():
            node.start_again()


def _print_status(place: Place, engines: Sequence[Engine]) -> int:
    states = {engine: is_up(place, engine) for engine in engines}
    for engine, up in states.items():
        memory = sum(node.memory() for node in _nodes(place, engine)) / 2**20
        size = f"{memory:5.0f} MiB" if memory else ""
        state = "up  " if up else "down"
        print(f"{engine.name:14}{state}  {place.url(engine)}  {_product(engine)}  {size}")
    return 0 if all(states.values()) else 1


def _print_env(place: Place) -> int:
    up = [engine for engine in ENGINES.values() if is_up(place, engine)]
    for engine in up:
        print(f"export {engine.variable}={place.url(engine)}")
    if any(engine.locked for engine in up):
        keys = keys_of(place)
        key = {"CA_FILE": str(keys.ca), "USER": USER, "PASSWORD": keys.password}
        for name, value in key.items():
            print(f"export ESCLIP_TEST_{name}={shlex.quote(value)}")
    return 0


def _nodes(place: Place, engine: Engine) -> list[Node]:
    kind = Proxy if engine.before else Node
    return [kind(place, engine, number) for number in range(1, engine.nodes + 1)]


def _product(engine: Engine) -> str:
    where = f"before {engine.before}" if engine.before else engine.version
    return f"{engine.product.value} {where}"


@contextmanager
def _locked(place: Place) -> Iterator[None]:
    """Two of these scripts at once must not unpack into one folder, or start one engine twice."""
    place.root.mkdir(parents=True, exist_ok=True)
    with (place.root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


_COMMANDS = {"fetch": _fetch, "start": _start, "stop": _stop}
_ON_NODES = {"kill": _kill, "revive": _revive}
