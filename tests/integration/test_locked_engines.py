"""Engines with TLS and a password, real ones: who is let in, to do what, and what the others are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from esclip import EsclipError, StoreAuth, StoreError, StoreUnavailable, list_indexes
from esclip._concurrency.retry import StoreTimeouts
from esclip.stores.engine.errors import Forbidden
from esclip.stores.engine.store import EngineStore
from esclip.testing.documents import SCHEMA, axis, document, nearest
from tests.engines import LOCKED, engine_access, engine_address

pytestmark = pytest.mark.engine

SOON = StoreTimeouts(first=1, read=1)


@pytest.fixture(params=list(LOCKED))
def address(request: pytest.FixtureRequest) -> str:
    """The address of each locked engine in turn."""
    return engine_address(request.param)


@pytest.fixture
def secured() -> str:
    """The address of the Elasticsearch with its security on."""
    return engine_address("secured")


@pytest.fixture
def index(secured: str) -> Iterator[str]:
    """The name of an index with three documents, which who may ingest has made."""
    store = EngineStore(secured, f"esclip-{uuid4().hex}", auth=engine_access(secured, "ingest"))
    store.ensure_index(SCHEMA)
    with store.bulk_load():
        assert store.upsert([document(id, axis(at)) for at, id in enumerate("abc")]) == []
    yield store.index
    store.drop()
    store.close()


def test_who_may_only_search_lists_what_it_may_see(secured: str, index: str) -> None:
    """A list needs the right to read mappings: of the indexes that a user may read, with their documents."""
    (listed,) = (
        stats
        for stats in list_indexes(secured, auth=engine_access(secured, "search"))
        if stats.index == index
    )
    assert (listed.documents, listed.engine, listed.bytes) == (3, "Elasticsearch", None)
    assert listed.access == engine_access(secured, "search").describe()


def refusal(address: str, access: StoreAuth) -> EsclipError:
    """What a first question raises."""
    store = EngineStore(address, f"esclip-{uuid4().hex}", SOON, access)
    with pytest.raises(EsclipError) as raised:
        store.schema()
    store.close()
    assert "\n" not in str(raised.value)
    return raised.value


def test_a_wrong_password(address: str) -> None:
    """Who has another password is told that it is that, at once."""
    error = refusal(address, replace(engine_access(address), password="wrong-Zx9"))
    assert "does not let you in" in str(error)
    assert "password" in str(error)
    assert "Zx9" not in str(error)
    assert not isinstance(error, StoreUnavailable)


def test_no_credentials(address: str) -> None:
    """Who gives none is told what can be given."""
    error = refusal(address, StoreAuth(ca_file=engine_access(address).ca_file))
    assert "API key" in str(error)


def test_an_unknown_key(secured: str) -> None:
    """An API key that Elasticsearch doesn't know is named by its id, as it reads it from what we send."""
    error = refusal(
        secured, StoreAuth(ca_file=engine_access(secured).ca_file, api_key="night-shift:s3cret-Zx9")
    )
    assert "night-shift" in str(error)
    assert "Zx9" not in str(error)


def test_an_unknown_ca(address: str) -> None:
    """A CA that the system doesn't know is told apart from a server that is down."""
    error = refusal(address, replace(engine_access(address), ca_file=None))
    assert "ca_file" in str(error)
    assert not isinstance(error, StoreUnavailable)


def test_http_instead_of_https(address: str) -> None:
    """An address that lacks the s is told so, by either server's way of refusing it."""
    error = refusal(address.replace("https", "http"), StoreAuth())
    assert "https://" in str(error)


def test_https_instead_of_http() -> None:
    """An address that has an s too much is told so."""
    error = refusal(engine_address("opensearch").replace("http", "https"), StoreAuth())
    assert "begin with http://?" in str(error)


def test_a_search_needs_to_read_only(secured: str, index: str) -> None:
    """Who may read an index and its mapping, and ask nothing of the cluster, can search it."""
    store = EngineStore(secured, index, auth=engine_access(secured, "search"))
    schema = store.schema()
    assert schema == SCHEMA
    assert [hit.id for hit in nearest(store, axis(1), 1)] == ["b"]
    assert store.documents(["c"])["c"].vector.tolist() == axis(2).tolist()
    info = store.info()
    assert info is not None
    assert (info.documents, info.engine, info.bytes) == (3, "Elasticsearch", None)
    assert EngineStore(secured, "esclip-none", auth=engine_access(secured, "search")).info() is None
    store.close()


def test_who_may_only_read_changes_nothing(secured: str, index: str) -> None:
    """A write, a new index and a removal are refused with the right that is missing, by its name."""
    access = engine_access(secured, "search")
    store, absent = (
        EngineStore(secured, index, auth=access),
        EngineStore(secured, "esclip-no", auth=access),
    )
    with pytest.raises(Forbidden, match="manage"), store.bulk_load():
        pass
    with pytest.raises(Forbidden, match="monitor"):
        absent.ensure_index(SCHEMA)
    with pytest.raises(Forbidden, match="delete_index"):
        store.drop()
    with pytest.raises(StoreError, match="indices:data/write"):
        store.upsert([document("d")])
    info = store.info()
    assert info is not None
    assert info.documents == 3
    store.close()
    absent.close()


def test_an_index_of_others(secured: str) -> None:
    """An index for which nothing is allowed is refused in the server's words."""
    store = EngineStore(secured, "others", auth=engine_access(secured, "search"))
    with pytest.raises(Forbidden, match="others"):
        store.schema()
    store.close()
