"""Prepares a release and builds its files: everything up to the upload.

    python -m scripts.release prepare 0.2.0      # writes the version, the changelog's section, the dates
    git commit --all && git tag --annotate v0.2.0
    python -m scripts.release build              # checks the tree and the tag, builds, checks what it built

`prepare` needs a clean tree and a version above all tags. `build` needs the clean tree of the tagged commit;
it writes `dist/` after all of its checks. Both change nothing where a check fails.
"""

from __future__ import annotations

import argparse
import filecmp
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packaging.version import InvalidVersion, Version

__all__ = ["ReleaseError", "Tree", "build", "main", "prepare"]

UNRELEASED = "## Unreleased\n"


class ReleaseError(Exception):
    """What is in the way of the release, and what to do."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.release", description="Prepare or build a release."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    preparing = commands.add_parser("prepare", help="write the version and the changelog's section")
    preparing.add_argument("version", help="such as 0.2.0 or 0.2.0rc1")
    preparing.add_argument("--date", type=date.fromisoformat, help="of the release; default: today, UTC")
    preparing.add_argument(
        "--repository", help="https address for the package's links; default: that of origin"
    )
    building = commands.add_parser("build", help="build and check the files of the tagged commit")
    building.add_argument("--out", type=Path, default=Path("dist"), help="folder; default: dist")
    given = parser.parse_args(arguments)
    tree = Tree(Path.cwd())
    try:
        if given.command == "prepare":
            prepare(tree, given.version, given.date or datetime.now(UTC).date(), given.repository)
        else:
            build(tree, given.out)
    except ReleaseError as error:
        sys.exit(f"release: {error}")


@dataclass(frozen=True)
class Tree:
    """A working tree of the repository."""

    root: Path

    def read(self, name: str) -> str:
        """Text of a file."""
        return (self.root / name).read_text("utf-8")

    @property
    def project(self) -> dict[str, Any]:
        """`[project]` of pyproject.toml: the one place of the version."""
        project: dict[str, Any] = tomllib.loads(self.read("pyproject.toml"))["project"]
        return project

    def git(self, *arguments: str) -> str:
        """Output of a git command."""
        done = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True)
        if done.returncode:
            raise ReleaseError(f"git {' '.join(arguments)} fails: {done.stderr.strip()}")
        return done.stdout.strip()

    def require_clean(self) -> None:
        """Raise an error that names what is neither committed nor ignored."""
        if changes := self.git("status", "--porcelain"):
            raise ReleaseError(f"the tree has changes; commit or remove them:\n{changes}")


def prepare(tree: Tree, version: str, released: date, repository: str | None = None) -> None:
    """Write a release into pyproject.toml, CHANGELOG.md, CITATION.cff and SECURITY.md; commit nothing.

    Args:
        tree: Clean working tree.
        version: Version of the release, in its normal form.
        released: Day of the release.
        repository: Address of the repository, for links in the package. Default: those that
            pyproject.toml has, or the address of origin.

    Raises:
        ReleaseError: The tree has changes, the version is not above all tags, the changelog has nothing new,
            or no public address is known.
    """
    tree.require_clean()
    _require_new(tree, version)
    texts = {
        "pyproject.toml": _set_version(tree, version, repository),
        "CHANGELOG.md": _close_section(tree.read("CHANGELOG.md"), version, released),
        "CITATION.cff": _cite(tree.read("CITATION.cff"), version, released),
        "SECURITY.md": _support(tree.read("SECURITY.md"), version),
    }
    for name, text in texts.items():
        (tree.root / name).write_text(text, "utf-8")
    print(f"{', '.join(texts)}: version {version}, {released}. Look at the difference (git diff), then:\n")
    print(f"  git commit --all --message 'Release {version}'")
    print(f"  git tag --annotate v{version} --message {version}")
    print("  python -m scripts.release build")


def _require_new(tree: Tree, version: str) -> None:
    try:
        wanted = Version(version)
    except InvalidVersion:
        raise ReleaseError(f"{version!r} is no version; write one like 0.2.0 or 0.2.0rc1") from None
    if str(wanted) != version or wanted.local:
        raise ReleaseError(f"{version!r} is not in its normal form, which is {wanted.public}")
    earlier = [Version(tag[1:]) for tag in tree.git("tag", "--list", "v[0-9]*").split()]
    if earlier and wanted <= max(earlier):
        raise ReleaseError(f"{version} is not above {max(earlier)}, which has a tag")


def _set_version(tree: Tree, version: str, repository: str | None) -> str:
    text = _replace(
        tree.read("pyproject.toml"), r'^version = ".*"$', f'version = "{version}"', "pyproject.toml"
    )
    if "urls" in tree.project:
        return text
    address = _public_address(repository or tree.git("remote", "get-url", "origin"))
    urls = {
        "Source": address,
        "Documentation": f"{address}/tree/main/docs",
        "Changelog": f"{address}/blob/main/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }
    table = "".join(f'{name} = "{url}"\n' for name, url in urls.items())
    return _replace(
        text, r"^\[project\.scripts\]$", f"[project.urls]\n{table}\n[project.scripts]", "pyproject.toml"
    )


def _public_address(remote: str) -> str:
    """Https address of a repository, from any address that git clones from; without credentials."""
    if scp := re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+\.\w+):(?!//)([\w./-]+)", remote):
        remote = f"ssh://{scp[1]}/{scp[2]}"
    parts = urlsplit(remote)
    if parts.scheme not in ("https", "ssh") or not parts.hostname or not parts.path.strip("/"):
        raise ReleaseError("origin is no public address; name the repository's: --repository https://…")
    return f"https://{parts.hostname}{parts.path.rstrip('/').removesuffix('.git')}"


def _close_section(changelog: str, version: str, released: date) -> str:
    """Turn what is unreleased into the section of a version."""
    if re.search(rf"^## {re.escape(version)} ", changelog, re.MULTILINE):
        raise ReleaseError(f"CHANGELOG.md has a section for {version} already")
    if not _section(changelog, UNRELEASED):
        raise ReleaseError("CHANGELOG.md has nothing below Unreleased")
    return changelog.replace(UNRELEASED, f"{UNRELEASED}\n## {version} - {released}\n", 1)


def _section(changelog: str, heading: str) -> str:
    """What stands below a heading of the second level, without it."""
    _, found, rest = changelog.partition(f"\n{heading}")
    if not found:
        raise ReleaseError(f"CHANGELOG.md has no line {heading.strip()!r}")
    return re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0].strip()


def _cite(citation: str, version: str, released: date) -> str:
    undated = re.sub(r"^date-released: .*\n", "", citation, flags=re.MULTILINE)
    return _replace(
        undated, r"^version: .*$", f"version: {version}\ndate-released: {released}", "CITATION.cff"
    )


def _support(security: str, version: str) -> str:
    """Name the minor version that gets security fixes."""
    line = f"| {'.'.join(version.split('.')[:2])}.x | yes |"
    return _replace(security, r"^\| \d+\.\d+\.x[^|]*\| yes \|$", line, "SECURITY.md")


def _replace(text: str, pattern: str, new: str, name: str) -> str:
    replaced, count = re.subn(pattern, lambda _: new, text, flags=re.MULTILINE)
    if count != 1:
        raise ReleaseError(f"{name} has {count} lines like {pattern}, not one")
    return replaced


def build(tree: Tree, out: Path) -> None:
    """Build wheel and source distribution of the tagged commit, and check them.

    Args:
        tree: Clean working tree, at the commit with the tag of its version.
        out: Folder to write; it may exist and is replaced.

    Raises:
        ReleaseError: Tree, tag or changelog don't fit the version, or a check of the files failed.
    """
    tree.require_clean()
    _require_released(tree)
    with tempfile.TemporaryDirectory() as scratch:
        first, second = Path(scratch, "first"), Path(scratch, "second")
        for folder in (first, second):
            _build_files(tree, folder)
        files = sorted(first.iterdir())
        _, *unequal = filecmp.cmpfiles(first, second, [file.name for file in files], shallow=False)
        _require(not any(unequal), f"two builds of this commit differ: {unequal}")
        _check_contents(tree, files)
        _run([sys.executable, "-m", "twine", "check", "--strict", *map(str, files)])
        _check_install(tree, Path(scratch), next(first.glob("*.whl")))
        sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
        shutil.rmtree(tree.root / out, ignore_errors=True)
        shutil.copytree(first, tree.root / out)
    print(f"{sums}\nBuilt and checked. To publish:\n\n  git push origin v{tree.project['version']}")
    print(f"  {Path(sys.executable).parent / 'twine'} upload {out}/*")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ReleaseError(message)


def _require_released(tree: Tree) -> None:
    """Check that the commit has the tag of its version, and that all files that name the version agree."""
    version = tree.project["version"]
    tags = tree.git("tag", "--points-at", "HEAD").split()
    _require(
        f"v{version}" in tags, f"this commit has no tag v{version}; its tags: {', '.join(tags) or 'none'}"
    )
    changelog = tree.read("CHANGELOG.md")
    heading = re.search(rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d\n", changelog, re.MULTILINE)
    if not heading:
        raise ReleaseError(f"CHANGELOG.md has no section '## {version} - DATE'; prepare writes it")
    _require(bool(_section(changelog, heading[0])), f"CHANGELOG.md says nothing of {version}")
    _require(
        not _section(changelog, UNRELEASED), "CHANGELOG.md has lines below Unreleased that the tag contains"
    )
    _require(
        f"\nversion: {version}\n" in tree.read("CITATION.cff"), f"CITATION.cff has not version {version}"
    )
    _require("Source" in tree.project.get("urls", {}), "pyproject.toml has no [project.urls] with Source")


def _build_files(tree: Tree, folder: Path) -> None:
    """Build the source distribution, and the wheel from it, by the hatchling of this environment.

    Entries have the commit's time, so that another build of the commit gives the same bytes.
    """
    environment = {**os.environ, "SOURCE_DATE_EPOCH": tree.git("log", "-1", "--format=%ct")}
    options = ["--quiet", "--no-build-isolation", "--no-create-gitignore", "--out-dir", str(folder)]
    _run([sys.executable, "-m", "uv", "build", *options, str(tree.root)], environment)


def _check_contents(tree: Tree, files: Iterable[Path]) -> None:
    """Check that the files have what git tracks, and nothing else."""
    tracked = set(tree.git("ls-files", "-z").split("\0")) - {""}
    package = {name.removeprefix("src/") for name in tracked if name.startswith("src/esclip/")}
    for file in files:
        if file.suffix == ".whl":
            names = {name for name in zipfile.ZipFile(file).namelist() if ".dist-info/" not in name}
            wrong = {name for name in names if ".data/data/share/" not in name} ^ package
        else:
            with tarfile.open(file) as archive:
                names = {member.name.partition("/")[2] for member in archive if member.isfile()}
            wrong = names ^ (tracked | {"PKG-INFO"})
        _require(not wrong, f"{file.name} differs from what git tracks: {', '.join(sorted(wrong))}")


def _check_install(tree: Tree, scratch: Path, wheel: Path) -> None:
    """Check that the wheel installs in an empty environment, and has the version there.

    Without its dependencies, which are gigabytes: `.ci/run` runs it with them.
    """
    python = scratch / "environment" / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    _run([*uv, "venv", "--quiet", "--python", sys.executable, str(python.parent.parent)])
    _run([*uv, "pip", "install", "--quiet", "--no-deps", "--python", str(python), str(wheel)])
    version = _run([str(python), "-I", "-c", "import esclip; print(esclip.__version__)"]).strip()
    _require(version == tree.project["version"], f"{wheel.name} installs version {version}")


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise ReleaseError(f"{' '.join(command)} fails:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
