"""Requests to managed OpenSearch, whose signature a server here computes itself, from what came in."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from esclip import ConfigError, StoreAuth, StoreError
from esclip._concurrency.retry import StoreTimeouts
from esclip.stores.engine.store import EngineStore
from esclip.testing.documents import axis, document, nearest
from tests.unit.engine_double import Answer, Asked, as_json, running

pytest.importorskip("botocore", reason="needs the extra aws: pip install '.[aws]'")

KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session/token+Zx9=="
REGION = StoreAuth(aws_region="eu-north-1")


@pytest.fixture(autouse=True)
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which AWS's tools find nothing."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


@pytest.fixture
def variables(aws: pytest.MonkeyPatch) -> None:
    """Credentials in AWS's variables."""
    aws.setenv("AWS_ACCESS_KEY_ID", KEY)
    aws.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    aws.setenv("AWS_SESSION_TOKEN", TOKEN)


def signature(asked: Asked, secret: str, region: str) -> str:
    """What stands in a rightly signed request, by AWS's description of Signature Version 4."""
    headers = {name.lower(): " ".join(value.split()) for name, value in asked.headers.items()}
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    parts = urlsplit(asked.path)
    query = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parse_qsl(parts.query)
    )
    canonical = "\n".join(
        [
            asked.method,
            quote(parts.path, safe="/-_.~"),
            "&".join("=".join(pair) for pair in query),
            *(f"{name}:{headers[name]}" for name in signed),
            "",
            ";".join(signed),
            hashlib.sha256(asked.body).hexdigest(),
        ]
    )
    date = headers["x-amz-date"]
    scope = f"{date[:8]}/{region}/es/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def refuses_wrong_signatures(asked: Asked) -> Answer:
    """As AWS does: and it repeats what should have been signed, the session's token included."""
    headers = {name.lower(): value for name, value in asked.headers.items()}
    sent = headers.get("authorization", "").partition("Signature=")[2]
    scope = f"Credential={KEY}/{headers.get('x-amz-date', '')[:8]}/eu-north-1/es/aws4_request,"
    if sent == signature(asked, SECRET, "eu-north-1") and scope in headers["authorization"]:
        return None
    return as_json(403, {"message": f"The signature does not match: {headers}"})


@pytest.mark.usefixtures("variables")
def test_requests_are_signed() -> None:
    """Questions, searches and writes of all kinds carry a signature that their receiver computes alike."""
    with running() as double:
        double.lock = refuses_wrong_signatures
        store = EngineStore(double.address, "x", auth=REGION)
        assert store.schema() is not None
        assert store.upsert([document("a ?&=%/ä€"), document("b")]) == []
        store.close()
    assert set(double.documents) == {"a ?&=%/ä€", "b"}
    for asked in double.asked:
        signed = {name.lower() for name in asked.headers}
        assert {"x-amz-date", "x-amz-security-token", "x-amz-content-sha256"} <= signed


@pytest.mark.usefixtures("variables")
def test_the_region_is_signed() -> None:
    """Another region is another signature."""
    with running() as double:
        double.lock = refuses_wrong_signatures
        store = EngineStore(double.address, "x", auth=StoreAuth(aws_region="us-east-1"))
        with pytest.raises(StoreError, match="signature does not match"):
            store.schema()
        store.close()


@pytest.mark.usefixtures("variables")
def test_secrets_are_never_shown(aws: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """AWS repeats the session's token when a signature is wrong: it is in no error and no log."""
    aws.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    with running() as double, caplog.at_level(logging.DEBUG):
        double.lock = refuses_wrong_signatures
        store = EngineStore(double.address, "x", auth=REGION)
        with pytest.raises(StoreError, match="signature does not match") as raised:
            store.schema()
        store.close()
    shown = f"{raised.value} {raised.value.__cause__!r} {caplog.text}"
    assert TOKEN in double.asked[0].headers.values()
    assert "***" in shown
    for secret in (TOKEN, "another-secret"):
        assert secret not in shown


def test_credentials_of_a_profile(aws: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A profile that AWS_PROFILE names is used like the variables."""
    lines = f"[night]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n"
    (tmp_path / "credentials").write_text(lines)
    aws.setenv("AWS_PROFILE", "night")
    with running() as double:
        double.lock = refuses_wrong_signatures
        store = EngineStore(double.address, "x", auth=REGION)
        assert store.schema() is not None
        store.close()


def test_a_role_s_credentials_are_renewed(aws: pytest.MonkeyPatch) -> None:
    """Temporary credentials that are about to end are replaced before the next request."""
    given: list[str] = []

    class Role(BaseHTTPRequestHandler):
        """Gives a container its role's credentials, good for a minute more, which is too little."""

        def do_GET(self) -> None:
            given.append(f"secret-{len(given)}")
            ends = datetime.now(UTC) + timedelta(minutes=1)
            answer = {"AccessKeyId": KEY, "SecretAccessKey": given[-1], "Token": "t"}
            body = json.dumps({**answer, "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Role) as role, running() as double:
        thread = Thread(target=role.serve_forever, args=(0.02,))
        thread.start()
        aws.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{role.server_port}/")
        store = EngineStore(double.address, "x", auth=REGION)
        store.schema()
        store.schema()
        store.close()
        role.shutdown()
        thread.join()
    assert len(given) > 2
    signed = [asked.headers["Authorization"].partition("Signature=")[2] for asked in double.asked]
    used = [
        next(secret for secret in given if signature(asked, secret, "eu-north-1") == sent)
        for asked, sent in zip(double.asked, signed, strict=True)
    ]
    assert used == sorted(used)
    assert len(set(used)) == len(used)


@pytest.mark.parametrize(
    ("profile", "says"), [(None, "no AWS credentials.*AWS_PROFILE"), ("gone", r"profile \(gone\)")]
)
def test_missing_credentials_are_told(aws: pytest.MonkeyPatch, profile: str | None, says: str) -> None:
    """Without credentials nothing is sent or tried again; the error says where they are looked for."""
    if profile:
        aws.setenv("AWS_PROFILE", profile)
    with running() as double:
        store = EngineStore(double.address, "x", StoreTimeouts(first=30), REGION)
        with pytest.raises(ConfigError, match=says):
            nearest(store, axis(0), 1)
        store.close()
    assert double.asked == []


def test_without_botocore_the_extra_is_named() -> None:
    """Who lacks botocore is told what to install, before anything is connected to."""
    code = """
import esclip
from esclip._core.optional_imports import hide_module
with hide_module("botocore"):
    esclip.open_index("https://localhost", auth=esclip.StoreAuth(aws_region="x"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ConfigError: AWS credentials need botocore: pip install 'esclip[aws]'" in done.stderr
