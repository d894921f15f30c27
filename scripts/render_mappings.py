"""Write mappings/*.json, the index bodies that esclip sends, for people who make their index by hand.

python scripts/render_mappings.py     after a change of src/esclip/stores/engine/index_bodies.py
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson

from esclip._core.index_settings import VECTOR_LEVELS, IndexSettings
from esclip._core.schema import IndexSchema, Space
from esclip.stores.engine.dialects import Engine
from esclip.stores.engine.index_bodies import index_body

__all__ = ["MAPPINGS", "rendered"]

MAPPINGS = Path(__file__).resolve().parent.parent / "mappings"
SCHEMA = IndexSchema(
    Space("clip-ViT-B-32", "clip-ViT-B-32-multilingual-v1", weights="", preprocessing="", dim=512)
)


def rendered() -> dict[str, bytes]:
    """The files by name: an index of 512 dimensions on one node, without metadata fields, of each level."""
    return {
        f"{'-'.join((engine.value.lower(), *levels))}.json": _render(engine, *levels)
        for engine in Engine
        for levels in ((), *((level,) for level in VECTOR_LEVELS[1:]))
    }


def _render(engine: Engine, level: str | None = None) -> bytes:
    body = index_body(engine, replace(SCHEMA, settings=IndexSettings(level)), data_nodes=1)
    # `_meta` is about one index's model and not for copying: an index with a made-up one would be trusted
    del body["mappings"]["_meta"]
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def main() -> None:
    """Write all files."""
    MAPPINGS.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (MAPPINGS / name).write_bytes(text)


if __name__ == "__main__":
    main()
