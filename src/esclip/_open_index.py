"""Opening an index: a store, an index in it and an encoder, each by name or as it is, to one `ImageIndex`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from esclip._core.arguments import AnyPath, coerce_path, coerce_text, wrong_kind
from esclip._core.other_names import check_names
from esclip._core.settings import DEFAULT_INDEX
from esclip._errors import ConfigError
from esclip._errors.secrets import Address, Secret
from esclip._index import ImageIndex
from esclip._net.access import StoreAuth
from esclip._protocols import Encoder, Store
from esclip.encoders import load_encoder
from esclip.stores import is_folder, is_of_one_process
from esclip.stores.given import coerce_store, open_given_store

if TYPE_CHECKING:
    from esclip._ingest.worker import IndexAddress


@check_names()
def open_index(
    store: AnyPath | Store | None = None,
    index: str = DEFAULT_INDEX,
    encoder: AnyPath | Encoder | None = None,
    text_encoder: AnyPath | None = None,
    *,
    device: str | None = None,
    precision: str | None = None,
    encoder_token: str | None = None,
    auth: StoreAuth | None = None,
) -> ImageIndex:
    """Open an index of pictures, existing or yet to be made. Connects to nothing and loads no model yet.

    A forked process (gunicorn --preload, Celery, multiprocessing) may use what its parent has opened: it gets
    connections of its own. Lance, OpenVINO and torch can't: where the parent had read an embedded index or
    encoded before the fork, the child gets a `StoreError` or an `EncoderError`.

    Args:
        store: A folder (embedded index; of Milvus Lite where its name ends in `.db`), the `http://` or
            `https://` address of OpenSearch or Elasticsearch, the `milvus://` or `milvus+https://` one of
            Milvus, or a `Store`. Default: a folder in the user's data directory.
        index: Name of the index: up to 200 of `a-z`, `0-9`, `_` and `-`. Several with commas between are
            searched as one, and can't be written.
        encoder: A model's name, a model's folder, `palette`, the address of an encoder server, those of
            several servers of one model with commas between, or an `Encoder`. Default: the index's own; for a
            new index `clip-ViT-B-32`.
        text_encoder: The model for the texts of queries. Default: see `load_encoder`.
        device: What a named model runs on: `cpu`, `cuda`, `mps`. Default: the fastest for pictures.
        precision: What the CPU computes in: `f32`, `bf16` or `int8`. Default: `bf16` where the CPU has it.
        encoder_token: Token of an encoder server.
        auth: Credentials and CA file of a cluster.

    Returns:
        The index, to be closed: by `with` or `close`.

    Raises:
        ConfigError: An address or a name can't be used.

    Example:
        with esclip.open_index("photos.lance", encoder="palette") as index:
            index.ingest("photos")
    """
    coerce_text("the index", index, "a name")
    if encoder_token is not None:
        encoder_token = Secret(coerce_text("encoder_token", encoder_token))
    store = given = coerce_store(store)  # no traceback shows its password
    opened = open_given_store(given, index, auth)
    if isinstance(encoder, (str, os.PathLike)):
        encoder = Address(_name_of("the encoder", encoder))
    elif encoder is not None and not hasattr(encoder, "encode_texts"):
        raise wrong_kind("the encoder", encoder, "a model's name, a folder, an address or an Encoder")
    load = partial(load_encoder, device=device, precision=precision)
    texts = _name_of("text_encoder", text_encoder) if text_encoder is not None else None

    def worker_address() -> IndexAddress:
        from esclip._ingest.worker import IndexAddress

        folder_or_server, model = _require_reopenable(given), _require_named(encoder)
        return IndexAddress(folder_or_server, index, auth, model, texts, device, precision, encoder_token)

    return ImageIndex(opened, encoder, texts, load, encoder_token, worker_address)


def _name_of(what: str, model: AnyPath) -> str:
    """The name of a model; a path's is a folder's, which can be no name on the hub."""
    given = coerce_path(what, model, "a model's name, a folder or an address")
    return str(given.expanduser().absolute()) if isinstance(given, Path) else given


def _require_reopenable(store: Address | Path | Store) -> str | Path:
    """The store as other processes open it. Raises `ConfigError` for one that they can't."""
    if not isinstance(store, str | Path):
        raise ConfigError("on: other processes can't open this store; open the index by the store's address")
    if not is_folder(store):
        return store
    folder = Path(store).expanduser().absolute()
    if is_of_one_process(folder):
        raise ConfigError(f"on: {folder} is of Milvus Lite, which lets one process in; take another store")
    return folder


def _require_named(encoder: str | Encoder | None) -> str | None:
    """The encoder's name, for other processes. Raises `ConfigError` for an `Encoder`."""
    if not isinstance(encoder, str | None):
        raise ConfigError("on: other processes load the encoder themselves; open the index with its name")
    return encoder
