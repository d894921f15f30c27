"""Names that other tools have for esclip's options: an error for one of them gives the name here.

search_text("a dog", top_k=5)      ─┬─ OTHER_NAMES ─► TypeError: ... it is k= here
esclip search-text "a dog" --top-k ─┘              └► No such option: --top-k. Here it is --top.

The same for attributes (`index.query`); `_cli/other_commands.py` has commands.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from functools import cache, wraps
from typing import Any, TypeVar, get_args, get_type_hints

F = TypeVar("F", bound=Callable[..., Any])

_OTHERS_BY_OURS: Mapping[str, str] = {
    "k": "top top_k topk top_n limit n n_results num_results max_results num_images count size number t",
    "where": "filter filters filter_by query_filter metadata_filter expr prefilter",
    "min_score": "threshold score_threshold similarity_threshold min_similarity cutoff",
    "offset": "skip start from_",
    "sort": "sort_by order_by order orderby",
    "fields": "facet_by facet_fields columns field",
    "hybrid": "alpha hybrid_weight",
    "collapse": "dedup deduplicate",
    "exact": "brute_force flat",
    "candidates": "num_candidates ef_search ef hnsw_ef nprobe nprobes n_probes",
    "targets": "target_vectors",
    "text": "add a query prompt text_input query_text",
    "text:-1": "subtract sub s negative negative_prompt",
    "texts": "queries query_texts",
    "image": "img picture path url file image_path image_url image_input query_image",
    "id": "image_id point_id",
    "ids": "id image_ids point_ids",
    "n": "limit k top count size number",
    "like": "positive",
    "unlike": "negative",
    "images": "image image_dir images_dir image_folder",
    "paths": "path file files folder directory dir input_dir url_list",
    "json": "jsonl ndjson",
    "only_paths": "filepath_only files_only paths_only f l",
    "null": "print0 z",
    "copy_to": "copy output output_dir output_folder out out_dir dest save_to download o",
    "address": "server host url",
    "store": "uri url path host hosts db db_path database persist_directory index_path indice_folder",
    "index": "collection collection_name table table_name index_name",
    "encoder": "model model_name model_id clip_model embedding_model embedding_function vectorizer m",
    "text_encoder": "text_model",
    "name": "model model_name model_id encoder",
    "auth": "api_key http_auth basic_auth user username password",
    "user": "username",
    "batch_size": "batch bs indexing_batch_size b",
    "workers": "num_workers jobs threads thread_count processes_count concurrency",
    "limit": "top n max_records num_images",
    "records": "documents data items rows df frame",
    "prune": "delete_missing remove_missing sync",
    "captions": "caption_col captions_col captions_file",
    "captioner": "caption_model captioning_model image_to_text",
    "detector": "crop_model detection_model object_detector",
    "labels": "classes class_names candidate_labels",
    "reason": "reasons",
    "reasons": "reason",
    "threshold": "min_score cutoff similarity_threshold",
    "on_progress": "callback progress_callback",
    "show_progress": "show_progress_bar progress progress_bar progressbar disable_tqdm tqdm",
}
"""Others' names by ours; one may stand for several of ours, of which a call has one."""

OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    other: tuple(ours for ours, others in _OTHERS_BY_OURS.items() if other in others.split())
    for other in sorted({other for others in _OTHERS_BY_OURS.values() for other in others.split()})
}
"""Ours by others' names; `text:-1` is the option `text` with a weight."""


