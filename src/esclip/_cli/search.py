"""The commands that search, and the one that compares all pictures of an index."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from esclip._cli.arguments import parse_weight, parse_weighted
from esclip._cli.groups import EncoderOptions, ImageEncoderOptions, StoreOptions, Without
from esclip._cli.here import HereOption
from esclip._cli.hit_output import HitOutput
from esclip._cli.options import Json, OpenPage, Page, WhereOption, not_blank, number
from esclip._core.options import MAX_WEIGHT
from esclip._core.settings import SEARCHES_AT_ONCE
from esclip._errors import ConfigError, error_text, one_line
from esclip._files.text import NotText, text_lines
from esclip._search.options import THRESHOLD, HitOptions, QueryOptions, TextQueryOptions

if TYPE_CHECKING:
    from esclip._search.query import Clause

ImageQueryOptions: TypeAlias = Annotated[QueryOptions, Without(("min_relevance",))]
"""Only searches by text have a relevance."""

Ids = Annotated[
    list[str],
    typer.Argument(
        metavar="ID...", help="Stored pictures' ids, as searches print them; from a script, after --."
    ),
]

log = logging.getLogger("esclip")


def _clause_option(name: str, metavar: str, help: str, least: str = "-0.5") -> typer.models.OptionInfo:
    wording = f"{help}; repeatable. With a weight as {name}:0.5 or {name}:{least}, at most {MAX_WEIGHT:,}."
    option: typer.models.OptionInfo = typer.Option(name, metavar=metavar, help=wording, show_default=False)
    return option


def search_text(
    query: Annotated[
        str, typer.Argument(metavar="QUERY", callback=not_blank, help="What the pictures show.")
    ],
    *,
    search: TextQueryOptions,
    store: StoreOptions,
    encoder: EncoderOptions,
    place: HereOption,
    output: HitOutput,
) -> None:
    """Find pictures by words, in any language that the text tower knows."""
    with store.open(encoder) as index:
        output.show(index.search_text(query, **place.narrow(index, search)), query)


def search_texts(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(metavar="FILE", help="Queries, one a line; - for standard input."),
    ],
    *,
    search: TextQueryOptions,
    store: StoreOptions,
    encoder: EncoderOptions,
    place: HereOption,
    output: HitOutput,
) -> None:
    """Find pictures for each of many queries, all at once; the query stands before each hit."""
    from esclip._concurrency.streams import batches

    texts = read_queries(file)
    numbers, whole = count(1), True
    with store.open(encoder) as index:
        options = place.narrow(index, search)
        for batch in batches(texts, SEARCHES_AT_ONCE):
            results = index.search_texts(batch, **options)
            for text, hits in zip(batch, results, strict=True):
                whole &= output.show_of_query(next(numbers), text, hits)
    output.show_page()
    if not whole:
        raise typer.Exit(1)


def read_queries(file: typer.FileBinaryRead) -> Iterator[str]:
    """The queries of a file, one a line. Raises `ConfigError` where it is no text."""
    return (line.strip() for line in _lines(file) if line.strip())


def read_own_queries(file: typer.FileBinaryRead | None) -> list[str]:
    """The queries of a file, where one is given. Raises `ConfigError` where it is no text, or has none."""
    texts = list(read_queries(file)) if file else []
    if file and not texts:
        raise ConfigError(f"queries {one_line(file.name)}: there are none; give one a line")
    return texts


def _lines(file: typer.FileBinaryRead) -> Iterator[str]:
    """The file's lines. Raises `ConfigError` where it is no text."""
    try:
        yield from text_lines(file)
    except (OSError, NotText) as error:
        raise ConfigError(f"queries {one_line(file.name)}: {error_text(error)}") from error


def search_image(
    image: Annotated[
        str,
        typer.Argument(
            metavar="FILE|URL",
            callback=not_blank,
            help="A picture like those wanted; - for one on standard input.",
        ),
    ],
    *,
    search: ImageQueryOptions,
    store: StoreOptions,
    encoder: ImageEncoderOptions,
    place: HereOption,
    output: HitOutput,
) -> None:
    """Find pictures that look like another one."""
    from esclip._cli.query_argument import naming_stdin, read_picture

    picture = read_picture(image)
    with store.open(encoder) as index, naming_stdin(picture):
        hits = index.search_image(picture, **place.narrow(index, search))
        output.show(hits, image)


def similar(
    id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A stored picture's id, as searches print it; from a script, after --."
        ),
    ],
    *,
    search: ImageQueryOptions,
    store: StoreOptions,
    place: HereOption,
    output: HitOutput,
) -> None:
    """Find the neighbours of a stored picture, itself left out."""
    with store.open() as index:
        output.show(index.similar(id, **place.narrow(index, search)), f"similar to {id}")


