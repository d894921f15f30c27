"""The command line: parses, calls one method of the facade, shows what came back.

stdout carries results only; progress, summaries and errors go to stderr. Exit status 0: done. 1: an
`EsclipError`, told in one line. 2: wrong usage. 130: interrupted.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from esclip._errors import ConfigError, EsclipError, TooManyRejections
from esclip._imports import missing
from esclip._options import (
    AllowHosts,
    BatchSize,
    Cache,
    Device,
    EncoderName,
    EncoderToken,
    Host,
    IgnoreRobotsTag,
    Images,
    Index,
    Json,
    K,
    Limit,
    MaxBody,
    MaxRejectionRate,
    Port,
    PrecisionName,
    RejectionsFile,
    Store,
    TakesAnyId,
    TextEncoderName,
    Where,
    Workers,
    conditions,
    not_blank,
)
from esclip._settings import (
    BATCH_SIZE,
    DEFAULT_ENCODER,
    DEFAULT_INDEX,
    ENCODER_PORT,
    FETCH_WORKERS,
    MAX_BODY_MIB,
    MAX_REJECTION_RATE,
)

if TYPE_CHECKING:
    from esclip._hits import Hits
    from esclip._index import ImageIndex
    from esclip._rejections import Rejection

__all__ = ["app", "main"]


class ErrorsAsExit(TyperGroup):
    """Turns what esclip raises into one line on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        from esclip import _show

        try:
            with _show.log_on_stderr():
                return super().invoke(ctx)
        except EsclipError as error:
            _show.error(str(error))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            _show.error("interrupted; the same command goes on from here")
            raise typer.Exit(130) from None


app = typer.Typer(
    name="esclip",
    cls=ErrorsAsExit,
    help="Finds pictures by what they show.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the program."""
    os.environ.setdefault("LANCE_LOG", "error")  # read when lance is imported; it has no other switch
    atexit.register(gc.freeze)  # or Python looks through all objects once more: a seventh of a search's time
    app()


def _version(wanted: bool) -> None:
    if wanted:
        import esclip

        print(f"esclip {esclip.__version__}")
        raise typer.Exit


@app.callback()
def _esclip(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def ingest(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="An Unsplash dataset folder, a folder of images, or images."),
    ],
    store: Store = None,
    index: Index = DEFAULT_INDEX,
    encoder: EncoderName = None,
    text_encoder: TextEncoderName = None,
    device: Device = None,
    precision: PrecisionName = None,
    encoder_token: EncoderToken = None,
    limit: Limit = None,
    batch_size: BatchSize = BATCH_SIZE,
    workers: Workers = FETCH_WORKERS,
    images: Images = None,
    allow_host: AllowHosts = None,
    ignore_robots_tag: IgnoreRobotsTag = False,
    rejections: RejectionsFile = None,
    max_rejection_rate: MaxRejectionRate = MAX_REJECTION_RATE,
    cache: Cache = None,
    json: Json = False,
) -> None:
    """Encode pictures and write them into the index; what it holds unchanged is skipped."""
    from esclip import _show

    with (
        _open(store, index, encoder, text_encoder, device, precision, encoder_token) as held,
        _rejections_file(rejections) as on_rejection,
        _show.progress() as on_progress,
    ):
        try:
            report = held.ingest(
                *paths,
                limit=limit,
                batch_size=batch_size,
                workers=workers,
                images=images,
                allow_hosts=allow_host or (),
                ignore_robots_tag=ignore_robots_tag,
                max_rejection_rate=max_rejection_rate,
                cache=cache,
                on_rejection=on_rejection,
                on_progress=on_progress,
            )
        except TooManyRejections as error:
            if json:
                _show.report(error.report, json=True)
            raise
    _show.report(report, json=json)


@app.command("search-text")
def search_text(
    query: Annotated[
        str, typer.Argument(metavar="QUERY", callback=not_blank, help="What the pictures show.")
    ],
    k: K = 10,
    where: Where = None,
    store: Store = None,
    index: Index = DEFAULT_INDEX,
    encoder: EncoderName = None,
    text_encoder: TextEncoderName = None,
    device: Device = None,
    precision: PrecisionName = None,
    encoder_token: EncoderToken = None,
    json: Json = False,
) -> None:
    """Find pictures by words, in any language that the text tower knows."""
    with _open(store, index, encoder, text_encoder, device, precision, encoder_token) as held:
        _show_hits(held.search_text(query, k, conditions(where)), json=json)


@app.command("search-image")
def search_image(
    image: Annotated[
        str, typer.Argument(metavar="FILE|URL", callback=not_blank, help="A picture like those wanted.")
    ],
    k: K = 10,
    where: Where = None,
    store: Store = None,
    index: Index = DEFAULT_INDEX,
    encoder: EncoderName = None,
    device: Device = None,
    precision: PrecisionName = None,
    encoder_token: EncoderToken = None,
    json: Json = False,
) -> None:
    """Find pictures that look like another one."""
    with _open(store, index, encoder, None, device, precision, encoder_token) as held:
        _show_hits(held.search_image(image, k, conditions(where)), json=json)


@app.command(cls=TakesAnyId)
def similar(
    id: Annotated[str, typer.Argument(metavar="ID", help="A stored picture's id, as searches print it.")],
    k: K = 10,
    where: Where = None,
    store: Store = None,
    index: Index = DEFAULT_INDEX,
    json: Json = False,
) -> None:
    """Find the neighbours of a stored picture, itself left out."""
    with _open(store, index) as held:
        _show_hits(held.similar(id, k, conditions(where)), json=json)


@app.command()
def stats(store: Store = None, index: Index = DEFAULT_INDEX, json: Json = False) -> None:
    """Show what the index holds."""
    from esclip import _show

    with _open(store, index) as held:
        _show.stats(held.stats(), json=json)


@app.command()
def drop(
    store: Store = None,
    index: Index = DEFAULT_INDEX,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Remove the index and all that it holds. Pictures are untouched."""
    with _open(store, index) as held:
        if not yes and sys.stdin.isatty():
            documents = held.stats().documents
            typer.confirm(f"Remove index {index!r} and its {documents:,} documents?", abort=True, err=True)
        held.drop()
    typer.echo(f"index {index!r} removed", err=True)


@app.command()
def doctor(
    store: Store = None,
    index: Index = DEFAULT_INDEX,
    encoder: EncoderName = None,
    text_encoder: TextEncoderName = None,
    device: Device = None,
    precision: PrecisionName = None,
    encoder_token: EncoderToken = None,
    json: Json = False,
) -> None:
    """Tell what works on this machine and what is missing. Exit status 1 when something that you named is."""
    from esclip import _doctor, _show

    _show.tell_all()
    findings = _doctor.examine(store, index, encoder, text_encoder, device, precision, encoder_token or None)
    _show.findings(findings, json=json)
    if any(finding.needed and not finding.works for finding in findings):
        raise typer.Exit(1)


@app.command("serve-encoder")
def serve_encoder(
    host: Host = "127.0.0.1",
    port: Port = ENCODER_PORT,
    encoder: EncoderName = None,
    text_encoder: TextEncoderName = None,
    device: Device = None,
    precision: PrecisionName = None,
    encoder_token: EncoderToken = None,
    batch_size: BatchSize = BATCH_SIZE,
    max_body: MaxBody = MAX_BODY_MIB,
) -> None:
    """Encode for other machines, which give the address of this one as their --encoder."""
    from esclip import _encoder_server, _show
    from esclip.encoders import load_encoder

    _show.tell_all()
    served = load_encoder(
        encoder or DEFAULT_ENCODER, text_encoder or None, device=device or None, precision=precision or None
    )
    with _encoder_server.open_server(
        served,
        host=host,
        port=port,
        token=encoder_token or None,
        batch_size=batch_size,
        max_body=max_body << 20,
    ) as server:
        ended_by = server.run_until_signal(lambda: _show.serving(server.address, server.app.about))
        if ended_by == signal.SIGINT:
            raise typer.Exit(130)


@app.command()
def models(json: Json = False) -> None:
    """List the models that are known by name, and which of them this machine has."""
    import esclip
    from esclip import _show_models

    _show_models.models(esclip.models(), json=json)


@app.command()
def demo(
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where pictures, index and page go. [default: esclip-demo in your data directory]",
            show_default=False,
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store", metavar="ADDRESS", help="Another store than the demo's own.", show_default=False
        ),
    ] = None,
) -> None:
    """Draw pictures, ingest them and run some searches: offline, within a minute."""
    from esclip import _demo, _show

    with _show.progress() as on_progress:
        result = _demo.run(folder, store, on_progress)
    _show.demo(result)


def _open(
    store: str | None,
    index: str,
    encoder: str | None = None,
    text_encoder: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    token: str | None = None,
) -> ImageIndex:
    with missing("pandas"):  # pyarrow imports it where it is: a fifth of a search's time, for nothing
        from esclip._index import open_index

        return open_index(
            store or None,
            index,
            encoder or None,
            text_encoder or None,
            device=device or None,
            precision=precision or None,
            encoder_token=token or None,
        )


def _show_hits(hits: Hits, *, json: bool) -> None:
    from esclip import _show

    _show.hits(hits, json=json)


@contextmanager
def _rejections_file(path: Path | None) -> Iterator[Callable[[Rejection], None] | None]:
    """What writes rejections to the file as they come; a file that can't be written is told at once."""
    import orjson

    try:
        opened: Any = path.open("wb") if path else nullcontext()
    except OSError as error:
        raise ConfigError(
            f"--rejections {path}: {error.strerror}; name a file that can be written"
        ) from error
    with opened as file:

        def write(rejection: Rejection) -> None:
            file.write(orjson.dumps(rejection.to_json()) + b"\n")
            file.flush()

        yield write if file else None
