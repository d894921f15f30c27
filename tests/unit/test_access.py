"""What lets us into a cluster: what is refused at once, and what is never shown."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any

import pytest

import esclip
from esclip import ConfigError, StoreAuth
from esclip._net.access import resolve_access
from esclip.stores import open_store
from esclip.stores.memory import MemoryStore


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"user": "alice"}, "password.*give both"),
        ({"password": "s3cret"}, "user.*give both"),
        ({"user": "alice:s3cret", "password": "s3cret"}, "colon"),
        ({"api_key": "s3cret\n"}, "line break"),
        ({"api_key": "s3crét"}, "line break"),
        ({"user": "alice", "password": "s3cret", "api_key": "s3cret"}, "user alice and API key"),
        ({"api_key": "s3cret", "aws_region": "us-east-1"}, "API key and AWS us-east-1"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, str], says: str) -> None:
    """Half a credential, two of them, and one that no header can hold are each told in one line."""
    with pytest.raises(ConfigError, match=says) as raised:
        StoreAuth(**given)
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "how"),
    [
        ({}, None),
        ({"ca_file": "ca.pem"}, None),
        ({"user": "alice", "password": "s3cret"}, "user alice"),
        ({"api_key": "s3cret"}, "API key"),
        ({"aws_region": "us-east-1"}, "AWS us-east-1"),
    ],
)
def test_an_access_says_how_but_not_with_what(given: dict[str, str], how: str | None) -> None:
    """What it is called has no secret in it, nor has its repr, a copy's, or that of what holds it."""
    access = StoreAuth(**given)
    assert access.describe() == how
    copy = pickle.loads(pickle.dumps(access))
    assert copy == access
    assert "s3cret" not in repr([access, copy, {"a": access.password, "b": access.api_key}])


def test_credentials_in_the_address_are_an_access() -> None:
    """User and password before the host are the access, and no longer in the address."""
    address, access = resolve_access("https://alice:s3cr%20et@host:9200/a", StoreAuth(ca_file="ca.pem"))
    assert address == "https://host:9200/a"
    assert access == StoreAuth("ca.pem", "alice", "s3cr et")


@pytest.mark.parametrize(
    "access", [StoreAuth(user="bob", password="x"), StoreAuth(api_key="x"), StoreAuth(aws_region="x")]
)
def test_credentials_twice_are_refused(access: StoreAuth) -> None:
    """Credentials in the address beside others are not silently dropped, whichever would win."""
    with pytest.raises(ConfigError, match="give one") as raised:
        open_store("https://alice:s3cret@host", "x", access)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("address", "warns"),
    [
        ("http://host:9200", True),
        ("http://10.0.0.1", True),
        ("http://localhost:9200", False),
        ("http://127.0.0.2:9200", False),
        ("http://[::1]:9200", False),
        ("https://host", False),
    ],
)
def test_credentials_in_the_clear_are_warned_of(
    address: str, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Credentials that leave the machine unencrypted are warned of once, without them."""
    with caplog.at_level(logging.WARNING):
        resolve_access(address, StoreAuth(api_key="s3cret"))
        resolve_access(address, StoreAuth())
    assert [address in record.message for record in caplog.records] == [True] * warns
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("content", [None, b"", b"no PEM", "folder"])
def test_ca_files_that_cannot_be_used(tmp_path: Path, content: Any) -> None:
    """A CA file that isn't there, or holds no certificate, is named before anything is connected to."""
    file = tmp_path / "ca.pem"
    if content == "folder":
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=str(file)):
        open_store("https://host", "x", StoreAuth(ca_file=file))


def test_a_ca_file_without_tls_is_refused() -> None:
    """Who names certificates means TLS: an http:// address beside them is a slip."""
    with pytest.raises(ConfigError, match="https://"):
        open_store("http://localhost:9200", "x", StoreAuth(ca_file="ca.pem"))


def test_a_folder_has_no_lock(tmp_path: Path) -> None:
    """Credentials for an embedded store are a mistake, not something to pass over; none are none."""
    with pytest.raises(ConfigError, match="folder"):
        esclip.open_index(tmp_path, auth=StoreAuth(user="alice", password="s3cret"))
    esclip.open_index(tmp_path, auth=StoreAuth()).close()


def test_a_store_has_been_let_in_already() -> None:
    """An access beside a ready store would have no effect, and is refused."""
    with pytest.raises(ConfigError, match="address"):
        esclip.open_index(MemoryStore("x"), auth=StoreAuth(api_key="x"))


def test_a_password_is_no_folder_name() -> None:
    """An address that lacks its https:// does not become a folder that is called like the password."""
    with pytest.raises(ConfigError, match="https://") as raised:
        open_store("alice:s3cret@host:9200", "x")
    assert "s3cret" not in str(raised.value)
