"""Export towers to OpenVINO: once for each model and precision, compared with the original, cached on disk.

    torch module ─► OpenVINO ─► int8? ─► cosine to the original vectors high enough? ─► <cache>/<key>/
                                                    └─ no: only the cosine is stored

A folder is written under a temporary name and renamed, so that it is complete or absent. Its key is a hash of
the model's files and of the exporting libraries' versions. `tower.json` has the hashes of its files, which
are checked before use: a changed export is replaced.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, replace
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from esclip._concurrency.streams import batches
from esclip._core.types import Vectors, unit_rows
from esclip._errors import EncoderError
from esclip._files.atomic import UNFINISHED
from esclip.encoders.checkpoints.files import file_sha256
from esclip.encoders.checkpoints.folder import ModelFolder
from esclip.encoders.preprocessing import read_processor
from esclip.encoders.runtimes.openvino import OpenVinoTower, import_without_telemetry
from esclip.encoders.runtimes.samples import sample_images, sample_texts
from esclip.encoders.tokenizer import NO_TOKENIZER, Tokenizer, TokenizerFile

if TYPE_CHECKING:
    from esclip.encoders.runtimes.torch_model import TorchModel

MIN_COSINE = {"f32": 0.9999, "bf16": 0.999, "int8": 0.995}
"""The lowest accepted cosine between the vectors of an exported tower and of the original library."""

PRECISIONS = tuple(MIN_COSINE)

_FORMAT = 1
_SAMPLES = 64
_BATCH = 16
_TOKENIZER = "tokenizer.json"
_TOWER = ("tower.xml", "tower.bin")
_COMPILED = "compiled"
_ABANDONED_AFTER_S = 6 * 3600

Inputs = tuple[Any, ...]


class Kind(Enum):
    """Which of a model's towers."""

    PICTURES = "pictures"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True)
class Export:
    """An exported tower on disk, or the record that it was refused."""

    folder: Path
    kind: Kind
    precision: str
    cosine: float
    """The lowest cosine to the original library's vectors, over all samples."""
    tokenizer_parts: Mapping[str, Any]
    """The fields of `TokenizerFile` but `model`, which is in `tokenizer.json`."""

    @property
    def accepted(self) -> bool:
        """Whether its vectors are close enough."""
        return self.cosine >= MIN_COSINE[self.precision]

    def tokenizer(self) -> TokenizerFile:
        """The tokenizer of a text tower. Raises `OSError` or `ValueError` for a damaged file."""
        model = (self.folder / _TOKENIZER).read_text("utf-8")
        return TokenizerFile.from_json({**self.tokenizer_parts, "model": model})

    def load(self) -> OpenVinoTower:
        """Load the tower: for throughput with images, for latency with texts, mostly single queries."""
        path = self.folder / "tower.xml"
        if self.kind is Kind.PICTURES:
            return OpenVinoTower(path, self.precision, many=True)
        return OpenVinoTower(path, self.precision, many=False, compiled=self.folder / _COMPILED)


def find_export(cache: Path, model: ModelFolder, kind: Kind, precision: str) -> Export | None:
    """Find the result of `make_export` in `cache`; None where there is none, or a damaged one."""
    folder = cache / _key(model, kind, precision)
    try:
        facts = orjson.loads((folder / "tower.json").read_bytes())
        export = Export(folder, kind, precision, float(facts["cosine"]), dict(facts["tokenizer"]))
        intact = all(file_sha256(folder / name) == facts["sha256"][name] for name in _required_files(export))
        return export if intact else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def make_export(cache: Path, model: ModelFolder, kind: Kind, precision: str, source: TorchModel) -> Export:
    """Export a tower, compare it with `source`, and store it, or that it was refused.

    Raises `OSError` when `cache` can't be written, `EncoderError` for int8 without NNCF, and what torch,
    OpenVINO and NNCF raise.
    """
    tower = _ImageExport(model, source) if kind is Kind.PICTURES else _TextExport(source)
    samples = tower.samples()
    cache.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(cache)
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=cache) as scratch:
        folder = Path(scratch) / "export"
        folder.mkdir()
        _save(_convert(tower.module, samples, precision), folder / "tower.xml", precision)
        cosine = _min_cosine(folder, precision, samples, tower.reference)
        tokenizer = tower.tokenizer.to_json()
        (folder / _TOKENIZER).write_text(tokenizer.pop("model"), "utf-8")
        export = Export(folder, kind, precision, cosine, tokenizer)
        if not export.accepted:
            for name in _TOWER:
                (folder / name).unlink()
        _write_facts(export, model)
        target = cache / _key(model, kind, precision)
        if target.exists() and find_export(cache, model, kind, precision) is None:
            shutil.rmtree(target)  # damaged
        try:
            folder.rename(target)
        except OSError:
            if find_export(cache, model, kind, precision) is None:  # else another process has exported it
                raise
    stored = find_export(cache, model, kind, precision) or replace(export, folder=target)
    if stored.accepted:
        stored.load()  # caches it compiled
    return stored


