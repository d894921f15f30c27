"""The way into an engine: TLS that is always checked, credentials that are sent and never shown."""

from __future__ import annotations

import base64
import logging
import re
import shutil
import ssl
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from esclip import EsclipError, StoreAuth, StoreError, StoreUnavailable
from esclip._concurrency.retry import StoreTimeouts
from esclip.stores.engine.errors import Forbidden
from esclip.stores.engine.store import EngineStore
from scripts.engine_nodes._keys import issue, make_ca
from tests.unit.engine_double import Answer, Asked, EngineDouble, as_json, running

TIMEOUTS = StoreTimeouts(first=0.3, read=0.5, write=3)
HOST = ("IP:127.0.0.1",)

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make certificates")


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Who signs the certificates of these tests."""
    return make_ca(tmp_path_factory.mktemp("ca"), "these tests")


@contextmanager
def secured(ca: Path, *names: str, days: int = 1) -> Iterator[EngineDouble]:
    """A double over TLS, with a certificate for `names`."""
    server = ca.with_name("server")
    issue(ca, server, names or HOST, days)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(server.with_suffix(".pem"), server.with_suffix(".key"))
    with running(tls=tls) as double:
        yield double


def refusal(address: str, access: StoreAuth | None = None) -> EsclipError:
    """What a first question raises."""
    store = EngineStore(address, "x", TIMEOUTS, access)
    with pytest.raises(EsclipError) as raised:
        store.schema()
    store.close()
    assert "\n" not in str(raised.value)
    return raised.value


@needs_openssl
def test_a_server_is_trusted_by_its_ca(ca: Path) -> None:
    """A certificate that the named file's CA has signed is good."""
    with secured(ca) as double:
        store = EngineStore(double.address, "x", auth=StoreAuth(ca_file=ca))
        assert store.schema() is not None
        store.close()


