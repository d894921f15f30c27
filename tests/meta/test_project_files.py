"""The files for contributors agree with the project: make targets, versions, paths."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")


@pytest.mark.parametrize(
    "name", ["CONTRIBUTING.md", "README.md", ".pre-commit-config.yaml", ".github/PULL_REQUEST_TEMPLATE.md"]
)
def test_named_make_targets_exist(name: str) -> None:
    """Each `make TARGET` that a contributor reads, or a hook runs, is one of the Makefile's."""
    named = re.findall(
        r"^make ([a-z-]+)|[`:] ?make ([a-z-]+)", (ROOT / name).read_text("utf-8"), re.MULTILINE
    )
    assert named
    assert {line or inline for line, inline in named} <= set(TARGETS)


def test_named_files_exist() -> None:
    """Each file and folder that CONTRIBUTING.md sends a contributor to is there."""
    named = re.findall(r"`([\w./]+/[\w.]*)`", (ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    made = ("NAME", ".venv", "site/")
    paths = [path for path in named if not any(part in path for part in made)]
    assert len(paths) > 10
    assert not [
        path for path in paths if not any((top / path).exists() for top in (ROOT, ROOT / "src/esclip"))
    ]


def test_every_make_target_is_in_the_help() -> None:
    """`make help` lists what a developer types: a target without a text is missing there."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.findall(r"^([a-z-]+):.* ## ", makefile, re.MULTILINE) == TARGETS
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert sorted(phony.split()) == sorted(TARGETS)


def test_the_citation_is_that_of_the_project() -> None:
    """CITATION.cff has the version, licence, description and keywords of pyproject.toml."""
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    fields = dict(re.findall(r'^([a-z-]+): "?(.+?)"?$', citation, re.MULTILINE))
    assert fields["title"] == PROJECT["name"]
    assert fields["version"] == PROJECT["version"]
    assert fields["license"] == PROJECT["license"]
    assert fields["abstract"] == PROJECT["description"]
    assert re.findall(r'^  - "?([a-z ]+)"?$', citation, re.MULTILINE) == PROJECT["keywords"]


def test_the_released_version_gets_security_fixes() -> None:
    """SECURITY.md names the minor version of pyproject.toml."""
    minor = PROJECT["version"].rpartition(".")[0]
    assert f"| {minor}.x" in (ROOT / "SECURITY.md").read_text("utf-8")


def test_the_workflow_runs_the_same_as_a_machine_does() -> None:
    """CI calls `.ci/run`, on each Python that pyproject.toml names."""
    assert "run: .ci/run\n" in WORKFLOW
    assert (ROOT / ".ci/run").is_file()
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line]
    (matrix,) = re.findall(r"python: \[(.*)\]", WORKFLOW)
    pythons = re.findall(r'"([\d.]+)"', matrix)
    assert pythons == named
    assert PROJECT["requires-python"] == f">={pythons[0]}"


def test_the_image_is_built_from_what_it_is_sent() -> None:
    """What the Dockerfile copies is let through by .dockerignore, and is there; its user is not root."""
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE)
        for name in line.split()
    }
    let_through = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    assert sorted(copied) == sorted(let_through)
    assert all((ROOT / name).exists() for name in copied)
    assert re.findall(r"^USER (.*)$", dockerfile, re.MULTILINE) == ["10001:10001"]
    (python,) = re.findall(r"^ARG PYTHON=(.*)$", dockerfile, re.MULTILINE)
    assert f"Programming Language :: Python :: {python}" in PROJECT["classifiers"]


def test_the_workflow_may_only_read() -> None:
    """CI gets no right to write, and runs only actions pinned to a commit."""
    assert "permissions:\n  contents: read\n" in WORKFLOW
    assert "write" not in WORKFLOW
    used = re.findall(r"uses: (\S+)", WORKFLOW)
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in used)
