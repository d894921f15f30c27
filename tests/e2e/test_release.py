"""Releases, in a small repository: what `scripts.release` writes, builds and refuses."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import tomllib
import zipfile
from datetime import date
from pathlib import Path

import pytest

from scripts.package_readme import absolute_links
from scripts.release import ReleaseError, Tree, build, prepare

ROOT = Path(__file__).parents[2]
FILES = (
    ".gitignore",
    "CITATION.cff",
    "LICENSE",
    "SECURITY.md",
    "pyproject.toml",
    "scripts/package_readme.py",
)
DAY = date(2031, 2, 3)
ADDRESS = "https://git.example/owner/esclip"
CHANGELOG = "# Changelog\n\n## Unreleased\n\n### Added\n\n- A thing.\n\n## 0.0.1 - 2020-01-02\n\n- First.\n"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A repository with the real project's metadata, and next to no code."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(re.sub(r"\[project\.urls\]\n(.+\n)*\n", "", pyproject.read_text()))
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "README.md").write_text("# esclip\n\n[how](docs/how.md) ![hits](docs/hits.png)\n")
    package = tmp_path / "src/esclip"
    package.mkdir(parents=True)
    (package / "py.typed").touch()
    (package / "__init__.py").write_text(
        'from importlib.metadata import version\n\n__version__ = version("esclip")\n'
    )
    tree = Tree(tmp_path)
    tree.git("init", "--quiet", "--initial-branch=main")
    tree.git("config", "user.name", "Somebody")
    tree.git("config", "user.email", "somebody@example.org")
    commit(tree)
    return tree


def commit(tree: Tree, tag: str = "") -> None:
    tree.git("add", "--all")
    tree.git("commit", "--quiet", "--no-gpg-sign", "--message", "Change")
    if tag:
        tree.git("tag", "--no-sign", "--annotate", tag, "--message", tag)


def test_prepare_writes_one_version_everywhere(tree: Tree) -> None:
    """The version comes into pyproject.toml, changelog, citation and security policy, with its day."""
    prepare(tree, "7.1.0", DAY, f"{ADDRESS}.git")
    assert tree.project["version"] == "7.1.0"
    assert tree.project["urls"]["Source"] == ADDRESS
    assert tree.read("CHANGELOG.md") == CHANGELOG.replace(
        "## Unreleased\n", "## Unreleased\n\n## 7.1.0 - 2031-02-03\n"
    )
    assert "\nversion: 7.1.0\ndate-released: 2031-02-03\n" in tree.read("CITATION.cff")
    assert "| 7.1.x | yes |" in tree.read("SECURITY.md")


def test_prepare_again_dates_the_next_release(tree: Tree) -> None:
    """A second release replaces the first one's version and day, and needs no address."""
    prepare(tree, "7.1.0", DAY, ADDRESS)
    (tree.root / "CHANGELOG.md").write_text(CHANGELOG)
    commit(tree, "v7.1.0")
    prepare(tree, "7.1.1rc1", date(2031, 2, 4))
    citation = tree.read("CITATION.cff")
    assert "\nversion: 7.1.1rc1\ndate-released: 2031-02-04\n" in citation
    assert citation.count("date-released") == 1


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("git@git.example:owner/esclip.git", ADDRESS),
        ("ssh://git@git.example:2222/owner/esclip", ADDRESS),
        ("https://user:secret@git.example/owner/esclip.git", ADDRESS),
        ("https://git.example/owner/esclip/", ADDRESS),
    ],
)
def test_links_lead_to_origin_without_credentials(tree: Tree, remote: str, address: str) -> None:
    """Where pyproject.toml has no links, they are made from origin, in whichever form git knows it."""
    tree.git("remote", "add", "origin", remote)
    prepare(tree, "7.1.0", DAY)
    assert tree.project["urls"]["Source"] == address


@pytest.mark.parametrize("remote", ["/srv/git/esclip.git", "../esclip", "file:///srv/esclip", "C:/esclip"])
def test_a_folder_is_no_address(tree: Tree, remote: str) -> None:
    """A clone of a folder has to name the public repository; nothing is written."""
    tree.git("remote", "add", "origin", remote)
    with pytest.raises(ReleaseError, match="--repository"):
        prepare(tree, "7.1.0", DAY)
    tree.require_clean()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("0.0.1", "not above 0.5.0"),
        ("0.5.0", "not above 0.5.0"),
        ("1.0-rc1", "1.0rc1"),
        ("next", "no version"),
    ],
)
def test_prepare_refuses_a_version_that_is_not_new(tree: Tree, version: str, message: str) -> None:
    """A version is written in its normal form and is above all tags."""
    tree.git("tag", "v0.5.0")
    with pytest.raises(ReleaseError, match=message):
        prepare(tree, version, DAY, ADDRESS)
    tree.require_clean()


