"""Which engines there are, where their files go, and the one error that ends the script."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

__all__ = ["ENGINES", "Engine", "EngineError", "Place", "Product"]


class EngineError(Exception):
    """What can't be done, and what to do about it, in one line (a log's tail may follow)."""


class Product(Enum):
    """The two families, which differ in names of files and variables, and what stands before one."""

    OPENSEARCH = "opensearch"
    ELASTICSEARCH = "elasticsearch"
    NGINX = "nginx"


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine as tests know it."""

    name: str
    product: Product
    version: str
    nodes: int
    jdks: range
    """The major Java versions that it runs on."""
    maven: tuple[str, ...]
    """The executions of `pom.xml` that fetch its files."""
    port_offset: int
    """Its first node's port, counted from `Place.first_port`."""
    locked: bool = False
    """Whether it speaks TLS and wants a user and a password: see `_keys`."""
    before: str = ""
    """The engine that it stands before and hands requests to; empty for one that answers itself."""
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Settings of its own for each node."""
    mortal: bool = False
    """Whether tests kill its nodes, and no others use it."""

    @property
    def native(self) -> bool:
        """Whether its nodes are processes of this machine even where Docker is."""
        return self.locked or self.mortal

    @property
    def cluster_name(self) -> str:
        """The name by which its answers are told from a stranger's."""
        return f"esclip-{self.before or self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that tells the tests its address."""
        return f"ESCLIP_TEST_{self.name.upper()}"


# A node writes one request at a time and lets one wait: the engine that breaks is often too busy, too.
_NARROW = {"thread_pool.write.size": "1", "thread_pool.write.queue_size": "1"}

# OpenSearch 2.19 needs the security manager, which Java 24 removed; the 3.x zip brings lang-painless along.
ENGINES: Mapping[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("opensearch", Product.OPENSEARCH, "3.6.0", 1, range(21, 26), ("opensearch",), 0),
        Engine("opensearch2", Product.OPENSEARCH, "2.19.6", 1, range(17, 24), ("opensearch", "painless"), 1),
        Engine("elasticsearch", Product.ELASTICSEARCH, "9.3.2", 1, range(21, 26), ("elasticsearch",), 2),
        Engine("cluster", Product.OPENSEARCH, "3.6.0", 3, range(21, 26), ("opensearch",), 3),
        Engine("secured", Product.ELASTICSEARCH, "9.3.2", 1, range(21, 26), ("elasticsearch",), 6, True),
        Engine("proxied", Product.NGINX, "", 1, range(0), (), 7, True, before="opensearch"),
        Engine(
            "faulty",
            Product.OPENSEARCH,
            "3.6.0",
            3,
            range(21, 26),
            ("opensearch",),
            8,
            settings=_NARROW,
            mortal=True,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where on this machine the engines live."""

    root: Path
    first_port: int
    java_options: str | None = None
    """Options of the user's for each node, which is as released otherwise; None: it is made for tests."""
    data: Path | None = None
    """Where nodes write their data, if not below `root`: in memory they take half the time for a test."""

    @classmethod
    def from_environment(cls) -> Place:
        """From `ESCLIP_ENGINES_HOME`, `_DATA`, `ESCLIP_ENGINE_PORT` and `_JAVA_OPTIONS`, or their defaults.

        For root the default is not in the home folder: that one is closed to the user that the nodes run as.
        """
        default = "/var/cache/esclip-engines" if os.geteuid() == 0 else "~/.cache/esclip-engines"
        root = Path(os.environ.get("ESCLIP_ENGINES_HOME") or default).expanduser().resolve()
        if root.is_relative_to(Path(__file__).resolve().parents[2]):
            raise EngineError(f"ESCLIP_ENGINES_HOME: {root} is in the repository; name a folder outside it")
        port = os.environ.get("ESCLIP_ENGINE_PORT") or "9210"
        if not port.isdecimal() or not 1024 <= int(port) <= 65000:
            raise EngineError(f"ESCLIP_ENGINE_PORT: {port!r} is no port; give a number from 1024 to 65000")
        data = os.environ.get("ESCLIP_ENGINES_DATA")
        java_options = os.environ.get("ESCLIP_ENGINE_JAVA_OPTIONS")
        return cls(root, int(port), java_options, Path(data).resolve() if data else None)

    def home(self, engine: Engine) -> Path:
        """The unpacked distribution, shared by all nodes of that version."""
        return self.root / "homes" / f"{engine.product.value}-{engine.version}"

    def http_port(self, engine: Engine, number: int = 1) -> int:
        """The port of node `number`, counted from 1; its transport port is 100 above."""
        return self.first_port + engine.port_offset + number - 1

    def url(self, engine: Engine) -> str:
        """The address that tests use."""
        return f"{'https' if engine.locked else 'http'}://127.0.0.1:{self.http_port(engine)}"
