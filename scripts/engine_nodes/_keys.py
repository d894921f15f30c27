"""Certificates and a password of engines with a lock: made on this machine, never in the repository.

make_keys ─► <cache>/keys/ca.pem               who is to be trusted
                          server.pem, .key     127.0.0.1 and localhost, signed by it
                          password             of the users
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ._catalogue import EngineError, Place
from ._tools import find_program

__all__ = ["RIGHTS", "ROLES", "USER", "Keys", "issue", "keys_of", "make_ca", "make_keys"]

USER = "esclip-tests"
ROLES = {USER: "superuser", f"{USER}-search": "search", f"{USER}-ingest": "ingest"}
"""All users, of one password. The latter two may do what README.md says that they need to."""
RIGHTS = """\
search:
  indices: [{names: ["esclip-*"], privileges: [read, view_index_metadata]}]
ingest:
  cluster: [monitor]
  indices: [{names: ["esclip-*"], privileges: [read, write, manage]}]
"""
_NAMES = ("IP:127.0.0.1", "DNS:localhost")
_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Keys:
    """What a server with a lock needs, and what lets a client in."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The certificate of who signed the server's."""
        return self.folder / "ca.pem"

    @property
    def certificate(self) -> Path:
        """The server's certificate."""
        return self.folder / "server.pem"

    @property
    def key(self) -> Path:
        """The server's private key."""
        return self.folder / "server.key"

    @property
    def password(self) -> str:
        """The password of `USER`."""
        return (self.folder / "password").read_text()


def make_keys(place: Place) -> Keys:
    """The keys of this machine's engines, made the first time."""
    keys = keys_of(place)
    if not keys.folder.exists():
        place.root.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=place.root, prefix="keys-"))  # open to its owner only
        try:
            issue(make_ca(scratch, "esclip tests"), scratch / "server", _NAMES)
            (scratch / "password").write_text(secrets.token_urlsafe(24))
            scratch.rename(keys.folder)  # the last step: keys that exist are whole
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return keys


def keys_of(place: Place) -> Keys:
    """The keys of this machine's engines, there or not."""
    return Keys(place.root / "keys")


def make_ca(folder: Path, name: str) -> Path:
    """A certificate authority in `folder`, as `ca.pem` and `ca.key`; returns the former."""
    certificate = folder / "ca.pem"
    _openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(_DAYS), "-subj", f"/CN={name}"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        *("-keyout", certificate.with_suffix(".key"), "-out", certificate),
    )
    return certificate


def issue(ca: Path, server: Path, names: Sequence[str], days: int = _DAYS) -> None:
    """A certificate for `names`, signed by `ca`, as `server` with the suffixes .pem and .key."""
    request, extensions = server.with_suffix(".csr"), server.with_suffix(".ext")
    extensions.write_text(
        f"subjectAltName={','.join(names)}\nextendedKeyUsage=serverAuth\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    key = server.with_suffix(".key")
    _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-keyout", key, "-out", request)
    _openssl(
        *("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca.with_suffix(".key"), "-CAcreateserial"),
        *("-days", str(days), "-extfile", extensions, "-out", server.with_suffix(".pem")),
    )


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run([find_program("openssl"), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EngineError(f"openssl {arguments[0]} failed:\n{done.stderr}")
