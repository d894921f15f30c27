"""Measure what thirty hits take in a notebook: as HTML, and as the gallery in which they can be selected.

python -m scripts.bench_gallery [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

import esclip
from scripts.draw_photos import draw_photos

HITS = 30


def noise(folder: Path) -> Iterator[dict[str, Any]]:
    """Files with more detail than any photo has."""
    folder.mkdir()
    for number in range(HITS):
        file = folder / f"{number}.jpg"
        Image.effect_noise((960, 640), 100).convert("RGB").save(file, quality=92)
        yield {"id": str(number), "image": file}


def measure(records: Iterator[dict[str, Any]], store: Path) -> dict[str, float]:
    """Kilobytes of both forms, and milliseconds for the first with thumbnails that are there already."""
    with esclip.open_index(store, encoder="palette") as index:
        index.add(list(records))
        hits = index.search_text("red", k=HITS)
        gallery = hits.gallery()
        began = time.perf_counter()
        html = hits._repr_html_()
        seconds = time.perf_counter() - began
        sent = json.dumps(gallery.widget.get_state())
        return {
            "hits": len(hits),
            "html_kb": len(html) / 1000,
            "widget_kb": len(sent) / 1000,
            "ms": 1000 * seconds,
        }


def main() -> None:
    """Print a line for drawn pictures and one for noise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        figures = {
            "drawn": measure(draw_photos(place / "drawn"), place / "drawn-store"),
            "noise": measure(noise(place / "noise"), place / "noise-store"),
        }
    for name, values in figures.items():
        print(name, ", ".join(f"{what} {value:.0f}" for what, value in values.items()))
    if given.json:
        given.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
