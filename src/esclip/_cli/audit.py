"""The command that compares an index's searches with exact ones."""

from __future__ import annotations

from typing import Annotated

import typer

from esclip._audit.options import TARGET, AuditOptions
from esclip._cli.groups import EncoderOptions, StoreOptions
from esclip._cli.options import Json, number
from esclip._cli.search import read_own_queries
from esclip._cli.signals import handle_signals


def audit(
    file: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(
            "--texts", metavar="FILE", help="Queries of your own, one a line; - for standard input."
        ),
    ] = None,
    target: Annotated[float | None, number(TARGET)] = None,
    *,
    options: AuditOptions,
    store: StoreOptions,
    encoder: EncoderOptions,
    json: Json = False,
) -> None:
    """Measure how much of what an exact search finds the index's searches find. Changes nothing."""
    import esclip
    from esclip._cli.output.audits import print_audit
    from esclip._cli.output.console import say
    from esclip._cli.output.progress import tell_counts

    texts = read_own_queries(file)
    with handle_signals(lambda: False), store.open(encoder) as index:
        report = esclip.audit(index, texts, on_progress=tell_counts(), **options)
    print_audit(report, json=json)
    if target is not None and report.lowest < target:
        say(f"the lowest recall is {report.lowest:.3f}, below {target:g}")
        raise typer.Exit(1)
