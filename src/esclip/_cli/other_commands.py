"""What other tools call esclip's commands: an error for one of them gives the name here.

esclip query   ─► No such command: query. Here it is search.
esclip "a dog" ─► No such command: a dog. To look for it: esclip search 'a dog'
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Mapping

_OTHERS_BY_COMMAND: Mapping[str, str] = {
    "ingest": "index add create insert upsert import load build scan inference end2end update sync",
    "manifest": "split shard partition listing inventory",
    "search": "query find ask grep filter lookup",
    "indexes": "collections list ls tables list-indexes list-collections list-tables dbs",
    "stats": "count info describe status",
    "forget": "delete remove rm del unindex",
    "switch": "alias swap promote rollback point activate use",
    "drop": "destroy delete-collection delete-index drop-table reset",
    "duplicates": "dedupe dedup duplicate near-duplicates",
    "facets": "facet aggregate aggregations histogram group-by values",
    "similar": "neighbors neighbours knn more-like-this",
    "classify": "rank label tag zero-shot",
    "embed": "encode vectorize embeddings embed-multi",
    "adopt": "attach takeover take-over",
    "plan": "estimate sizing capacity",
    "audit": "recall measure-recall check-index verify",
    "reencode": "reindex re-encode re-embed reembed migrate upgrade",
    "compare": "diff compare-indexes",
    "evaluate": "eval benchmark rank-eval ndcg",
    "models": "model list-models",
    "doctor": "check diagnose",
    "serve-encoder": "serve server back",
    "--help": "help",
    "--version": "version",
}

_OURS_BY_OTHER: Mapping[str, str] = {
    other: ours for ours, others in _OTHERS_BY_COMMAND.items() for other in others.split()
}
"""Commands here by what other tools call them."""


def describe_command(word: str, known: Collection[str]) -> str:
    """What to type instead of a command that is not among the `known` ones; empty where nobody knows."""
    ours = _OURS_BY_OTHER.get(word.lower(), "")
    if ours in known or ours.startswith("--"):
        return f"Here it is {ours}."
    looks_for = any(mark in word for mark in " /") or os.path.exists(word)  # noqa: PTH110  # of any text
    return f"To look for it: esclip search {shlex.quote(word)}" if looks_for else ""
