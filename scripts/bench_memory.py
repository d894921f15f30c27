"""How much memory a model takes while it encodes pictures, and while it encodes queries.

    python -m scripts.bench_memory models/clip-ViT-B-32 [models/clip-ViT-B-32-multilingual-v1]

Each figure is the most memory that a new process had resident, on the CPU. The first process also exports
the tower, through torch; what it took is told as well. Weights may be random ones (`scripts/make_models.py`):
they take as much room.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

__all__ = ["main"]


def main() -> None:
    """Print a line of JSON for each tower."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("texts", nargs="?")
    parser.add_argument("--only", choices=("pictures", "texts"), help="one tower")
    parser.add_argument("--run", choices=("pictures", "texts"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(_encode(options.model, options.texts, options.run)))
        return
    for tower in (options.only,) if options.only else ("pictures", "texts"):
        arguments = [options.model, *([options.texts] if options.texts else []), "--run", tower]
        command = [sys.executable, "-m", "scripts.bench_memory", *arguments]
        first, again = (json.loads(subprocess.check_output(command)) for _ in range(2))
        print(json.dumps({"model": options.model} | again | {"first_megabytes": first["megabytes"]}))


def _encode(model: str, texts: str | None, tower: str) -> dict[str, str | int]:
    """Encode as an ingest or a search does; what it ran on, and this process's peak."""
    from esclip.encoders import load_encoder

    encoder = load_encoder(model, texts, device="cpu")
    runtime = ""
    if tower == "texts":
        for length in (1, 4, 8):
            encoder.encode_texts(["two dogs in the snow " * length])
    else:
        runtime, at_once = encoder.runtime, encoder.encode_concurrency
        batch = [encoder.preprocess(Image.new("RGB", (400, 300), "teal"))] * 32
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(encoder.encode_images, [batch] * 2 * at_once))
    return {"tower": tower, "runtime": runtime, "megabytes": _peak()}


def _peak() -> int:
    status = Path("/proc/self/status").read_text("ascii")  # Linux; getrusage would count the parent's
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1000


if __name__ == "__main__":
    main()
