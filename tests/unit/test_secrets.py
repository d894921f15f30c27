"""Secrets: in no message, no traceback with its locals, no repr, no log, whatever goes wrong."""

from __future__ import annotations

import base64
import json
import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import esclip
from esclip import EsclipError, StoreAuth
from esclip._cli.groups import EncoderOptions, StoreOptions
from esclip._concurrency.retry import StoreTimeouts
from esclip._errors.secrets import Address, Secret, mask
from esclip._net.redaction import Redactor, with_base64
from esclip._server.encoder_app import open_server
from esclip.encoders.palette import PaletteEncoder
from esclip.encoders.remote.encoder import RemoteEncoder
from esclip.stores.engine.store import EngineStore
from esclip.testing.documents import axis, document, nearest
from tests.servers import unused_port
from tests.unit.engine_double import Answer, Asked, as_json, running

TOKEN = "t0ken-Zx9-of-the-encoder"
PASSWORD = "Zx9/s3cret=ä"
KEY = "id-of-it:Zx9-the-key"
TIMEOUTS = StoreTimeouts(first=0.2, read=0.2, write=0.2)
PATIENT = StoreTimeouts(first=3, read=3, write=3)
"""For servers that answer, on a machine that is busy."""
ACCESSES = {
    "password": StoreAuth(user="alice", password=PASSWORD),
    "short password": StoreAuth(user="alice", password="Zx9"),
    "API key": StoreAuth(api_key=KEY),
    "encoded API key": StoreAuth(api_key=base64.b64encode(KEY.encode()).decode()),
}


def shown(error: BaseException) -> str:
    """All that a traceback with locals tells, causes included, as pytest and rich show it."""
    told, waiting = [], [error]
    while waiting:
        one = waiting.pop()
        told.append(f"{type(one)} {one} {one.args}")
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if frame.f_code.co_filename == __file__:
                continue  # what a user's own frames hold is theirs
            told.append(f"in {frame.f_code.co_qualname}")
            for name, value in frame.f_locals.items():
                with suppress(AttributeError):  # not made yet
                    told.append(f"{name}={value!r}")
        cause = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        waiting += [cause] if cause else []
    return "\n".join(told)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("http://alice:s3cret@host:9200/a", "http://***@host:9200/a"),
        ("at https://s3cret@host: refused", "at https://***@host: refused"),
        ("http://alice:s3/cret@host", "http://***@host"),
        ("no file http:/alice:s3cret@host", "no file http:/***@host"),
        ("ftp://a:s3cret@h and http://b:s3cret@h", "ftp://***@h and http://***@h"),
        ("http://host:9200/photos/@alice", "http://host:9200/photos/@alice"),
        ("https://medium.com/@alice/a", "https://medium.com/@alice/a"),
        ("C:/pictures/alice@work.jpg", "C:/pictures/alice@work.jpg"),
        ("alice@example.org", "alice@example.org"),
    ],
)
def test_urls_in_texts_lose_their_users(text: str, says: str) -> None:
    """Whoever stands before a host is masked, an @ elsewhere stays."""
    assert mask(text) == says
    assert str(esclip.StoreError(text)) == says


SECRETS = ["s3cret", "password", "Zx9/s3cret=ä", 'qu"ote\\d', "a b&c<d>"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "spelled",
    [
        lambda secret: json.dumps({"error": {"reason": f"you said {secret}!"}}),
        lambda secret: json.dumps({"error": f"({secret})"}, ensure_ascii=False),
        lambda secret: json.dumps({"items": [{"index": {"error": {"type": secret}}}]}),
        lambda secret: json.dumps({"error": {"reason": json.dumps({"password": secret})}}),
        lambda secret: json.dumps({"error": {"reason": str({"password": secret})}}),
        lambda secret: json.dumps({"reason": secret}).replace("/", "\\/"),
        lambda secret: f"<html><p>{secret}</p></html>",
        lambda secret: json.dumps([secret, {"a": [secret]}]),
    ],
)
def test_answers_lose_secrets_however_they_are_spelled(spelled: Callable[[str], str], secret: str) -> None:
    """Escaped for JSON, JSON in JSON, HTML or Python's repr: what is told has it not."""
    told = Redactor([secret]).answer(spelled(secret).encode()).decode()
    assert "***" in told
    for form in (secret, json.dumps(secret)[1:-1]):
        assert form not in told
        assert form not in str(json.loads(told) if told.startswith(("{", "[")) else "")


