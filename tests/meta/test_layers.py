from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

_REPOSITORY = Path(__file__).parents[2]


def test_every_module_imports_only_from_layers_below_its_own() -> None:
    """The layers that pyproject.toml names are kept."""
    lint_imports = Path(sysconfig.get_path("scripts")) / "lint-imports"

    done = subprocess.run(
        [lint_imports, "--no-cache", "--no-logo"],
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
