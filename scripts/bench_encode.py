"""How fast pictures become vectors, against what people would write instead, side by side in one run.

    python -m scripts.bench_encode                    # full-size models with random weights, made on the spot
    python -m scripts.bench_encode --models models    # a folder that holds them
    python -m scripts.bench_encode --draft            # what decoding JPEGs at a part of their size does

Rates are pictures a second on all cores. Rows named `forward` are the model alone, on pixels that lie ready;
all others begin with JPEG files. Where torch sees a GPU, its rows are added.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from esclip import Encoder, ImageIndex, load_encoder
from esclip._concurrency.streams import parallel_map
from esclip._core.types import Vectors, unit_rows
from esclip._images.decode import decode
from esclip.encoders.preprocessing import Preprocessing
from esclip.encoders.runtimes.openvino import has_bf16
from esclip.encoders.runtimes.samples import sample_images
from esclip.stores.memory import MemoryStore
from scripts.make_models import make_clip, make_text_tower
from scripts.measure import machine, measure, print_table, run_python, write_json

__all__ = ["BATCH", "forward", "main", "models_in", "write_pictures"]

BATCH = 32
ONE_BY_ONE = "sentence-transformers, one encode() a picture"
BATCHED = f"sentence-transformers, batch {BATCH}"
CLIP = Preprocessing(224, 224, 224)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each kind of measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", type=Path, help="a folder for the models; those it lacks are made")
    parser.add_argument("--size", choices=["full", "tiny"], default="full", help="of models that are made")
    parser.add_argument("--pictures", type=int, default=128)
    parser.add_argument("--pixels", default="1080x720", help="size of the pictures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm-up", type=int, default=1, help="rounds before those that count")
    parser.add_argument("--int8", action="store_true", help="with the int8 rows; needs NNCF")
    parser.add_argument("--json", type=Path, help="write the results here, too")
    parser.add_argument("--draft", action="store_true", help="measure reduced decoding instead")
    given = parser.parse_args(arguments)
    width, height = map(int, given.pixels.split("x"))
    with tempfile.TemporaryDirectory(prefix="bench-encode-") as scratch:
        clip, texts = models_in(given.models or Path(scratch) / "models", given.size)
        if given.draft:
            _print_draft(clip)
            return
        files = write_pictures(Path(scratch) / "pictures", given.pictures, (width, height))
        precisions = ["f32"] + ["bf16"] * has_bf16() + ["int8"] * given.int8
        paths, likeness = _paths(clip, files, precisions)
        rounds = partial(measure, rounds=given.rounds, warm_up=given.warm_up)
        rates = rounds(paths, unit="pictures/s", baseline=BATCHED)
        singles = rounds(_singles(files), unit="ms", baseline="decode, whole")
        starts = rounds(_starts(texts, clip), unit="s", baseline="esclip")
        weights = sum(file.stat().st_size for file in clip.rglob("*.safetensors"))
    facts = {
        **machine(),
        "model": f"{clip.name}, {weights >> 20} MiB of weights",
        "pictures": f"{given.pictures} JPEGs of {given.pixels}, quality 85",
        "smallest cosine to torch f32": likeness,
    }
    for name, fact in facts.items():
        print(f"{name}: {fact}")
    print_table("pictures to vectors", rates)
    print_table("one picture in one thread", singles)
    print_table("first text vector in a new process", starts)
    if given.json:
        write_json(given.json, facts, [*rates, *singles, *starts])


def models_in(folder: Path, size: str) -> tuple[Path, Path]:
    """The two model folders in `folder`, made if they aren't there."""
    clip, texts = folder / "clip-ViT-B-32", folder / "clip-ViT-B-32-multilingual-v1"
    if not clip.is_dir():
        make_clip(clip, size)
    if not texts.is_dir():
        make_text_tower(texts, size)
    return clip, texts


