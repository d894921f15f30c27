"""The same engines from `docker-compose.yml`, where a Docker daemon answers.

They get a project name of their own, so that the index behind a plain `docker compose up` is never touched,
and the ports that the nodes without Docker would have. Engines with a lock never run in Docker.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ._catalogue import ENGINES, Engine, EngineError, Place

__all__ = ["docker_answers", "start", "stop"]

_FILE = Path(__file__).resolve().parents[2] / "docker-compose.yml"
_PROJECT = "esclip-engines"


def docker_answers() -> bool:
    """Whether there is a daemon to talk to, and the compose plugin to do it with."""
    if shutil.which("docker") is None:
        return False
    questions = (["docker", "info"], ["docker", "compose", "version"])
    return all(
        subprocess.run(question, capture_output=True, check=False).returncode == 0 for question in questions
    )


def start(place: Place, engines: Sequence[Engine]) -> None:
    """Start these engines and wait until they are healthy."""
    _compose(place, "up", "--detach", "--wait", "--wait-timeout", "300", *_services(engines))


def stop(place: Place, engines: Sequence[Engine]) -> None:
    """Stop these engines and remove what they hold."""
    _compose(place, "down", "--volumes", *_services(engines))


def _compose(place: Place, *arguments: str) -> None:
    ports = {
        f"ESCLIP_PORT_{e.name.upper()}": str(place.http_port(e)) for e in ENGINES.values() if not e.locked
    }
    command = [
        "docker",
        "compose",
        "--project-name",
        _PROJECT,
        "--file",
        str(_FILE),
        "--profile",
        "*",
        *arguments,
    ]
    if subprocess.run(command, env={**os.environ, **ports}, check=False).returncode != 0:
        raise EngineError(f"docker compose {arguments[0]} failed; its own message is above")


def _services(engines: Sequence[Engine]) -> list[str]:
    names = {engine.name: [engine.name] for engine in engines}
    if "cluster" in names:
        names["cluster"] = [f"cluster-{number}" for number in range(1, ENGINES["cluster"].nodes + 1)]
    return [service for services in names.values() for service in services]
