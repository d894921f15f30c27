"""The command that rates searches by judgements of what is relevant."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from esclip._cli.against import Against, read_against
from esclip._cli.groups import EncoderOptions, StoreOptions, Without
from esclip._cli.options import Json, as_file, number
from esclip._cli.signals import handle_signals
from esclip._evaluation.options import FIXED, MIN_USERS, EvaluateOptions
from esclip._search.options import TextQueryOptions

if TYPE_CHECKING:
    from esclip._evaluation.judgements import Judgements
    from esclip._index import ImageIndex

TELL_AFTER_S = 5.0
"""Seconds between two lines that say how far it is."""


def _source(name: str, metavar: str, help: str) -> Any:
    return typer.Option(name, metavar=metavar, parser=as_file, help=help)


def evaluate(
    judgements: Annotated[
        Path | None,
        _source(
            "--judgements", "FILE", "Judgements: a table with tabs between query, id, gain and language."
        ),
    ] = None,
    conversions: Annotated[
        Path | None,
        _source("--conversions", "DIR", "An Unsplash dataset: what its users downloaded after which search."),
    ] = None,
    keywords: Annotated[
        Path | None,
        _source("--keywords", "DIR", "An Unsplash dataset: the keywords that people gave to photos."),
    ] = None,
    captions: Annotated[
        Path | None,
        _source("--captions", "FILE", "A JSON file of one or more texts by the path or id of each picture."),
    ] = None,
    field: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A field of the index's own documents: description, keywords, ..."),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Compare with a second system, which has this otherwise: index, store, encoder, "
            "text-encoder, or an option of searches, as in hybrid=0.5 or exact=yes; repeatable.",
        ),
    ] = None,
    min_users: Annotated[int, number(MIN_USERS)] = MIN_USERS.default,
    *,
    options: EvaluateOptions,
    search: Annotated[TextQueryOptions, Without(FIXED)],
    store: StoreOptions,
    encoder: EncoderOptions,
    json: Json = False,
) -> None:
    """Rate searches by what is known to be relevant; compare two indexes, models or kinds of search.

    The known is one of --judgements, --conversions, --keywords, --captions and --field.
    """
    import esclip
    from esclip._cli.output.evaluations import print_evaluation

    kinds = {
        "--judgements": judgements,
        "--conversions": conversions,
        "--keywords": keywords,
        "--captions": captions,
        "--field": field,
    }
    given = [name for name, value in kinds.items() if value]
    if len(given) != 1:
        named = f"{' and '.join(given)} at once; give one" if given else "tell what is relevant by one"
        raise typer.BadParameter(f"{named} of {', '.join(kinds)}")
    second = read_against(against or (), store, encoder, search)
    with handle_signals(lambda: False), ExitStack() as stack:  # SIGTERM, too, frees temporary files
        index = stack.enter_context(store.open(encoder))
        index.stats()  # a missing index is told before a dataset is read
        other = _open_other(second, stack)
        evaluation = esclip.evaluate(
            index,
            _read_judgements(given[0], kinds[given[0]], index, min_users),
            search=search,
            against=other,
            against_search=second.search if second else None,
            names=(store.index, second.name if second else ""),
            on_progress=_progress(),
            **options,
        )
    print_evaluation(evaluation, json=json)


def _open_other(second: Against | None, stack: ExitStack) -> ImageIndex | None:
    """The second system's index; None where it is the first's."""
    if second is None or second.store is None:
        return None
    index = stack.enter_context(second.store.open(second.encoder))
    index.stats()
    return index


def _read_judgements(kind: str, value: Any, index: ImageIndex, min_users: int) -> Judgements:
    from esclip._evaluation.judgements import Judgements

    readers: dict[str, Callable[[], Judgements]] = {
        "--judgements": lambda: Judgements.from_tsv(value),
        "--conversions": lambda: Judgements.from_conversions(value, min_users),
        "--keywords": lambda: Judgements.from_keywords(value),
        "--captions": lambda: Judgements.from_captions(value, index),
        "--field": lambda: Judgements.from_index(index, value),
    }
    return readers[kind]()


def _progress() -> Callable[[int], None]:
    """What says every few seconds how many queries have been searched."""
    from esclip._cli.output.console import say
    from esclip._errors.counts import pluralize

    last_told = monotonic()

    def tell(queries: int) -> None:
        nonlocal last_told
        if monotonic() - last_told >= TELL_AFTER_S:
            last_told = monotonic()
            say(f"{pluralize(queries, 'query')} searched")

    return tell
