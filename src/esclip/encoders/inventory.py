"""Lists which models of the catalogue this machine has, and which towers are exported. Needs no network."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from esclip._core.settings import tower_cache
from esclip._errors import EncoderError
from esclip.encoders.catalogue import MODELS, Model
from esclip.encoders.checkpoints.find import local_model
from esclip.encoders.checkpoints.folder import ModelFolder
from esclip.encoders.runtimes.export import Kind, find_export
from esclip.encoders.runtimes.towers import choose_runtime

_log = logging.getLogger("esclip")


def list_models(cache: Path | None = None) -> tuple[Model, ...]:
    """List the catalogue's models with their local files. `cache` is the folder for exported towers."""
    return tuple(_with_local_files(model, cache or tower_cache()) for model in MODELS)


def _with_local_files(model: Model, cache: Path) -> Model:
    """Add a model's folder and exports; a damaged model counts as missing, with a warning."""
    try:
        folder = local_model(model.name)
        if folder is None:
            return model
        prepared = tuple(tower for tower in model.towers if _is_prepared(folder, Kind(tower), cache))
    except EncoderError as error:
        _log.warning("%s", error)
        return model
    return replace(model, folder=folder.path, prepared=prepared)


def _is_prepared(folder: ModelFolder, kind: Kind, cache: Path) -> bool:
    precisions = choose_runtime(kind, "cpu", None).precisions
    exports = (find_export(cache, folder, kind, precision) for precision in precisions)
    return any(export is not None and export.accepted for export in exports)
