"""A server of S3's protocol on the loopback interface."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import pytest
import requests

__all__ = ["Service", "bucket_service"]

_numbers = count(1)

_SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=made-up/20260101/us-east-1/s3/aws4_request"}
"""What the server takes for a signature; without one nothing is replaced."""


@dataclass(frozen=True)
class Service:
    """Where the server is."""

    address: str

    def make_bucket(self) -> str:
        """A bucket that no other test has."""
        name = f"photos-{next(_numbers)}"
        self.put(name)
        return name

    def put(self, bucket: str, key: str = "", data: bytes = b"") -> None:
        """Make a bucket, or write an object."""
        assert requests.put(f"{self.address}/{bucket}/{key}", data=data, headers=_SIGNED, timeout=10).ok

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object."""
        assert requests.delete(f"{self.address}/{bucket}/{key}", headers=_SIGNED, timeout=10).ok

    def check_credentials(self, after: str) -> None:
        """Refuse unknown credentials after so many requests; `inf`: never."""
        requests.post(f"{self.address}/moto-api/reset-auth", data=after, timeout=10)


SERVER = """
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%s" % server.get_host_and_port(), flush=True)
input()
"""
"""A process of its own: its threads are not those that sources leave behind."""


@contextmanager
def bucket_service() -> Iterator[Service]:
    """Context manager: the server, and an environment that names it."""
    with (
        subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process,
        pytest.MonkeyPatch.context() as patch,
    ):
        assert process.stdout
        address = process.stdout.readline().strip()
        assert address
        patch.setenv("AWS_ENDPOINT_URL_S3", address)
        patch.setenv("AWS_ACCESS_KEY_ID", "made-up")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield Service(address)
        process.kill()
