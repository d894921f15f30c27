"""What a wrong name of an index or a store was probably meant to be, for the error about it.

explain_missing(store) ─┬─► its folder does not exist     a folder beside it with a similar name
                        ├─► its folder is an index        the store around it
                        └─► other indexes are there       the one with a similar name, or a few of them
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from esclip._core.schema import IndexSchema
from esclip._core.texts import is_companion
from esclip._errors import Hint, IndexNotFound, StoreError, one_line
from esclip._protocols import Store

MAX_NAMED = 5
"""Names of indexes in an error."""


def explain_missing(store: Store) -> str:
    """Why a store's index may be missing, to stand in brackets; empty where nothing is to be said."""
    folder = Path(store.address)
    if folder.is_absolute():  # and no address of a server
        if (folder / "_versions").is_dir():
            return f"the folder is an index: its store is {folder.parent}, its name {folder.stem!r}"
        if not folder.is_dir():
            return explain_missing_folder(folder)
    return _explain_by_others(store)


def missing_index(store: Store, problem: str = "does not exist") -> IndexNotFound:
    """The error that a store's index has this problem, with what was probably meant."""
    why = explain_missing(store)
    text = f"index {store.index!r} {problem} in {store.address}{f' ({why})' if why else ''}"
    return IndexNotFound(text, Hint.INGEST)


def require_schema(store: Store) -> IndexSchema:
    """The schema of a store's index. Raises `IndexNotFound` with what was probably meant."""
    schema = store.schema()
    if schema is None:
        raise missing_index(store)
    return schema


def explain_missing_folder(folder: Path) -> str:
    """That a store's folder does not exist, and which one was probably meant."""
    problem = "there is no such folder"
    try:
        stores = [path.name for path in folder.parent.iterdir() if any(path.glob("*.lance/_versions"))]
    except OSError:
        return problem
    near = get_close_matches(folder.name, stores, 1)
    return f"{problem}; did you mean {one_line(str(folder.with_name(near[0])))}?" if near else problem


def _explain_by_others(store: Store) -> str:
    try:
        infos = store.list_indexes()
    except StoreError:  # the first error is the one to tell
        return ""
    indexes = {name: info for name, info in infos.items() if not is_companion(info.schema)}
    aliases = [alias for info in indexes.values() for alias in info.aliases]
    names = [name for name in (*indexes, *aliases) if name != store.index]
    if near := get_close_matches(store.index, names, 1):
        return f"did you mean {near[0]!r}?"
    if not names:
        return ""
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    return f"there is {', '.join(map(repr, names[:MAX_NAMED]))}{more}"
