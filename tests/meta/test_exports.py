"""The public door: what the package exports, and that importing it is light."""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import esclip

HEAVY = {
    "torch",
    "sentence_transformers",
    "transformers",
    "lance",
    "ray",
    "pyarrow",
    "pandas",
    "duckdb",
    "opensearchpy",
    "botocore",
}


def test_every_export_is_there() -> None:
    """Each name of `__all__` can be had, and `dir` lists it."""
    for name in esclip.__all__:
        assert getattr(getattr(esclip, name), "__name__", name) == name  # a union has none
        assert name in dir(esclip)
    assert esclip.__all__ == sorted(esclip.__all__)


def test_exports_are_shown_and_pickled_by_their_public_name() -> None:
    """Tracebacks and `help` name `esclip.ConfigError`, not its private module; only values keep theirs."""
    assert (
        esclip.ImageIndex.__module__ == esclip.ConfigError.__module__ == esclip.Store.__module__ == "esclip"
    )
    assert esclip.open_index.__module__ == "esclip"
    error = pickle.loads(pickle.dumps(esclip.ConfigError("no such name")))
    assert (type(error), str(error)) == (esclip.ConfigError, "no such name")
    for name in esclip.__all__:
        value = getattr(esclip, name)
        if not get_args(value):  # a union
            assert pickle.loads(pickle.dumps(value)) is value


def test_annotations_of_values_can_be_resolved() -> None:
    """Libraries that read types at runtime can read those of the options."""
    assert get_type_hints(esclip.IngestOptions)["batch_size"] is int
    assert get_type_hints(esclip.Hit)["score"] is float


def test_every_module_says_what_it_is_for() -> None:
    """Each module has a first docstring."""
    root = Path(esclip.__path__[0])
    modules = [path for path in root.rglob("*.py") if path.name != "__main__.py"]
    assert len(modules) > 100
    for path in modules:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path.relative_to(root)


def test_help_loads_no_numpy() -> None:
    """The command line's modules, which `esclip --help` waits for, don't import what takes 0.1 s."""
    code = "import sys, esclip._cli.app; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_import_and_help_load_nothing_heavy() -> None:
    """`import esclip` and the command line's modules import no model, table or engine library."""
    code = f"import sys, esclip, esclip._cli.app, esclip._open_index; print({HEAVY!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