def write_pictures(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """JPEG files with detail at every scale; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{at:06}.jpg" for at in range(count)]
    for path, picture in zip(paths, sample_images(count, size), strict=True):
        picture.save(path, quality=85)
    return paths


def forward(encoder: Encoder, pixels: Any) -> tuple[Vectors, float]:
    """All pixels through an encoder, as many batches at once as it wants; vectors and pictures a second."""
    parts = [(at, pixels[at : at + BATCH]) for at in range(0, len(pixels), BATCH)]

    def encode(part: tuple[int, Any]) -> tuple[int, Vectors]:
        return part[0], encoder.encode_images(part[1])

    started = time.perf_counter()
    encoded = dict(parallel_map(encode, parts, workers=encoder.encode_concurrency))
    seconds = time.perf_counter() - started
    return np.concatenate([encoded[at] for at, _ in parts]), len(pixels) / seconds


def _paths(
    clip: Path, files: list[Path], precisions: list[str]
) -> tuple[dict[str, Callable[[], float]], dict[str, float]]:
    """What is measured in pictures a second, by name; and how like the vectors of each runtime are."""
    import torch
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(clip), device="cpu", processor_kwargs={"backend": "pil"})
    few = files[: max(8, len(files) // 4)]
    pixels = np.stack([CLIP(decode(file.read_bytes())) for file in files])
    paths: dict[str, Callable[[], float]] = {
        ONE_BY_ONE: partial(_rate, few, lambda: [plain.encode(Image.open(file)) for file in few]),
        BATCHED: partial(
            _rate, files, lambda: plain.encode([Image.open(file) for file in files], batch_size=BATCH)
        ),
    }
    reference, _ = _torch_forward(clip, plain, pixels, half=False)
    for half in (False, True):
        name = f"torch on cpu, {'bf16' if half else 'f32'}, forward"
        paths[name] = lambda half=half: _torch_forward(clip, plain, pixels, half=half)[1]  # type: ignore[misc]
    likeness = {}
    for device, precision in [
        *(("cpu", p) for p in precisions),
        *[("cuda", None)] * torch.cuda.is_available(),
    ]:
        encoder = load_encoder(str(clip), device=device, precision=precision)
        runtime = encoder.runtime
        likeness[runtime] = round(float(np.sum(forward(encoder, pixels)[0] * reference, axis=1).min()), 6)
        paths[f"{runtime}, forward"] = lambda encoder=encoder: forward(encoder, pixels)[1]  # type: ignore[misc]
        paths[f"{runtime}, esclip ingest"] = partial(_ingest, encoder, files)
    return paths, likeness


def _rate(items: Sequence[Any], work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return len(items) / (time.perf_counter() - started)


def _torch_forward(clip: Path, model: Any, pixels: Any, *, half: bool) -> tuple[Vectors, float]:
    import torch

    from esclip.encoders.checkpoints.find import find_model
    from esclip.encoders.preprocessing import read_processor
    from esclip.encoders.runtimes.sentence_transformers import ImageFeatures
    from esclip.encoders.runtimes.torch_model import ImageModule

    module = ImageModule(ImageFeatures(model), read_processor(find_model(str(clip)).processor)[1]).eval()
    started = time.perf_counter()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        parts = [torch.from_numpy(pixels[at : at + BATCH]) for at in range(0, len(pixels), BATCH)]
        rows = [module(part).float().numpy() for part in parts]
    return unit_rows(np.concatenate(rows)), len(pixels) / (time.perf_counter() - started)


def _ingest(encoder: Encoder, files: list[Path]) -> float:
    """The whole pipeline from files to documents, in memory."""
    with ImageIndex(MemoryStore("bench"), encoder, None) as index:
        return index.ingest(files[0].parent).images_per_second


def _singles(files: list[Path]) -> dict[str, Callable[[], float]]:
    """Decoding and preprocessing, in milliseconds a picture."""
    data = [file.read_bytes() for file in files]
    pictures = {side: [decode(part, side=side) for part in data] for side in (None, 224)}

    def milliseconds(work: Callable[[], Any]) -> float:
        return 1000 / _rate(files, work)

    def decoding(side: int | None) -> float:
        return milliseconds(lambda: [decode(part, side=side) for part in data])

    def preprocessing(side: int | None) -> float:
        return milliseconds(lambda: [CLIP(picture) for picture in pictures[side]])

    return {
        "decode, whole": partial(decoding, None),
        "decode, a side of 448 left": partial(decoding, 448),
        "decode, a side of 224 left": partial(decoding, 224),
        "preprocess, whole": partial(preprocessing, None),
        "preprocess, a side of 224 left": partial(preprocessing, 224),
    }


def _starts(texts: Path, clip: Path) -> dict[str, Callable[[], float]]:
    """A new process up to its first text vector."""
    plain = f"from sentence_transformers import SentenceTransformer as S; S({str(texts)!r}).encode('a dog')"
    ours = f"from esclip import load_encoder as L; L({str(clip)!r}, {str(texts)!r}).encode_texts(['a dog'])"

    def seconds(code: str) -> float:
        started = time.perf_counter()
        run_python("-c", code)
        return time.perf_counter() - started

    return {"esclip": partial(seconds, ours), "sentence-transformers": partial(seconds, plain)}


def _print_draft(clip: Path) -> None:
    """By how much vectors move when JPEGs are decoded at a part of their size."""
    encoder = load_encoder(str(clip), precision="f32", device="cpu")
    print("short side / decoded to / times the model's | largest 1 - cosine | mean")
    for short in (460, 520, 580, 640, 700, 760, 820, 880, 1800, 3000):
        data = [_jpeg(picture) for picture in sample_images(12, (short * 3 // 2, short))]
        small = [decode(part, side=CLIP.height) for part in data]
        whole = encoder.encode_images([CLIP(decode(part)) for part in data])
        lost = 1 - np.sum(whole * encoder.encode_images([CLIP(picture) for picture in small]), axis=1)
        left = min(small[0].size)
        print(f"{short} / {left} / {left / CLIP.height:.2f} | {lost.max():.5f} | {lost.mean():.5f}")


def _jpeg(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=85)
    return data.getvalue()


if __name__ == "__main__":
    main()
