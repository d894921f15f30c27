"""A distribution on disk: fetched by Maven, unpacked once, and from then on only read."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from ._catalogue import Engine, EngineError, Place
from ._proxy import fetch_proxy
from ._tools import find_program

__all__ = ["make_home"]

_POM = Path(__file__).with_name("pom.xml")
_PAINLESS_DESCRIPTOR = """\
name=lang-painless
description=Painless scripting
version={version}
opensearch.version={version}
java.version=11
classname=org.opensearch.painless.PainlessPlugin
"""
_PAINLESS_POLICY = """\
grant {
  permission java.lang.RuntimePermission "createClassLoader";
  permission java.lang.RuntimePermission "getClassLoader";
};
"""


def make_home(place: Place, engine: Engine) -> bool:
    """Fetch and unpack what `engine` runs from; False when it is there already."""
    if engine.before:
        return fetch_proxy(place)
    home = place.home(engine)
    if home.exists():
        return False
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.root, prefix="fetch-") as scratch:
        files = Path(scratch)
        _fetch(engine, files)
        unpacked = _unpack(engine, files)
        unpacked.rename(home)  # the last step: a home that exists is whole
    return True


def _fetch(engine: Engine, files: Path) -> None:
    goals = [f"dependency:copy@{execution}" for execution in engine.maven]
    options = [f"-Dengine.version={engine.version}", f"-Dengine.files={files}"]
    command = [find_program("mvn", "maven"), "--batch-mode", "--quiet", "--file", str(_POM), *options, *goals]
    done = subprocess.run(command, cwd=files, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[:20])
        raise EngineError(f"Maven could not fetch {engine.product.value} {engine.version}:\n{tail}")


def _unpack(engine: Engine, files: Path) -> Path:
    with zipfile.ZipFile(files / "engine.zip") as archive:
        archive.extractall(files)
    home = files / f"{engine.product.value}-{engine.version}"
    for program in (home / "bin").iterdir():
        program.chmod(0o755)  # zipfile does not restore modes
    if (files / "lang-painless").is_dir():
        _add_painless(engine, files / "lang-painless", home / "modules/lang-painless")
    if (files / "knn.zip").is_file():
        with zipfile.ZipFile(files / "knn.zip") as archive:
            archive.extractall(home / "plugins/opensearch-knn")
    for folder in ("plugins", "logs"):
        (home / folder).mkdir(exist_ok=True)
    return home


def _add_painless(engine: Engine, jars: Path, module: Path) -> None:
    shutil.copytree(jars, module)
    (module / "plugin-descriptor.properties").write_text(_PAINLESS_DESCRIPTOR.format(version=engine.version))
    (module / "plugin-security.policy").write_text(_PAINLESS_POLICY)
