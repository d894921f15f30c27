"""nginx before an engine: TLS and a password for one that has neither, as many put it before OpenSearch.

It is the system's nginx, or Debian's package unpacked beside the engines: to install that starts a server.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from ._catalogue import ENGINES, EngineError, Place
from ._keys import USER, make_keys
from ._nodes import Node

__all__ = ["Proxy", "fetch_proxy"]

_PACKAGES = ("nginx", "nginx-light", "nginx-core")
"""Which of them has the program depends on the release."""

_CONFIG = """\
daemon off;
worker_processes 1;
pid {folder}/tmp/nginx.pid;
error_log {folder}/logs/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/tmp/body;
  proxy_temp_path {folder}/tmp/proxy;
  fastcgi_temp_path {folder}/tmp/fastcgi;
  uwsgi_temp_path {folder}/tmp/uwsgi;
  scgi_temp_path {folder}/tmp/scgi;
  client_max_body_size 100m;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    auth_basic engines;
    auth_basic_user_file {folder}/passwords;
    location / {{
      proxy_pass {upstream};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "";
    }}
  }}
}}
"""


class Proxy(Node):
    """The one node of an engine that stands before another."""

    __slots__ = ()

    def _prepare(self) -> tuple[list[str | Path], dict[str, str]]:
        keys, config = make_keys(self.place), self.folder / "nginx.conf"
        for file in (keys.certificate, keys.key):
            shutil.copy(file, self.folder)
        (self.folder / "passwords").write_text(f"{USER}:{{PLAIN}}{keys.password}\n")
        config.write_text(
            _CONFIG.format(
                folder=self.folder,
                port=self.place.http_port(self.engine),
                upstream=self.place.url(ENGINES[self.engine.before]),
            )
        )
        command: list[str | Path] = [
            _program(self.place),
            "-e",
            self.folder / "logs/error.log",
            "-p",
            self.folder,
            "-c",
            config,
        ]
        return command, {"PATH": os.environ.get("PATH", os.defpath)}


def fetch_proxy(place: Place) -> bool:
    """Unpack the package where the machine has no nginx; False when one is there already."""
    if _program(place).exists():
        return False
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update"], capture_output=True, check=False)
    home = _home(place)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.root, prefix="fetch-") as scratch:
        for package in _PACKAGES:
            unpacked = Path(scratch) / package
            if _unpack(package, unpacked) and (unpacked / "usr/sbin/nginx").exists():
                unpacked.rename(home)
                return True
    raise EngineError("there is no nginx, and apt has none to unpack; install it (apt-get install nginx)")


def _home(place: Place) -> Path:
    return place.root / "homes" / "nginx"


def _program(place: Place) -> Path:
    return Path(shutil.which("nginx") or _home(place) / "usr/sbin/nginx")


def _unpack(package: str, target: Path) -> bool:
    if shutil.which("apt-get") is None:
        return False
    target.mkdir()
    fetch, unpack = ["apt-get", "download", package], ["dpkg", "--extract"]
    if subprocess.run(fetch, cwd=target.parent, capture_output=True, check=False).returncode != 0:
        return False
    (file,) = target.parent.glob(f"{package}_*.deb")
    return subprocess.run([*unpack, file, target], capture_output=True, check=False).returncode == 0
