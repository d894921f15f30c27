"""Find a model on this machine or on the Hugging Face hub.

    name in the catalogue ───────────────► Hugging Face cache ─► hub ─► ModelFolder
    other name ─► folder of that name ─► or as above

Reading the cache needs no network.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from esclip._errors import EncoderError, map_errors, one_line
from esclip._files.locations import AnyPath
from esclip._files.user_folders import usable_folder
from esclip.encoders.catalogue import canonical_name, hub_name
from esclip.encoders.checkpoints.folder import MARKER_FILES, ModelFolder
from esclip.encoders.loading import LOCAL_MODEL_ERRORS, MODEL_ERRORS, quiet_download

_log = logging.getLogger("esclip")

_HUB_TIMEOUT_S = 10.0
_HUB_PROXIES = ("http", "https", "socks5", "socks5h")
"""Proxy schemes that the hub's library supports."""


def find_model(name: str) -> ModelFolder:
    """Find a model by its name or folder; download it if this machine lacks it.

    Raises `EncoderError` if there is none, `ConfigError` for an unusable proxy in the environment.
    """
    return local_model(name) or _download(hub_name(name))


def local_model(name: str) -> ModelFolder | None:
    """Find a model without a network: a folder, or a complete model in the Hugging Face cache; else None.

    A name in the catalogue, or one without a separator, never means a folder: a folder of that name in the
    working directory is untrusted, and would silently stand in for the model.
    """
    _require_name(name)
    if canonical_name(name) is not None:
        return _find_in_cache(hub_name(name))
    with map_errors(MODEL_ERRORS, name, "can't be looked for"):
        folder = Path(name).expanduser()
        if folder.is_dir():
            if not _names_folder(name):
                raise EncoderError(
                    f"model {name}: not a name that esclip knows; for the folder {name} here give ./{name}"
                )
            model = ModelFolder(str(folder.resolve()), folder.resolve())
            model.check()
            return model
    if not is_hub_name(name):
        raise EncoderError(
            f"model {name}: no such folder; give an existing model folder or a name on the hub"
        )
    return _find_in_cache(name)


def local_folder(model: AnyPath, kind: str) -> Path:
    """Find the folder of a model of transformers that is no encoder, without a network.

    Folders and names are told apart as in `local_model`. Raises `EncoderError` where this machine lacks it.
    """
    name = str(model)
    _require_name(name)
    shown = one_line(name, 200)
    with map_errors(LOCAL_MODEL_ERRORS, shown, "can't be looked for"):
        folder = Path(model).expanduser()
        if folder.is_dir():
            if isinstance(model, str) and not _names_folder(name):
                raise EncoderError(f"model {shown}: for the folder {shown} here give ./{shown}")
            if not (folder / _CONFIG).is_file():
                raise EncoderError(f"model {shown}: no {_CONFIG} in it; give the folder of an {kind} model")
            return folder.resolve()
        if is_hub_name(name):
            from huggingface_hub import try_to_load_from_cache

            file = try_to_load_from_cache(name, _CONFIG, _hub_cache())
            if isinstance(file, str):
                return Path(file).parent
    remedy = f"; hf download {shown} fetches it" if is_hub_name(name) else ""
    raise EncoderError(
        f"model {shown}: no such folder, and none in the cache {_hub_cache()}; give the folder of an {kind} "
        f"model{remedy}"
    )


def _names_folder(name: str) -> bool:
    """Whether a name outside the catalogue may mean a folder."""
    return name.startswith(("~", ".")) or any(part in name for part in ("/", os.sep, os.altsep or "/"))


def _require_name(name: str) -> None:
    """Raise `EncoderError` for a blank one, whose folder would be the working directory."""
    if not name.strip():
        raise EncoderError("a model's name is empty; give an existing model folder or a name on the hub")


def is_hub_name(name: str) -> bool:
    """Whether it is a valid name of a model on the hub."""
    return _HUB_NAME.fullmatch(name) is not None


def _find_in_cache(name: str) -> ModelFolder | None:
    with map_errors(MODEL_ERRORS, name, "can't be looked for"):
        from huggingface_hub import try_to_load_from_cache

        cache = _hub_cache()
        cached = (try_to_load_from_cache(_repository(name), marker, cache) for marker in MARKER_FILES)
        model = next((ModelFolder(name, Path(file).parent) for file in cached if isinstance(file, str)), None)
    return model if model and model.is_complete else None


def _download(name: str) -> ModelFolder:
    from huggingface_hub import HfApi, constants, snapshot_download

    from esclip._net.environment import check_proxy_of_environment

    check_proxy_of_environment(constants.ENDPOINT, _HUB_PROXIES)
    problem = f"is no folder, not in the cache {_hub_cache()}, and can't be downloaded from the hub"
    with map_errors(MODEL_ERRORS, name, problem), quiet_download():
        info = HfApi().model_info(_repository(name), timeout=_HUB_TIMEOUT_S)
        files = [sibling.rfilename for sibling in info.siblings or ()]
        _log.info("downloading model %s from the hub", name)
        path = snapshot_download(
            _repository(name), cache_dir=_hub_cache(), allow_patterns=_select_files(files)
        )
    model = ModelFolder(name, Path(path))
    model.check()
    return model


def _hub_cache() -> Path:
    """The cache folder of the hub's library, or a usable one in its place."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    return usable_folder(None if folder.parts[:1] == ("~",) else folder.absolute(), "huggingface")


def _select_files(files: list[str]) -> list[str]:
    """Select a repository's files that torch loads: no exports, no second format of the same weights."""
    folders_with_safetensors = {Path(file).parent for file in files if file.endswith(".safetensors")}
    texts = [file for file in files if file.endswith((".json", ".txt", ".model", ".safetensors"))]
    binaries = [f for f in files if f.endswith(".bin") and Path(f).parent not in folders_with_safetensors]
    return [file for file in texts + binaries if not file.startswith(("onnx/", "openvino/"))]


def _repository(name: str) -> str:
    return name if "/" in name else f"sentence-transformers/{name}"


_CONFIG = "config.json"

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