@needs_openssl
def test_a_server_is_trusted_by_the_system(ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file the system's certificates count, which SSL_CERT_FILE names."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    with secured(ca) as double:
        store = EngineStore(double.address, "x")
        assert store.schema() is not None
        store.close()


@needs_openssl
def test_a_file_stands_for_the_system(ca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file is named, nobody but its CA is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    with secured(ca) as double:
        assert "ca_file" in str(refusal(double.address, StoreAuth(ca_file=make_ca(tmp_path, "others"))))
    assert double.asked == []


@needs_openssl
@pytest.mark.parametrize(
    ("names", "days", "says"),
    [
        (("DNS:elsewhere",), 1, "IP address mismatch.*address that the certificate is for"),
        (("IP:127.0.0.2",), 1, "address that the certificate is for"),
        (HOST, 0, "expired.*renewed"),
    ],
)
def test_certificates_that_are_not_good(ca: Path, names: tuple[str, ...], days: int, says: str) -> None:
    """A certificate for another host, or out of date, ends it before a credential is sent, and says why."""
    with secured(ca, *names, days=days) as double:
        time.sleep(1.1 * (days == 0))  # valid to the second in which it was made
        error = refusal(double.address, StoreAuth(ca, "alice", "s3cret"))
    assert not isinstance(error, StoreUnavailable)
    assert re.search(says, str(error))
    assert double.asked == []


@needs_openssl
def test_names_are_checked(ca: Path) -> None:
    """A server under a name that its certificate lacks is not trusted."""
    with secured(ca) as double:
        named = double.address.replace("127.0.0.1", "localhost")
        assert "name that the certificate is for" in str(refusal(named, StoreAuth(ca_file=ca)))


@needs_openssl
def test_an_unknown_ca_says_how_to_trust_it(ca: Path) -> None:
    """A certificate that nobody known has signed names the option."""
    with secured(ca) as double:
        error = refusal(double.address)
    assert "ca_file" in str(error)
    assert not isinstance(error, StoreUnavailable)


@needs_openssl
def test_http_where_https_is_spoken(ca: Path) -> None:
    """A server that hangs up on plain HTTP may want TLS, which the error says."""
    with secured(ca) as double:
        assert "begin with https://?" in str(refusal(double.address.replace("https", "http")))


def test_https_where_http_is_spoken() -> None:
    """A server without TLS is told apart from one that isn't trusted."""
    with running() as double:
        assert "begin with http://?" in str(refusal(double.address.replace("http", "https")))


@pytest.mark.parametrize(
    ("access", "header"),
    [
        (
            StoreAuth(user="alice", password="pässwörd:€"),
            "Basic " + base64.b64encode("alice:pässwörd:€".encode()).decode(),
        ),
        (StoreAuth(api_key="aWQ6a2V5"), "ApiKey aWQ6a2V5"),
        (StoreAuth(api_key="id:key"), "ApiKey aWQ6a2V5"),
        (StoreAuth(), None),
    ],
)
def test_credentials_are_sent(access: StoreAuth, header: str | None) -> None:
    """Each kind of credentials goes with every request, in UTF-8."""
    with running() as double:
        store = EngineStore(double.address, "x", auth=access)
        store.info()
        store.close()
    assert {asked.headers.get("authorization") for asked in double.asked} == {header}
    assert len(double.asked) > 3


def gossip(asked: Asked) -> Answer:
    """A refusal that repeats what came, as some proxies do."""
    header = asked.headers["authorization"].partition(" ")[2]
    decoded = base64.b64decode(header).decode()
    reason = f"you said {header}, that is {decoded}, {decoded.partition(':')[2]}"
    return as_json(400, {"error": {"type": "nosy", "reason": reason}})


@pytest.mark.parametrize(
    "access", [StoreAuth(user="alice", password='s3"crét-Zx9'), StoreAuth(api_key="alice:s3cret-Zx9")]
)
def test_nothing_gives_a_secret_away(access: StoreAuth, caplog: pytest.LogCaptureFixture) -> None:
    """Not even a server that repeats it: no error, cause, traceback, repr or log has it, at any level."""
    with running() as double, caplog.at_level(logging.DEBUG):
        double.lock = gossip
        store = EngineStore(double.address, "x", TIMEOUTS, access)
        with pytest.raises(StoreError, match=r"you said \*\*\*, that is \*\*\*, \*\*\*") as raised:
            store.schema()
        told = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
        shown = "\n".join([*told.format(), caplog.text, repr(store), repr(vars(store)), store.address])
        sent = double.asked[0].headers["authorization"].split()[1]
        store.close()
    assert "you said ***" in caplog.text
    assert "authorization" in shown  # locals are among it
    for secret in ("Zx9", sent):
        assert secret not in shown


def test_a_short_password_breaks_no_answer() -> None:
    """A password that is part of an answer's words leaves them as they are."""
    with running() as double:
        error = {"type": "index_not_found_exception", "reason": "no such index [x]"}
        double.lock = lambda asked: as_json(404, {"error": error}) if asked.path != "/" else None
        store = EngineStore(double.address, "x", auth=StoreAuth(user="a", password="index"))
        assert store.schema() is None
        store.close()


def test_unknown_credentials() -> None:
    """A 401 is no reason to try again; it tells the server's reason and what to give."""
    reason = {"reason": "unable to authenticate", "additional_unsuccessful_credentials": "API key: expired"}
    with running() as double:
        double.lock = lambda asked: as_json(401, {"error": {"type": "security_exception", **reason}})
        error = refusal(double.address, StoreAuth(api_key="s3cret"))
        assert len(double.asked) == 1
    assert "unable to authenticate: API key: expired" in str(error)
    assert "an API key" in str(error)


def test_a_missing_right() -> None:
    """A 403 tells the server's reason, and where the rights that are needed stand."""
    with running() as double:
        double.lock = lambda asked: as_json(403, {"error": {"reason": "needs view_index_metadata"}})
        error = refusal(double.address)
    assert isinstance(error, Forbidden)
    assert "view_index_metadata" in str(error)
    assert "docs/how-to/opensearch.md" in str(error)


@pytest.mark.parametrize(
    ("status", "title", "says"),
    [
        (401, "401 Authorization Required", "401 Authorization Required"),
        (403, "403 Forbidden", "403 Forbidden"),
        (400, "400 The plain HTTP request was sent to HTTPS port", "begins with https://"),
    ],
)
def test_a_proxys_page_is_told_by_its_title(status: int, title: str, says: str) -> None:
    """What nginx and its like answer is told in words, not as a page."""
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>much</body></html>".encode()
    with running() as double:
        double.lock = lambda asked: (status, "text/html", page)
        error = str(refusal(double.address))
    assert says in error
    assert "<" not in error
