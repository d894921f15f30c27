"""Is an engine up? Asked of the engine itself, by whichever road it was started."""

from __future__ import annotations

import json
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable

from ._catalogue import Engine, Place
from ._keys import USER, keys_of

__all__ = ["is_up", "port_is_taken", "wait_until_up"]

_POLL_SECONDS = 0.5


def is_up(place: Place, engine: Engine) -> bool:
    """Whether all its nodes are there, under its cluster's name: a stranger on that port doesn't count."""
    try:
        with _opener(place, engine).open(f"{place.url(engine)}/_cluster/health", timeout=5) as response:
            health = json.load(response)
    except (OSError, ValueError):
        return False
    return (
        health.get("cluster_name") == engine.cluster_name
        and health.get("number_of_nodes") == engine.nodes
        and health.get("status") in ("green", "yellow")
    )


def wait_until_up(place: Place, engine: Engine, alive: Callable[[], bool], seconds: float) -> bool:
    """Wait for `engine`; False when the time is over, or as soon as it is no longer `alive`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and alive():
        if is_up(place, engine):
            return True
        time.sleep(_POLL_SECONDS)
    return False


def port_is_taken(port: int) -> bool:
    """Whether anybody listens on this port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _opener(place: Place, engine: Engine) -> urllib.request.OpenerDirector:
    """What asks it straight on loopback, whatever proxy the environment names, with the key to its lock."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if engine.locked:
        keys = keys_of(place)
        passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
        passwords.add_password(None, place.url(engine), USER, keys.password, is_authenticated=True)
        handlers.append(urllib.request.HTTPBasicAuthHandler(passwords))
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=keys.ca)))
    return urllib.request.build_opener(*handlers)