_OTHERS_BY_ATTRIBUTE: Mapping[str, Mapping[str, str]] = {
    "module esclip": {
        "open_index()": "connect open PersistentClient HttpClient EphemeralClient MilvusClient "
        "ClipClient Embeddings Index Database load_index create_index",
        "load_encoder()": "load_model SentenceTransformer Model",
        "classify()": "rank zero_shot",
    },
    "ImageIndex": {
        "search()": "query find ask",
        "search_text()": "text_search similarity_search query_text",
        "search_image()": "image_search similarity_search_by_image query_image",
        "similar()": "neighbors more_like_this",
        "add()": "upsert insert add_images index",
        "ingest()": "load build fit",
        "delete()": "remove forget",
        "drop()": "delete_collection delete_index reset",
        "get()": "fetch retrieve",
        "peek()": "head",
        "facets()": "aggregate aggregations group_by value_counts count_by",
        "len(index)": "count count_rows num_entities size",
        "stats()": "info describe schema",
    },
    "Client": {
        "search()": "query find asearch",
        "search_text()": "text_search similarity_search",
        "search_image()": "image_search",
        "similar()": "neighbors more_like_this",
        "add()": "upsert insert ingest",
        "index()": "aindex",
        "encode()": "aencode embed",
        "rank()": "arank",
        "delete()": "remove forget",
        "get()": "fetch retrieve",
        "len(client)": "count count_rows num_entities size",
        "stats()": "info describe schema",
    },
    "Hits": {
        "to_dicts()": "to_list to_dict dicts",
        "to_pandas()": "to_df df",
        "to_arrow()": "to_table",
        "k= of the search, or hits[:n]": "limit top head",
        "where= of the search": "filter where",
    },
}


def our_attribute(owner: str, name: str) -> str:
    """What to say of an attribute that an object lacks: how it is called here, if that is known."""
    others = _OTHERS_BY_ATTRIBUTE[owner]
    ours = next((ours for ours, names in others.items() if name in names.split()), None)
    return f"{owner} has no attribute {name!r}{f'; it is {ours} here' if ours else ''}"


def name_ours(owner: str) -> Callable[[object, str], Any]:
    """A `__getattr__` that names ours for what other tools call an attribute.

    Hide it from type checkers, which would take any name for an attribute.
    """

    def __getattr__(self: object, name: str) -> Any:
        raise AttributeError(our_attribute(owner, name), name=name, obj=self)

    return __getattr__


def our_name(other: str, known: Collection[str]) -> str | None:
    """Of the `known` names, the one that others call `other`; None where it is no such name."""
    candidates = OTHER_NAMES.get(other.strip("-").replace("-", "_").lower(), ())
    return next((ours for ours in candidates if ours.partition(":")[0] in known), None)


def check_names(*, instead: str = "") -> Callable[[F], F]:
    """Decorator: called with an argument that it lacks, a function raises a `TypeError` that names ours.

    Signature and type stay. Options by `**options: Unpack[...]` count as arguments. `instead`
    is what the error advises, whatever the argument.
    """

    def decorate(function: F) -> F:
        parameters = inspect.signature(function).parameters.values()
        explicit = {
            one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
        }
        (unnamed,) = [one.name for one in parameters if one.kind is one.VAR_POSITIONAL] or [""]
        (gathers,) = [one.name for one in parameters if one.kind is one.VAR_KEYWORD] or [""]

        @cache
        def known() -> frozenset[str]:
            gathered = get_args(get_type_hints(function)[gathers])[0].__annotations__ if gathers else ()
            return frozenset({*explicit, *gathered} - {"self"})

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            for name in kwargs:
                if name not in explicit and name not in known():
                    owner, dot, called = function.__qualname__.removesuffix(".__init__").rpartition(".")
                    shown = f"{type(args[0]).__name__ if dot and args else owner}{dot}{called}"
                    help = instead or _help(name, known(), unnamed)
                    raise TypeError(f"{shown}() has no argument {name}=; {help}")
            return function(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate


def _help(name: str, known: Collection[str], unnamed: str) -> str:
    """What to write in the place of an argument that there isn't."""
    if ours := our_name(name, known):
        return f"it is {ours.partition(':')[0]}= here"
    if unnamed and (name == unnamed or our_name(name, [unnamed])):
        return f"{unnamed} are given without a name, one after the other"
    near = get_close_matches(name, known, n=1, cutoff=0.7)
    return f"did you mean {near[0]}=?" if near else f"it has {', '.join(sorted(known))}"