class _ImageExport:
    """The module, samples and reference vectors of an image tower."""

    tokenizer = NO_TOKENIZER

    def __init__(self, model: ModelFolder, source: TorchModel) -> None:
        self._preprocess, normalization = read_processor(model.processor)
        self.module = source.image_module(normalization)
        self._images = sample_images(_SAMPLES)
        self._encode = source.encode

    def samples(self) -> list[Inputs]:
        return [(np.stack(batch),) for batch in batches(map(self._preprocess, self._images), _BATCH)]

    def reference(self) -> Vectors:
        return self._encode(self._images)


class _TextExport:
    """The module, samples and reference vectors of a text tower."""

    def __init__(self, source: TorchModel) -> None:
        self.module = source.text_module()
        self.tokenizer: TokenizerFile = source.tokenizer()
        self._texts = sample_texts(_SAMPLES)
        self._encode = source.encode

    def samples(self) -> list[Inputs]:
        tokenize = Tokenizer(self.tokenizer, warn=False)
        return [tokenize(batch) for batch in batches(self._texts, _BATCH)]

    def reference(self) -> Vectors:
        return self._encode(self._texts)


def _convert(module: Any, samples: Sequence[Inputs], precision: str) -> Any:
    """Convert a torch module to an OpenVINO model with a dynamic batch size and text length."""
    import torch

    with torch.no_grad():
        example = tuple(torch.from_numpy(part[:2]) for part in samples[0])
        model = import_without_telemetry("openvino").convert_model(module, example_input=example)
    return _quantize(model, samples) if precision == "int8" else model


def _quantize(model: Any, samples: Sequence[Inputs]) -> Any:
    """Quantize weights and activations to 8 bits, with ranges calibrated on the samples."""
    try:
        nncf = import_without_telemetry("nncf")
    except ImportError as error:
        raise EncoderError("precision int8 needs NNCF: pip install 'esclip[int8]'") from error
    calibration = nncf.Dataset([list(batch) for batch in samples])
    with redirect_stdout(StringIO()):  # hides its progress bar
        return nncf.quantize(
            model, calibration, model_type=nncf.ModelType.TRANSFORMER, subset_size=len(samples)
        )


def _save(model: Any, path: Path, precision: str) -> None:
    # f16 weights halve the file, and have more precision than bf16 and int8
    import_without_telemetry("openvino").save_model(model, path, compress_to_fp16=precision != "f32")


def _min_cosine(
    folder: Path, precision: str, samples: Sequence[Inputs], reference: Callable[[], Vectors]
) -> float:
    tower = OpenVinoTower(folder / "tower.xml", precision, many=False)
    vectors = unit_rows(np.concatenate([tower(*batch) for batch in samples]))
    cosine = float(np.sum(vectors * reference(), axis=1).min())
    return cosine if np.isfinite(cosine) else -1.0


def _write_facts(export: Export, model: ModelFolder) -> None:
    facts = {
        "model": model.name,
        "tower": export.kind.value,
        "precision": export.precision,
        "cosine": export.cosine,
        "tokenizer": export.tokenizer_parts,
        "sha256": {name: file_sha256(export.folder / name) for name in _required_files(export)},
        "versions": _versions(export.precision),
    }
    (export.folder / "tower.json").write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))


def _required_files(export: Export) -> tuple[str, ...]:
    """The files of its folder besides `tower.json`; a refused tower is not stored."""
    return (_TOKENIZER, *_TOWER) if export.accepted else (_TOKENIZER,)


def _remove_leftovers(cache: Path) -> None:
    """Remove folders of killed processes, which would add up to gigabytes."""
    for pattern in (f"{UNFINISHED}*", f"*/{_COMPILED}/{UNFINISHED}*"):
        for folder in cache.glob(pattern):
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > _ABANDONED_AFTER_S:
                    shutil.rmtree(folder)


def _key(model: ModelFolder, kind: Kind, precision: str) -> str:
    ingredients = (_FORMAT, model.fingerprint, kind.value, precision, _versions(precision))
    key = hashlib.sha256(orjson.dumps(ingredients, option=orjson.OPT_SORT_KEYS)).hexdigest()[:24]
    return f"{kind.value}-{precision}-{key}"


def _versions(precision: str) -> dict[str, str]:
    """Versions of the exporting libraries, read without importing them."""
    names = ["openvino", "sentence-transformers", "transformers"] + ["nncf"] * (precision == "int8")
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
