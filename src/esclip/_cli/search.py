"""The commands that search."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from esclip._cli.arguments import as_once_weighed, weighed
from esclip._cli.groups import EncoderOptions, HitOptions, PictureEncoderOptions, StoreOptions
from esclip._cli.options import Json, not_blank
from esclip._cli.search_options import Hybrid, MinRelevance
from esclip._core.bounds import MAX_WEIGHT
from esclip._core.settings import SEARCHES_AT_ONCE
from esclip._errors import ConfigError, error_text, one_line
from esclip._files.text import NotText, text_lines

if TYPE_CHECKING:
    from esclip._search.hits import Hits

__all__ = ["recommend", "search", "search_image", "search_text", "search_texts", "similar"]

Ids = Annotated[
    list[str],
    typer.Argument(
        metavar="ID...", help="Stored pictures' ids, as searches print them; from a script, after --."
    ),
]

log = logging.getLogger("esclip")


def _part(name: str, metavar: str, help: str, least: str = "-0.5") -> typer.models.OptionInfo:
    wording = f"{help}; repeatable. With a weight as {name}:0.5 or {name}:{least}, at most {MAX_WEIGHT:,}."
    option: typer.models.OptionInfo = typer.Option(name, metavar=metavar, help=wording, show_default=False)
    return option


def search_text(
    query: Annotated[
        str, typer.Argument(metavar="QUERY", callback=not_blank, help="What the pictures show.")
    ],
    *,
    hybrid: Hybrid = 0.0,
    min_relevance: MinRelevance = None,
    of: HitOptions,
    at: StoreOptions,
    by: EncoderOptions,
    json: Json = False,
) -> None:
    """Find pictures by words, in any language that the text tower knows."""
    with at.open(by) as held:
        _show(held.search_text(query, hybrid=hybrid, min_relevance=min_relevance, **of.named()), json=json)


def search_texts(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(metavar="FILE", help="Queries, one a line; - for standard input."),
    ],
    *,
    hybrid: Hybrid = 0.0,
    min_relevance: MinRelevance = None,
    of: HitOptions,
    at: StoreOptions,
    by: EncoderOptions,
    json: Json = False,
) -> None:
    """Find pictures for each of many queries, all at once; the query stands before each hit."""
    from esclip._cli.output.hits import print_query_hits
    from esclip._concurrency.streams import batches

    texts = (line.strip() for line in _lines(file) if line.strip())
    with at.open(by) as held:
        for some in batches(texts, SEARCHES_AT_ONCE):
            found = held.search_texts(some, hybrid=hybrid, min_relevance=min_relevance, **of.named())
            for text, hits in zip(some, found, strict=True):
                print_query_hits(text, hits, json=json)


def _lines(file: typer.FileBinaryRead) -> Iterator[str]:
    """The file's lines. Raises `ConfigError` where it is no text."""
    try:
        yield from text_lines(file)
    except (OSError, NotText) as error:
        raise ConfigError(f"queries {one_line(file.name)}: {error_text(error)}") from error


def search_image(
    image: Annotated[
        str, typer.Argument(metavar="FILE|URL", callback=not_blank, help="A picture like those wanted.")
    ],
    *,
    of: HitOptions,
    at: StoreOptions,
    by: PictureEncoderOptions,
    json: Json = False,
) -> None:
    """Find pictures that look like another one."""
    with at.open(by) as held:
        _show(held.search_image(image, **of.named()), json=json)


def similar(
    id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A stored picture's id, as searches print it; from a script, after --."
        ),
    ],
    *,
    of: HitOptions,
    at: StoreOptions,
    json: Json = False,
) -> None:
    """Find the neighbours of a stored picture, itself left out."""
    with at.open() as held:
        _show(held.similar(id, **of.named()), json=json)


def recommend(
    like: Ids,
    unlike: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID", help="A stored picture to lead away from; repeatable.", show_default=False
        ),
    ] = None,
    *,
    of: HitOptions,
    at: StoreOptions,
    json: Json = False,
) -> None:
    """Find pictures like several stored ones, and unlike others."""
    with at.open() as held:
        _show(held.recommend(like, unlike or (), **of.named()), json=json)


def search(
    text: Annotated[list[str] | None, _part("--text", "WORDS", "What the pictures show")] = None,
    image: Annotated[list[str] | None, _part("--image", "FILE|URL", "A picture like those wanted")] = None,
    id: Annotated[list[str] | None, _part("--id", "ID", "A stored picture, itself left out")] = None,
    words: Annotated[
        list[str] | None, _part("--words", "WORDS", "Words in descriptions, keywords, places and names", "2")
    ] = None,
    *,
    min_relevance: MinRelevance = None,
    of: HitOptions,
    at: StoreOptions,
    by: EncoderOptions,
    json: Json = False,
) -> None:
    """Find pictures by texts, pictures and words at once: --text "a beach" --words oslo; or by --where."""
    from esclip._search.query import Clause, ImageQuery, Keywords, Query, SimilarTo, Text

    parts: list[Clause] = [Text(*_weighed("--text", value)) for value in text or ()]
    parts += [ImageQuery(*_weighed("--image", value)) for value in image or ()]
    parts += [SimilarTo(*_weighed("--id", value)) for value in id or ()]
    parts += [Keywords(*_weighed("--words", value)) for value in words or ()]
    if not parts and not of.where:
        raise typer.BadParameter("say what to look for: --text, --image, --id, --words or --where")
    if any(isinstance(part, Keywords) and part.weight <= 0 for part in parts):
        raise typer.BadParameter("--words has a weight above zero; to leave something out, use --where")
    with at.open(by) as held:
        _show(held.search(Query(*parts, min_relevance=min_relevance, **of.named())), json=json)


def _weighed(option: str, given: str) -> tuple[str, float]:
    """The value and its weight. Who seems to have put a weight into the value is told where it belongs."""
    value, weight = weighed(given)
    if value == given and (meant := as_once_weighed(value)):
        log.warning(
            '%s "%s" is looked for as it stands; a weight belongs to the option: %s:%s "%s"',
            option,
            value,
            option,
            *meant,
        )
    return not_blank(value), weight


def _show(hits: Hits, *, json: bool) -> None:
    from esclip._cli.output.hits import print_hits

    print_hits(hits, json=json)