def recommend(
    like: Ids,
    unlike: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="A stored picture to lead away from; repeatable."),
    ] = None,
    *,
    search: ImageQueryOptions,
    store: StoreOptions,
    place: HereOption,
    output: HitOutput,
) -> None:
    """Find pictures like several stored ones, and unlike others."""
    with store.open() as index:
        wanted = ", ".join([*like, *(f"not {id}" for id in unlike or ())])
        output.show(index.recommend(like, unlike or (), **place.narrow(index, search)), wanted)


def search(
    query: Annotated[
        str | None,
        typer.Argument(
            metavar="QUERY|PATH|URL",
            help="What the pictures show, or a picture like those wanted: an existing file, or an address "
            "with http(s)://. What has a / in it or ends like a picture's name is a path. --text and --image "
            "take any value for what they say.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[list[str] | None, _clause_option("--text", "WORDS", "What the pictures show")] = None,
    image: Annotated[
        list[str] | None,
        _clause_option("--image", "FILE|URL", "A picture like those wanted, - for one on standard input"),
    ] = None,
    id: Annotated[list[str] | None, _clause_option("--id", "ID", "A stored picture, itself left out")] = None,
    words: Annotated[
        list[str] | None,
        _clause_option("--words", "WORDS", "Words in descriptions, keywords, places and names", "2"),
    ] = None,
    *,
    search: QueryOptions,
    store: StoreOptions,
    encoder: EncoderOptions,
    place: HereOption,
    output: HitOutput,
) -> None:
    """Find pictures by a text or a picture, or by several of them, words and --where."""
    from esclip._cli.query_argument import naming_stdin
    from esclip._search.query import ImageQuery, Keywords, Query

    clauses = [
        *([_argument_clause(query)] if query is not None else []),
        *_option_clauses(text or [], image or [], id or [], words or []),
    ]
    if not clauses and not search["where"] and not place.here:
        raise typer.BadParameter(
            "say what to look for: a text, a picture's path or URL, --text, --image, --id, --words, --where "
            "or --here"
        )
    if any(isinstance(clause, Keywords) and clause.weight <= 0 for clause in clauses):
        raise typer.BadParameter("--words has a weight above zero; to leave something out, use --where")
    with (
        store.open(encoder) as index,
        naming_stdin(*(clause.image for clause in clauses if isinstance(clause, ImageQuery))),
    ):
        asked = Query(*clauses, **place.narrow(index, search))
        output.show(index.search(asked), asked)


def _argument_clause(given: str) -> Clause:
    """The clause that the argument stands for."""
    from esclip._cli.query_argument import is_picture
    from esclip._search.query import ImageQuery, Text

    return ImageQuery(given) if is_picture(not_blank(given)) else Text(*_parse_clause("--text", given))


def _option_clauses(
    text: Sequence[str], image: Sequence[str], id: Sequence[str], words: Sequence[str]
) -> Iterator[Clause]:
    from esclip._cli.query_argument import read_picture
    from esclip._search.query import ImageQuery, Keywords, SimilarTo, Text

    yield from (Text(*_parse_clause("--text", value)) for value in text)
    for value in image:
        picture, weight = _parse_clause("--image", value)
        yield ImageQuery(read_picture(picture), weight)
    yield from (SimilarTo(*_parse_clause("--id", value)) for value in id)
    yield from (Keywords(*_parse_clause("--words", value)) for value in words)


def _parse_clause(option: str, given: str) -> tuple[str, float]:
    """The value and its weight. Warns where a weight seems to stand in the value."""
    value, weight = parse_weighted(given)
    if value == given and (meant := parse_weight(value)):
        log.warning(
            '%s "%s" is looked for as it stands; a weight belongs to the option: %s:%s "%s"',
            option,
            value,
            option,
            *meant,
        )
    return not_blank(value), weight


def duplicates(
    threshold: Annotated[float, number(THRESHOLD)] = THRESHOLD.default,
    where: WhereOption = None,
    page: Page = None,
    open: OpenPage = False,
    *,
    store: StoreOptions,
    place: HereOption,
    json: Json = False,
) -> None:
    """Show groups of pictures that are the same or nearly so, the largest group first. Removes nothing."""
    from esclip._cli.output.console import is_quiet
    from esclip._cli.output.duplicates import print_groups, print_summary, show_groups_page

    compared = 0

    def count(pictures: int) -> None:
        nonlocal compared
        compared = pictures

    with store.open() as index:
        options = place.narrow(index, HitOptions(where=where))
        groups = index.duplicates(
            threshold, options.get("where"), on_progress=count, show_progress=not is_quiet()
        )
    print_groups(groups, json=json)
    print_summary(groups, compared=compared)
    if page or open:
        show_groups_page(groups, page, open=open)
