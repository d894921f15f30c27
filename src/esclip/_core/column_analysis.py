"""The words of many records at once, from Arrow columns of texts: as `analysis.analyze_record` has them.

columns ─► ASCII texts ─► split by Arrow ─┐
      └──► others ──────► one by one ─────┴─► (row, word) ─► each once, sorted ─► lists
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esclip._core.analysis import FOLDERS, analyze_document, stem_word
from esclip._core.picture_color import COLOR, is_color


def analyze_columns(columns: Mapping[str, pa.Array], rows: int) -> pa.Array:
    """The words of each row, sorted, each once: of columns of texts or of lists of texts, by their names."""
    texts, owners = _flatten([_spoken(name, column) for name, column in columns.items() if name != FOLDERS])
    ascii = pc.string_is_ascii(texts).to_numpy(zero_copy_only=False)
    runs = pc.split_pattern_regex(pc.ascii_lower(texts.filter(pa.array(ascii))), "[^a-z0-9]+")
    distinct = runs.flatten().dictionary_encode()
    words = [stem_word(run) for run in distinct.dictionary.to_pylist()]
    numbers = [distinct.indices.to_numpy()]
    places = [owners[ascii][pc.list_parent_indices(runs).to_numpy()]]
    for text, owner in zip(texts.filter(pa.array(~ascii)).to_pylist(), owners[~ascii], strict=True):
        found = analyze_document(text, {})
        numbers.append(np.arange(len(words), len(words) + len(found)))
        places.append(np.full(len(found), owner))
        words += found
    return _lists(np.concatenate(places), np.concatenate(numbers), words, rows)


def _spoken(name: str, column: pa.Array) -> pa.Array:
    """The column without what has no words."""
    if name == COLOR and pa.types.is_string(column.type):
        return pa.array([None if is_color(text) else text for text in column.to_pylist()], pa.string())
    return column


def _flatten(columns: list[pa.Array]) -> tuple[pa.Array, Any]:
    """All texts, and the number of the row that each is of."""
    texts, owners = [pa.array([], pa.string())], [np.empty(0, dtype=np.int64)]
    for column in columns:
        if pa.types.is_list(column.type):
            parents = pc.list_parent_indices(column).to_numpy()
            column = column.flatten()
        else:
            parents = np.arange(len(column))
        texts.append(column.drop_null())
        owners.append(parents[column.is_valid().to_numpy(zero_copy_only=False)])
    return pa.concat_arrays(texts), np.concatenate(owners)


def _lists(owners: Any, numbers: Any, words: list[str], rows: int) -> pa.Array:
    """A list for each row, from pairs of a row and the number of a word."""
    known = sorted({*words} - {""})
    ranks = {word: rank for rank, word in enumerate(known)}
    ranked = np.array([ranks.get(word, -1) for word in words], dtype=np.int64)[numbers]
    some = ranked >= 0  # an empty run is before a separator that a text begins with
    base = max(1, len(known))
    pairs = np.sort(owners[some] * base + ranked[some])
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]  # as numpy's `unique`, which is 40 times slower
    counts = np.bincount(pairs // base, minlength=rows)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(known, pa.string()).take(pa.array(pairs % base))
    )
