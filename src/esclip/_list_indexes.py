"""Which indexes a store has, with what each holds."""

from __future__ import annotations

from pathlib import Path

from esclip._core.arguments import AnyPath
from esclip._core.parts import parts_index
from esclip._core.schema import Stats
from esclip._core.settings import DEFAULT_INDEX
from esclip._core.texts import is_companion, texts_index
from esclip._errors import Hint, IndexNotFound
from esclip._net.access import StoreAuth
from esclip._protocols import Store
from esclip.stores.given import coerce_store, open_given_store
from esclip.stores.suggestions import explain_missing_folder


def list_indexes(store: AnyPath | Store | None = None, *, auth: StoreAuth | None = None) -> list[Stats]:
    """List the indexes of a store, by name. Those of other programs, and those that belong to another index
    (its texts, the parts of its pictures), are left out.

    Args:
        store: As in `open_index`.
        auth: As in `open_index`.

    Returns:
        What each index holds, as `ImageIndex.stats`; documents are counted as searches see them. A store
        that can't list its indexes gives the one that it was opened for.

    Raises:
        IndexNotFound: The store's folder does not exist.
        StoreError: The store can't be reached, or does not allow its indexes to be listed.
        ConfigError: The address can't be used.

    Example:
        for stats in esclip.list_indexes("store"):
            print(stats.index, stats.documents)
    """
    store = coerce_store(store)
    opened = open_given_store(store, DEFAULT_INDEX, auth)
    try:
        infos = opened.list_indexes()
        if not infos and (folder := Path(opened.address)).is_absolute() and not folder.is_dir():
            raise IndexNotFound(f"no index in {folder} ({explain_missing_folder(folder)})", Hint.INGEST)
    finally:
        if opened is not store:
            opened.close()
    return [
        Stats.of(
            info,
            name,
            opened.address,
            parts=infos.get(parts_index(name)) if info.schema.parts else None,
            texts=infos.get(texts_index(name)) if info.schema.texts else None,
        )
        for name, info in infos.items()
        if not is_companion(info.schema)
    ]
