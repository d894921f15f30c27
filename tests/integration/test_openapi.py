"""The search service and its OpenAPI description: schemathesis sends what fits it, and what does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import esclip
from esclip.testing.pictures import draw_photos
from tests.search_servers import searching

CONFIG = Path(__file__).parents[1] / "schemathesis.toml"

LINES = """
import json
import schemathesis

@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    values = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(one).encode() + b"\\n" for one in values)
"""
"""What schemathesis needs to know to send streams of documents."""


def test_routes_do_what_is_described(tmp_path: Path) -> None:
    """Statuses and forms are as documented, wrong data is refused, and nothing makes the server fail."""
    with esclip.open_index(tmp_path / "store", encoder="palette") as index:
        index.ingest(draw_photos(tmp_path / "photos"))
    (tmp_path / "lines.py").write_text(LINES, encoding="utf-8")
    index = esclip.open_index(tmp_path / "store")
    with searching(index, tmp_path / "cache", writable=True) as server:
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
        ran = subprocess.run(
            [*command, f"{server.address}/openapi.json", "--no-color"],
            env=os.environ | {"SCHEMATHESIS_HOOKS": "lines", "PYTHONPATH": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout
