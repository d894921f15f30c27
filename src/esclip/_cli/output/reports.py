"""What commands report: of an ingest, a deletion, an index, rejections, models, labels, this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from esclip._cli.output.console import is_terminal, print_columns, print_heading, print_json, say
from esclip._cli.output.links import place_link
from esclip._cli.output.table import Column, print_rows
from esclip._core.picture_facts import SHOWN_FACTS
from esclip._core.rejections import TooManyRejections
from esclip._errors.counts import pluralize
from esclip._errors.reasons import Reason
from esclip._images.formats import describe_skipped

if TYPE_CHECKING:
    from esclip._cli.doctor import Finding
    from esclip._core.labels import LabelScore, LabelScores
    from esclip._core.rejections import IngestReport, LedgerEntry
    from esclip._core.schema import Stats
    from esclip._ingest.manifest import ManifestReport
    from esclip._switch import SwitchReport
    from esclip._transfer.reports import ExportReport
    from esclip.encoders import Model
    from esclip.encoders.remote.protocol import EncoderInfo

BROKEN_ROWS = frozenset({Reason.BAD_ROW, Reason.BAD_ID})
"""What gave no record, which no retry can read again."""


def print_report(report: IngestReport, *, json: bool) -> None:
    """The outcome of an ingest: a summary on stderr, with `json` the whole report on stdout."""
    if json:
        print_json(report.to_json())
    reasons = f" ({format_counts(report.rejections)})" if report.rejected else ""
    rate = f" ({report.images_per_second:.1f} pictures/s)" if report.images_per_second else ""
    say(
        f"{pluralize(report.read, 'record')}: {report.written:,} written, {report.skipped:,} skipped, "
        f"{report.rejected:,} rejected{reasons} in {report.seconds:.1f} s{rate}, "
        f"index {report.index!r} in {report.store}"
    )
    if report.passed_over:
        say(f"passed over: {describe_skipped(report.passed_over)}")
    if report.pruned:
        say(f"{pluralize(report.pruned, 'document')} removed: the source has no record of them any more")
    if report.stopped:
        say("stopped before the end; the same command goes on from here")
    if report.rejected:
        only_rows = report.rejections.keys() <= BROKEN_ROWS
        remedy = (
            "mend its source, and ingest that again" if only_rows else "try them again with `esclip retry`"
        )
        say(f"see each with `esclip rejections`, {remedy}")


def print_export(report: ExportReport, *, json: bool) -> None:
    """What an export wrote: a summary on stderr, with `json` the report on stdout."""
    if json:
        print_json(report.to_json())
    beside = [
        pluralize(count, what)
        for count, what in ((report.texts, "text"), (report.parts, "picture part"))
        if count
    ]
    say(
        f"{', '.join([pluralize(report.documents, 'picture'), *beside])} of index {report.index!r} in "
        f"{pluralize(report.files, 'file')} of {report.bytes / 1e6:,.1f} MB, in {report.seconds:.1f} s: "
        f"{report.path}"
    )


def print_manifest(report: ManifestReport, *, json: bool) -> None:
    """What a manifest has: a summary on stderr, with `json` the report on stdout."""
    if json:
        print_json(report.to_json())
    odd = {"can't be read": report.unreadable, "left out, with the id of another": report.repeated}
    more = "".join(f", {number:,} {what}" for what, number in odd.items() if number)
    say(
        f"{pluralize(report.records, 'record')}{more}, in {pluralize(report.files, 'file')} of "
        f"{report.bytes / 1e6:,.1f} MB, in {report.seconds:.1f} s: {report.path}"
    )
    if report.passed_over:
        say(f"passed over: {describe_skipped(report.passed_over)}")


@contextmanager
def print_report_of_failure(*, json: bool) -> Iterator[None]:
    """Context manager: with `json`, print the report of an ingest that rejects too much, and raise on."""
    try:
        yield
    except TooManyRejections as error:
        if json:
            print_report(error.report, json=True)
        raise


def print_deletion(
    index: str, documents: int, rejections: int, missing: Sequence[str], *, json: bool
) -> None:
    """What was taken out of an index: a summary on stderr, with `json` the numbers on stdout."""
    if json:
        print_json(
            {"index": index, "documents": documents, "rejections": rejections, "missing": list(missing)}
        )
    counts = {"document": documents, "rejection": rejections}
    removed = " and ".join(pluralize(number, what) for what, number in counts.items() if number)
    back = "; what is still in an ingested folder comes back with its next ingest" if removed else ""
    say(f"{removed or 'nothing'} removed from index {index!r}{back}")


def format_counts(counts: Mapping[Reason, int]) -> str:
    """The reasons, each with how often it came."""
    return ", ".join(f"{reason.value} {n:,}" for reason, n in counts.items())


def print_stats(stats: Stats, *, json: bool) -> None:
    """What an index holds."""
    values = stats.to_json()
    if json:
        print_json(values)
        return
    for name in ("runtimes", "labels", "parts", "aliases"):
        values[name] = ", ".join(values.get(name, ())) or None
    values["fields"] = ", ".join(f"{name} ({kind})" for name, kind in values["fields"].items())
    if stats.bytes is not None:
        values["bytes"] = f"{stats.bytes:,}"
    for name, value in values.items():
        if value is not None:
            print_columns(f"{name:13} {value}")
    say_missing_facts(stats)


def say_missing_facts(stats: Stats) -> None:
    """What an index of an older version lacks of its pictures, and how they get it."""
    known = {field.name for field in stats.fields}
    missing = [name for name in SHOWN_FACTS if name not in known]
    if stats.documents and missing and not stats.adopted:
        *names, last = missing
        listed = f"{', '.join(names)} and {last}" if names else last
        say(f"the index lacks {listed} of its pictures; the next ingest adds that, and encodes nothing again")


def print_indexes(indexes: Sequence[Stats], *, json: bool) -> None:
    """The indexes of a store: JSON lines, a table on a terminal, else its cells with tabs between."""
    columns: list[Column[Stats]] = [
        Column("index", lambda stats: stats.index, style="cyan"),
        Column("documents", lambda stats: f"{stats.documents:,}", "terminal", justify="right"),
        Column("documents", lambda stats: str(stats.documents), "plain"),
        Column("store", lambda stats: stats.engine),
        Column("encoder", lambda stats: stats.encoder, kind="place"),
    ]
    if any(stats.aliases for stats in indexes):
        columns.append(Column("aliases", lambda stats: ", ".join(stats.aliases), style="cyan"))
    print_rows(indexes, columns, json=[stats.to_json() for stats in indexes] if json else None)
    if not indexes:
        say("no index there; make one with: esclip ingest PATH")


def say_next(old: str, new: str) -> None:
    """What is done with an index that was made with another model."""
    switch = f"esclip switch {new} --index {old}"
    say(f"compare them by: esclip compare {old} {new}; use the new one by: {switch}")


def print_switch(report: SwitchReport, *, json: bool) -> None:
    """What a name points to now: a summary on stderr, with `json` the report on stdout."""
    if json:
        print_json(report.to_json())
    if not report.changed:
        say(f"{report.alias!r} points to {report.index!r} already; nothing was changed")
        return
    if report.renamed:
        say(f"the index that was called {report.alias!r} is called {report.previous!r} now")
    back = f"; back with: esclip switch {report.previous} --index {report.alias}" if report.previous else ""
    say(f"{report.alias!r} points to {report.index!r} ({pluralize(report.documents, 'document')}){back}")


def print_findings(findings: Sequence[Finding], *, json: bool) -> None:
    """What works on this machine and what is missing."""
    for finding in findings:
        if json:
            print_json(finding.to_json())
        else:
            mark = "ok      " if finding.works else "MISSING " if finding.needed else "no      "
            print_columns(f"{mark}{finding.name}: {finding.detail}")


def print_server_address(address: str, about: EncoderInfo) -> None:
    """Where an encoder server listens, and what encodes there."""
    say(f"{about.space.model} ({about.runtime}) at {address}; stop it with Ctrl-C")


def print_rejection_counts(counts: Mapping[Reason, int]) -> None:
    """How many rejections the ledger keeps, by reason, and what to do about them."""
    reasons = f" ({format_counts(counts)}); `esclip retry` tries them again" if counts else ""
    say(f"{sum(counts.values()):,} rejected{reasons}")


def print_rejections(rejections: Iterable[LedgerEntry], *, json: bool) -> None:
    """Rejections: JSON lines, a table on a terminal, else reason, id, location, detail with tabs between."""
    columns: list[Column[LedgerEntry]] = [
        Column("reason", lambda rejection: rejection.reason.value, style="red"),
        Column("id", lambda rejection: rejection.id, style="cyan"),
        Column(
            "location",
            lambda rejection: rejection.location,
            kind="place",
            link=lambda rejection: place_link(rejection.location),
        ),
        Column("detail", lambda rejection: rejection.detail, kind="text"),
    ]
    print_rows(rejections, columns, json=(entry.to_json() for entry in rejections) if json else None)


def print_labels(image: str, scores: LabelScores, *, json: bool) -> None:
    """The labels of a picture: JSON, a table on a terminal, else probability, label and picture a line."""
    columns: list[Column[LabelScore]] = [
        Column("", lambda score: f"{score.probability:.1%}", "terminal", justify="right", style="green"),
        Column("", lambda score: f"{score.probability:.4f}", "plain"),
        Column("", lambda score: score.label, style="cyan"),
        Column("", lambda _: image, "plain"),
    ]
    if not json and is_terminal():
        print_heading(image)
    labels = {"image": image, "labels": [score._asdict() for score in scores]}
    print_rows(scores, columns, json=[labels] if json else None)


def print_models(models: Sequence[Model], *, json: bool) -> None:
    """The known models: JSON lines, a table on a terminal, else its cells with tabs between."""
    columns: list[Column[Model]] = [
        Column("model", lambda model: model.name),
        Column("encodes", lambda model: " ".join(model.towers)),
        Column("dim", lambda model: str(model.dim), justify="right"),
        Column("languages", lambda model: model.languages),
        Column("queries by", lambda m: m.text_encoder if m.text_encoder != m.name else "itself"),
        Column("download", lambda model: f"{model.download_megabytes / 1000:.1f} GB"),
        Column("memory", _memory),
        Column("licence", lambda model: model.licence),
        Column("here", _is_here),
    ]
    print_rows(
        models, columns, json=[model.to_json() for model in models] if json else None, plain_headers=True
    )


def _memory(model: Model) -> str:
    sizes = (model.picture_megabytes, model.text_megabytes)
    return " / ".join(f"{size / 1000:.1f}" if size else "-" for size in sizes) + " GB"


def _is_here(model: Model) -> str:
    prepared = f", {' and '.join(model.prepared)} prepared" if model.prepared else ""
    return (f"yes{prepared}" if model.folder else "no") + (f", needs {model.needs}" if model.needs else "")