def test_prepare_refuses_a_changed_tree_and_an_empty_section(tree: Tree) -> None:
    """What is not committed, and a release without a line in the changelog, are named."""
    (tree.root / "note.txt").touch()
    with pytest.raises(ReleaseError, match=r"note\.txt"):
        prepare(tree, "7.1.0", DAY, ADDRESS)
    (tree.root / "note.txt").unlink()
    (tree.root / "CHANGELOG.md").write_text(CHANGELOG.replace("### Added\n\n- A thing.\n\n", ""))
    commit(tree)
    with pytest.raises(ReleaseError, match="nothing below Unreleased"):
        prepare(tree, "7.1.0", DAY, ADDRESS)


def test_build_makes_checked_files(tree: Tree) -> None:
    """A tagged commit becomes a wheel and a source distribution with links that lead to the tag."""
    prepare(tree, "7.1.0", DAY, ADDRESS)
    commit(tree, "v7.1.0")
    build(tree, Path("dist"))
    names = sorted(file.name for file in (tree.root / "dist").iterdir())
    assert names == ["esclip-7.1.0-py3-none-any.whl", "esclip-7.1.0.tar.gz"]
    with zipfile.ZipFile(tree.root / "dist" / names[0]) as wheel:
        metadata = wheel.read("esclip-7.1.0.dist-info/METADATA").decode()
        assert {info.date_time[0] for info in wheel.infolist()} != {2020}
    assert f"Project-URL: Source, {ADDRESS}\n" in metadata
    assert f"[how]({ADDRESS}/blob/v7.1.0/docs/how.md) ![hits]({ADDRESS}/raw/v7.1.0/docs/hits.png)" in metadata
    with tarfile.open(tree.root / "dist" / names[1]) as sdist:
        pyproject = sdist.extractfile("esclip-7.1.0/pyproject.toml")
        assert pyproject
        assert tomllib.load(pyproject)["project"]["version"] == "7.1.0"


def test_build_refuses_what_is_not_the_tagged_release(tree: Tree) -> None:
    """A commit without the tag, a changed tree, and lines that came after `prepare` stop a build."""
    prepare(tree, "7.1.0", DAY, ADDRESS)
    commit(tree)
    with pytest.raises(ReleaseError, match=r"no tag v7\.1\.0"):
        build(tree, Path("dist"))
    (tree.root / "CHANGELOG.md").write_text(
        tree.read("CHANGELOG.md").replace("## Unreleased\n", "## Unreleased\n\n- Late.\n")
    )
    with pytest.raises(ReleaseError, match=r"CHANGELOG\.md"):
        build(tree, Path("dist"))
    commit(tree, "v7.1.0")
    with pytest.raises(ReleaseError, match="below Unreleased"):
        build(tree, Path("dist"))
    assert not (tree.root / "dist").exists()


def test_build_refuses_a_file_that_git_does_not_track(tree: Tree) -> None:
    """A file that git ignores but the build takes along is named, not published."""
    prepare(tree, "7.1.0", DAY, ADDRESS)
    commit(tree, "v7.1.0")
    (tree.root / ".git/info/exclude").write_text("notes.txt\n")
    (tree.root / "src/esclip/notes.txt").write_text("mine")
    with pytest.raises(ReleaseError, match=r"differs from what git tracks: .*notes\.txt"):
        build(tree, Path("dist"))
    assert not (tree.root / "dist").exists()


def test_links_that_lead_somewhere_stay() -> None:
    """Addresses and anchors are not changed; a picture that is a link has both made whole."""
    text = (
        "[a](https://x.example) [b](#top) [![c](c.png)](c.md) "
        '<img width=1 src="d.png"> [e](mailto:a@x.example) <source media="x" srcset="f.webp">'
    )
    assert absolute_links(text, "S", "v1") == (
        "[a](https://x.example) [b](#top) [![c](S/raw/v1/c.png)](S/blob/v1/c.md) "
        '<img width=1 src="S/raw/v1/d.png"> [e](mailto:a@x.example) '
        '<source media="x" srcset="S/raw/v1/f.webp">'
    )


def test_the_program_says_what_is_in_the_way(tree: Tree) -> None:
    """A refusal is one line and a status, without a traceback."""
    done = subprocess.run(
        ["python", "-m", "scripts.release", "build"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("release: ")
    assert "Traceback" not in done.stderr
