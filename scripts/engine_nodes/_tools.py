"""Java, Maven, openssl and nginx: found on this machine, or installed with apt where that is allowed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ._catalogue import EngineError

__all__ = ["find_jdk", "find_program"]

_JVM_FOLDER = Path("/usr/lib/jvm")
_LONG_TERM = (17, 21, 25)


def find_jdk(majors: range) -> Path:
    """A JDK with one of these major versions, the oldest that will do."""
    jdk = _installed_jdk(majors)
    if jdk is None:
        packages = [f"openjdk-{major}-jdk-headless" for major in _LONG_TERM if major in majors]
        _apt_install_first(packages)
        jdk = _installed_jdk(majors)
    if jdk is None:
        raise EngineError(
            f"no JDK {majors.start} to {majors.stop - 1} in JAVA_HOME or {_JVM_FOLDER}; "
            "install one and set JAVA_HOME to it"
        )
    return jdk


def find_program(name: str, package: str = "") -> str:
    """The program of this name, from the package of that name, or of the program's."""
    package = package or name
    if shutil.which(name) is None:
        _apt_install_first([package])
    found = shutil.which(name)
    if found is None:
        raise EngineError(f"{name} is not on the PATH; install it (apt-get install {package})")
    return found


def _installed_jdk(majors: range) -> Path | None:
    found = {major: home for major, home in _jdks() if major in majors}
    return found[min(found)] if found else None


def _jdks() -> Iterator[tuple[int, Path]]:
    homes = sorted(_JVM_FOLDER.glob("*"))
    if java_home := os.environ.get("JAVA_HOME"):
        homes.append(Path(java_home))  # last, so that it wins over another of its version
    for home in homes:
        release = home / "release"
        if not (release.is_file() and (home / "bin/java").exists()):
            continue
        if version := re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE):
            yield int(version[1]), home


def _apt_install_first(packages: list[str]) -> None:
    """Install the first of these that apt has, or none: whether it is there now is the caller's to look."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands = [["apt-get", "install", "--yes", "--no-install-recommends", package] for package in packages]
    subprocess.run(["apt-get", "update"], env=environment, capture_output=True, check=False)
    for command in commands:
        print("running", " ".join(command), flush=True)
        if subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0:
            return