def test_documents_keep_words_that_are_a_password_too() -> None:
    """A bad password is a word: hits whose descriptions have it stay as they are, errors don't."""
    source = {"_id": "elephants", "_source": {"description": "two elephants"}, "sort": ["elephants"]}
    answer = {"hits": [source], "error": {"type": "elephants_exception", "reason": "elephants"}}
    told = json.loads(Redactor(["elephants"]).answer(json.dumps(answer).encode()))
    assert told["hits"] == [source]
    assert told["error"] == {"type": "elephants_exception", "reason": "***"}


def test_documents_lose_what_can_be_no_word() -> None:
    """What headers carry is no part of anybody's document."""
    header = with_base64("alice:elephants")[1]
    answer = {"_source": {"description": f"you said Basic {header}"}}
    told = json.loads(Redactor(["elephants"], [header]).answer(json.dumps(answer).encode()))
    assert told["_source"]["description"] == "you said Basic ***"


@contextmanager
def breaking(say: bytes = b"") -> Iterator[str]:
    """The address of a server that reads a request, repeats it after `say`, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        ended = threading.Event()

        def answer() -> None:
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(1)
                    head = connection.recv(1 << 16)
                    connection.sendall(say + b" ".join(head.split()) if say else b"")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            ended.set()
            thread.join()


@contextmanager
def nowhere() -> Iterator[str]:
    """An address at which nobody listens."""
    yield f"http://127.0.0.1:{unused_port()}"


@contextmanager
def refusing(status: int) -> Iterator[str]:
    """A server that repeats what lets in, in an answer of this status."""

    def gossip(asked: Asked) -> Answer:
        return as_json(status, {"error": f"you said {dict(asked.headers)}"})

    with running() as double:
        double.lock = gossip
        yield double.address


TROUBLES: dict[str, Callable[[], AbstractContextManager[str]]] = {
    "nobody there": nowhere,
    "hangs up": breaking,
    "no HTTP": lambda: breaking(b"you said "),
    "a header of its own": lambda: breaking(b"HTTP/1.1 400 no\r\nContent-Length: "),
    "400": lambda: refusing(400),
    "401": lambda: refusing(401),
    "500": lambda: refusing(500),
    "200": lambda: refusing(200),
}


def leaks(text: str, secrets: tuple[str, ...]) -> list[str]:
    """What of the secrets stands in the text, in any form."""
    forms = [form for secret in secrets for form in with_base64(secret)]
    return [form for form in forms if form in text]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_failure_shows_the_encoders_token(trouble: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the error of a server that isn't one, nor its causes, locals or logs have it."""
    caplog.set_level(logging.DEBUG)
    with TROUBLES[trouble]() as address, pytest.raises(EsclipError) as raised:
        RemoteEncoder(address, TOKEN, timeout=0.2, backoff=0.01)
    assert not leaks(shown(raised.value) + caplog.text, (TOKEN,))


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_failure_shows_an_encoders_password(trouble: str) -> None:
    """The same for a user and password in the address."""
    with TROUBLES[trouble]() as address, pytest.raises(EsclipError) as raised:
        RemoteEncoder(address.replace("//", "//alice:Zx9-s3cret@"), timeout=0.2, backoff=0.01)
    assert not leaks(shown(raised.value), ("Zx9-s3cret", "alice:Zx9-s3cret"))


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("kind", ["password", "API key"])
def test_no_failure_shows_what_lets_into_a_cluster(
    trouble: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong between us and a cluster, no error, cause, local or log has the credentials."""
    with caplog.at_level(logging.DEBUG), TROUBLES[trouble]() as address:
        store = EngineStore(address, "x", TIMEOUTS, ACCESSES[kind])
        with pytest.raises(EsclipError) as raised:
            store.schema()
        store.close()
    assert "Zx9" not in shown(raised.value) + caplog.text
    assert not leaks(shown(raised.value) + caplog.text, (PASSWORD, f"alice:{PASSWORD}", "alice:Zx9", KEY))


def gossip_of(asked: Asked) -> str:
    """What a request carried, as it came and decoded."""
    header = asked.headers["authorization"]
    decoded = base64.b64decode(header.partition(" ")[2]).decode()
    return f"you said {header}, that is {decoded}, {decoded.partition(':')[2]}"


ERROR: Callable[[str], dict[str, str]] = lambda words: {"type": "nosy_exception", "reason": words}  # noqa: E731
REPEATING: dict[str, Callable[[str], Any]] = {
    "_bulk": lambda words: {"items": [{"index": {"status": 400, "error": ERROR(words)}}], "errors": True},
    "_msearch": lambda words: {"responses": [{"status": 400, "error": ERROR(words)}]},
    "_mget": lambda words: {"docs": [{"_id": "a", "error": ERROR(words)}]},
    "_search": lambda words: {"error": ERROR(words), "status": 400},
    "_count": lambda words: {"count": 1, "_shards": {"failed": 1, "failures": [words]}},
}
ASKED: dict[str, Callable[[EngineStore], object]] = {
    "_bulk": lambda store: store.upsert([document("a")]),
    "_msearch": lambda store: nearest(store, axis(0), 1),
    "_mget": lambda store: store.documents(["a"]),
    "_search": lambda store: list(store.scan_locations()),
    "_count": lambda store: store.info(),
}


@pytest.mark.parametrize("kind", ACCESSES)
@pytest.mark.parametrize("path", REPEATING)
def test_an_answer_that_is_no_error_keeps_secrets_too(
    path: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What a server repeats in an answer of status 200 is in no rejection, no error and no log."""
    with running() as double, caplog.at_level(logging.DEBUG):

        def gossip(asked: Asked) -> Answer:
            named = asked.path.partition("?")[0].endswith(path)
            return as_json(200, REPEATING[path](gossip_of(asked))) if named else None

        double.lock = gossip
        store = EngineStore(double.address, "x", PATIENT, ACCESSES[kind])
        try:
            told = repr(ASKED[path](store))
        except EsclipError as error:
            told = shown(error)
        store.close()
    told += caplog.text
    assert "you said ***" in told
    assert "Zx9" not in told
    assert not leaks(told, (PASSWORD, f"alice:{PASSWORD}", "alice:Zx9", KEY))


def test_a_version_that_repeats_a_secret() -> None:
    """The server's own name of itself is shown by `stats`: it has none of what was sent."""
    with running() as double:
        root = {"version": {"distribution": "opensearch", "number": f"3.6.{PASSWORD}"}}
        double.lock = lambda asked: as_json(200, root) if asked.path == "/" else None
        store = EngineStore(double.address, "x", PATIENT, ACCESSES["password"])
        assert "Zx9" not in str(store.info())
        store.close()


def test_values_that_hold_secrets_show_none() -> None:
    """The options of commands, an access, a server and its clients have a repr without them."""
    options = StoreOptions(
        store=Address(f"http://alice:{TOKEN}@host"), auth={"password": TOKEN, "api_key": Secret(TOKEN)}
    )
    held: list[Any] = [options, EncoderOptions(encoder_token=Secret(TOKEN)), StoreAuth(api_key=TOKEN)]
    held += [vars(store) for store in (EngineStore(f"http://alice:{TOKEN}@127.0.0.1", "x"),)]
    with open_server(
        PaletteEncoder(), host="127.0.0.1", port=0, token=TOKEN, batch_size=1, max_body=1 << 20
    ) as server:
        held += [server, vars(server), vars(server.app)]
    assert TOKEN not in repr(held)


def test_an_index_that_cannot_be_opened_keeps_its_secrets() -> None:
    """The frames of `open_index` and below have an address without its password, and no token."""
    with pytest.raises(EsclipError) as raised:
        esclip.open_index(
            *(f"http://alice:{TOKEN}@host",), encoder_token=TOKEN, auth=StoreAuth(ca_file="ca.pem")
        )
    frames = shown(raised.value).partition("in open_index")[2]
    assert frames
    assert TOKEN not in frames


def test_indexes_that_cannot_be_listed_keep_the_secrets_of_their_store() -> None:
    """The frames of `list_indexes` and below have an address without its password."""
    with pytest.raises(EsclipError) as raised:
        esclip.list_indexes(*(f"http://alice:{TOKEN}@host",), auth=StoreAuth(ca_file="ca.pem"))
    frames = shown(raised.value).partition("in list_indexes")[2]
    assert frames
    assert TOKEN not in frames


def test_a_query_picture_with_a_password(tmp_path: Path) -> None:
    """The address of a picture to search with is told without its user and password."""
    with esclip.open_index(tmp_path / "index", encoder="palette") as index:
        Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
        index.ingest(tmp_path / "red.png")
        with pytest.raises(EsclipError, match=r"https://\*\*\*@127.0.0.1/a.jpg: a URL with") as raised:
            index.search_image("https://alice:Zx9@127.0.0.1/a.jpg")
    assert "Zx9" not in str(raised.value)
