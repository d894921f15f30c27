"""Where the real engines listen that tests run against.

Each is named by an environment variable; what opens those with a lock is in three more. A test whose engine
is not there is skipped, and says how to start it; with ESCLIP_REQUIRE_ENGINES=1 it fails instead, so that no
run passes by skipping.
"""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from esclip import StoreAuth
from esclip.stores.engine.store import EngineStore

__all__ = [
    "ENGINES",
    "LOCKED",
    "engine_access",
    "engine_address",
    "engine_kinds",
    "engine_opener",
    "engine_products",
    "engine_versions",
    "http",
    "opened_store",
    "words_apart",
]

ENGINES = {
    "opensearch": "ESCLIP_TEST_OPENSEARCH",
    "opensearch2": "ESCLIP_TEST_OPENSEARCH2",
    "cluster": "ESCLIP_TEST_CLUSTER",
    "elasticsearch": "ESCLIP_TEST_ELASTICSEARCH",
}
"""The environment variable that has the address, by the name that `scripts/engines` starts."""

LOCKED = {"secured": "ESCLIP_TEST_SECURED", "proxied": "ESCLIP_TEST_PROXIED"}
"""The same for those with TLS and a password."""

VERSIONS = ("opensearch", "opensearch2", "secured")
"""Each version once, one of them with TLS and a password; several nodes are for tests above the store."""

KINDS = ("cluster", "elasticsearch")
"""OpenSearch and Elasticsearch, for tests above the store: versions differ in the store alone."""

PRODUCTS = ("opensearch", "elasticsearch")
"""The same on a node each, for contracts that need no copies: several nodes take three times as long."""

BREAKING = {"faulty": "ESCLIP_TEST_FAULTY"}
"""The same for the one whose nodes tests kill."""


def engine_versions() -> Sequence[str]:
    """The engines for tests of the store; with ESCLIP_ALL_ENGINES=1 every one that there is."""
    return [*ENGINES, *LOCKED] if os.environ.get("ESCLIP_ALL_ENGINES") == "1" else VERSIONS


def engine_kinds() -> Sequence[str]:
    """The engines for tests above the store; with ESCLIP_ALL_ENGINES=1 every one without a lock."""
    return [*ENGINES] if os.environ.get("ESCLIP_ALL_ENGINES") == "1" else KINDS


def engine_products() -> Sequence[str]:
    """The engines for contracts above the store; with ESCLIP_ALL_ENGINES=1 every one that there is."""
    return [*ENGINES, *LOCKED] if os.environ.get("ESCLIP_ALL_ENGINES") == "1" else PRODUCTS


def engine_address(name: str) -> str:
    """The address of a running engine. Skips or fails the test when there is none."""
    address = os.environ.get((ENGINES | LOCKED | BREAKING)[name])
    if address:
        return address
    how = f"start it with: scripts/engines start {name}"
    if os.environ.get("ESCLIP_REQUIRE_ENGINES") == "1":
        pytest.fail(how)
    pytest.skip(how)


def engine_access(address: str, role: str = "") -> StoreAuth:
    """What lets us into the engine at an address: nothing, or who may do all, `search` only, or `ingest`."""
    if not address.startswith("https://"):
        return StoreAuth()
    user = os.environ["ESCLIP_TEST_USER"] + (f"-{role}" if role else "")
    return StoreAuth(os.environ["ESCLIP_TEST_CA_FILE"], user, os.environ["ESCLIP_TEST_PASSWORD"])


def engine_opener(address: str) -> urllib.request.OpenerDirector:
    """What sends requests to the engine at an address around esclip."""
    access = engine_access(address)
    if access.user is None:
        return urllib.request.build_opener()
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(address))
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    passwords.add_password(None, origin, access.user, access.password or "", is_authenticated=True)
    context = ssl.create_default_context(cafile=access.ca_file)
    return urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context), urllib.request.HTTPBasicAuthHandler(passwords)
    )


def http(method: str, url: str, body: Any = None, ok: Sequence[int] = (200, 201)) -> Any:
    """One request around the store."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    try:
        with engine_opener(url).open(request, timeout=60) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
        error.close()
    assert status in ok, text
    return json.loads(text)


@contextmanager
def opened_store(address: str, *beside: str) -> Iterator[EngineStore]:
    """A store on an index that isn't there; removed after, with those whose names have these endings."""
    store = EngineStore(address, f"esclip-test-{uuid4().hex}", auth=engine_access(address))
    try:
        yield store
    finally:
        store.close()
        for ending in ("", *beside):
            http("DELETE", f"{address}/{store.index}{ending}", ok=(200, 404))


def words_apart(source: dict[str, Any]) -> dict[str, Any]:
    """A document as an engine holds it, its words as a list: an engine is given them as one text."""
    return source | {"words": source["words"].split()} if "words" in source else source
