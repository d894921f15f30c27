"""The command that encodes texts and pictures, and gives their vectors."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from esclip._cli.groups import EncoderOptions, StoreOptions
from esclip._cli.hints import format_error
from esclip._cli.options import as_path, number
from esclip._core.options import BATCH_SIZE_OPTION, Panel
from esclip._errors import ConfigError, EsclipError, error_text

if TYPE_CHECKING:
    from esclip._protocols import Encoder
    from esclip._search.embedding import Input


def embed(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT|FILE|URL|-...",
            help="A text; a picture's existing file or http(s):// address; - for standard input, with one of "
            "these a line. What has a / in it or ends like a picture's name is a path.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A text, whatever it looks like; repeatable.")
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE|URL", help="A picture, whatever its name looks like; repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            parser=as_path,
            rich_help_panel=Panel.OUTPUT,
            help="Write here: .npy, .parquet or .jsonl. [default: JSON lines on standard output]",
        ),
    ] = None,
    *,
    batch_size: Annotated[int, number(BATCH_SIZE_OPTION)] = BATCH_SIZE_OPTION.default,
    store: StoreOptions,
    encoder: EncoderOptions,
) -> None:
    """Encode texts and pictures: their vectors as JSON lines, in a NumPy or a Parquet file.

    The encoder is the index's; where there is none, that of a new one. An input that can't be encoded is told
    on stderr, and the exit status is then 1.
    """
    from esclip._cli.output.console import say
    from esclip._cli.output.vectors import formats, is_known
    from esclip._errors.counts import pluralize

    if not (inputs or text or image):
        raise typer.BadParameter("name what to encode: a text, a picture's path or URL, - for standard input")
    if out and not is_known(out):
        raise typer.BadParameter(f"--out {out}: a name that ends in one of {formats()} is needed")
    loaded = _load_encoder(store, encoder)
    try:
        written, failed = _write_vectors(
            loaded, _read_inputs(inputs or (), text or (), image or ()), batch_size, out
        )
    except OSError as error:
        raise ConfigError(f"{out or 'standard input'}: {error_text(error)}") from error
    if out:
        space = loaded.space
        say(f"{pluralize(written, 'vector')} of {space.dim} dimensions by {space.model} in {out}")
    if failed:
        raise typer.Exit(1)


def _load_encoder(store: StoreOptions, encoder: EncoderOptions) -> Encoder:
    """The encoder that is named, else that of the index; an index that is named has to be there."""
    if encoder.encoder:
        return encoder.load(token=encoder.encoder_token)
    with store.open(encoder) as index:
        if {"store", "index"} & {*store.typed}:
            index.stats()
        return index.load_encoder()


def _write_vectors(
    encoder: Encoder, inputs: Iterator[Input], batch_size: int, out: Path | None
) -> tuple[int, int]:
    """Write the vectors. Returns how many there are, and how many inputs have none."""
    from esclip._cli.output.console import say_error
    from esclip._cli.output.vectors import VectorRow, vector_writer
    from esclip._search.embedding import embed as embed_all

    count = failed = 0
    with vector_writer(out, encoder.space.dim) as write:
        for batch in embed_all(encoder, inputs, batch_size):
            rows: list[VectorRow] = []
            for item, outcome in batch:
                if isinstance(outcome, EsclipError):
                    failed += 1
                    say_error(format_error(outcome))
                vector = None if isinstance(outcome, EsclipError) else outcome
                kind = "image" if item.is_picture else "text"
                rows.append(VectorRow(count + len(rows), item.value, kind, vector))
            write(rows)
            count += len(rows)
    return count - failed, failed


def _read_inputs(words: Iterable[str], texts: Iterable[str], images: Iterable[str]) -> Iterator[Input]:
    """The inputs in this order; - stands for the lines of standard input that aren't blank."""
    from esclip._cli.query_argument import STDIN
    from esclip._search.embedding import Input

    for word in words:
        yield from map(_input_of, _stdin_lines() if word == STDIN else [word])
    yield from map(Input, texts)
    yield from (Input(image, is_picture=True) for image in images)


def _input_of(given: str) -> Input:
    from esclip._cli.query_argument import STDIN, is_picture
    from esclip._search.embedding import Input

    try:
        if not given.strip():
            raise ConfigError("a text is empty")
        return Input(given, is_picture=given != STDIN and is_picture(given))
    except ConfigError as error:
        return Input(given, problem=error)


def _stdin_lines() -> Iterator[str]:
    from esclip._files.text import NotText, text_lines

    try:
        yield from filter(None, map(str.strip, text_lines(cast(io.BufferedIOBase, sys.stdin.buffer))))
    except NotText as error:
        raise ConfigError(f"standard input: {error_text(error)}") from error
